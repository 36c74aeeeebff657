//! The pod's root folder: a tmpfs with this machine's programs and libraries bound read-only,
//! `/dev`, `/proc` and `/sys` of its own, and room for the files of [`super::files`].

use std::ffi::{CStr, CString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, unmount,
};

use super::mount_attributes::set_read_only;
use crate::spec::SandboxSpec;

/// Where the sandbox's own program is in the pod: the target is `/app/shop`.
pub(crate) const PROGRAM: &str = "/app/shop";

/// Folders that hold programs and libraries; links among them stay links.
const SYSTEM: [&str; 9] = [
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix", "gnu",
];
/// What programs need of this machine's `/etc` to find libraries, certificates and their own parts.
const ETC: [&str; 9] = [
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "pki",
    "protocols",
    "services",
    "ssl",
];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// A pod's root folder while it is made, still below this machine's root.
pub(crate) struct Root {
    base: PathBuf,
}

impl Root {
    /// Makes the root folder on `base`, a folder that only has to be there.
    pub(crate) fn make(base: &Path) -> Result<Root> {
        mount_change(
            "/",
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        )
        .context("could not keep the pod's mounts to itself")?;
        let root = Root {
            base: base.to_owned(),
        };
        root.mount_new("tmpfs", "/", MountFlags::empty(), c"mode=0755")?;
        for name in SYSTEM {
            root.show_like_here(&Path::new("/").join(name))?;
        }
        for name in ETC {
            root.show_like_here(&Path::new("/etc").join(name))?;
        }
        root.show_java_settings()?;
        root.make_dev()?;
        let guarded = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        root.mount_new("proc", "/proc", guarded, c"").context(
            "the kernel refuses a /proc for the pod where this machine's own is partly covered, as in most \
             containers; start the container with `--security-opt systempaths=unconfined` or `--privileged`",
        )?;
        // Only a help to programs, and refused in more places than /proc.
        if let Err(error) = root.mount_new("sysfs", "/sys", guarded | MountFlags::RDONLY, c"") {
            eprintln!("no /sys in the pod: {error:#}");
        }
        root.mount_new(
            "tmpfs",
            "/data/volume",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=0777",
        )?;
        root.show_program()?;
        Ok(root)
    }

    /// Shows the folders and files that the spec asks for.
    pub(crate) fn show_binds(&self, spec: &SandboxSpec) -> Result<()> {
        for bind in &spec.binds {
            self.show(&bind.host, &bind.pod, bind.writable)?;
        }
        Ok(())
    }

    /// Where a path of the pod is until [`Root::enter`].
    pub(crate) fn path(&self, in_pod: impl AsRef<Path>) -> PathBuf {
        let path = in_pod.as_ref();
        self.base.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Makes a folder and those above it.
    pub(crate) fn make_folder(&self, in_pod: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path(&in_pod);
        fs::create_dir_all(&path)
            .with_context(|| format!("could not make {} in the pod", in_pod.as_ref().display()))?;
        Ok(path)
    }

    /// Makes this the root folder of the process and lets the machine's own go.
    pub(crate) fn enter(self) -> Result<()> {
        rustix::process::chdir(&self.base).context("could not enter the pod's root folder")?;
        // With the same folder twice, the old root comes to lie on the new one (pivot_root(2)).
        rustix::process::pivot_root(".", ".")
            .context("could not make the pod's root folder the root")?;
        unmount(".", UnmountFlags::DETACH).context("could not let go of this machine's files")?;
        rustix::process::chdir("/").context("could not enter the pod's root folder")?;
        Ok(())
    }

    fn mount_new(&self, kind: &str, in_pod: &str, flags: MountFlags, options: &CStr) -> Result<()> {
        let path = self.make_folder(in_pod)?;
        mount(kind, &path, kind, flags, options)
            .with_context(|| format!("could not mount {kind} on {in_pod}"))
    }

    fn make_dev(&self) -> Result<()> {
        let dev = self.make_folder("/dev")?;
        for name in DEVICES {
            let host = Path::new("/dev").join(name);
            if host.exists() {
                self.show_at(&host, &dev.join(name), true)?;
            }
        }
        self.mount_new(
            "devpts",
            "/dev/pts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            c"newinstance,ptmxmode=0666",
        )?;
        self.mount_new(
            "tmpfs",
            "/dev/shm",
            MountFlags::NOSUID | MountFlags::NODEV,
            c"mode=1777",
        )?;
        let links = [
            ("ptmx", "pts/ptmx"),
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
        ];
        for (name, to) in links {
            symlink(to, dev.join(name))
                .with_context(|| format!("could not make /dev/{name} in the pod"))?;
        }
        Ok(())
    }

    /// Shows the running program itself; a copy if its file is gone, for it may have been
    /// replaced by a new build since it was started.
    fn show_program(&self) -> Result<()> {
        let ours =
            fs::read_link("/proc/self/exe").context("could not find the program's own file")?;
        if self.show(&ours, Path::new(PROGRAM), false).is_ok() {
            return Ok(());
        }
        let copy = self.path(PROGRAM);
        fs::copy("/proc/self/exe", &copy)
            .and_then(|_| fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)))
            .context("could not bring the sandbox's own program into the pod")
    }

    /// Debian keeps the JVM's settings in `/etc/java-VERSION-openjdk`.
    fn show_java_settings(&self) -> Result<()> {
        let Ok(entries) = fs::read_dir("/etc") else {
            return Ok(());
        };
        for entry in entries.flatten() {
            if entry.file_name().as_bytes().starts_with(b"java") {
                self.show_like_here(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Shows a path of this machine at the same place, if it is there; a link stays a link.
    fn show_like_here(&self, path: &Path) -> Result<()> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("could not look at {}", path.display()));
            }
        };
        if !found.is_symlink() {
            return self.show(path, path, false);
        }
        if let Some(parent) = path.parent() {
            self.make_folder(parent)?;
        }
        let to = fs::read_link(path)?;
        symlink(to, self.path(path))
            .with_context(|| format!("could not make {} in the pod", path.display()))
    }

    fn show(&self, host: &Path, in_pod: &Path, writable: bool) -> Result<()> {
        self.show_at(host, &self.path(in_pod), writable)
            .with_context(|| {
                format!(
                    "could not show {} as {} in the pod",
                    host.display(),
                    in_pod.display()
                )
            })
    }

    fn show_at(&self, host: &Path, at: &Path, writable: bool) -> Result<()> {
        if fs::metadata(host)?.is_dir() {
            fs::create_dir_all(at)?;
            // Without those below, a folder with locked mounts in it cannot be bound in a user
            // namespace (mount_namespaces(7)).
            mount_bind_recursive(host, at)?;
        } else {
            fs::create_dir_all(at.parent().unwrap_or(at))?;
            fs::File::create(at)?;
            mount_bind(host, at)?;
        }
        if !writable {
            set_read_only(&CString::new(at.as_os_str().as_bytes())?)?;
        }
        Ok(())
    }
}
