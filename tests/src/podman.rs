//! A Podman of the test's own: storage, socket and containers in a temporary folder. No image is
//! fetched: one is made from Debian's static busybox.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The engine answers within a second; more is a slow machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// The commands that the image has.
const APPLETS: &[&str] = &["sh", "sleep", "cat", "env", "true"];
/// The image's only name. Its glibc is this machine's, when `/usr` is mounted into it.
pub const IMAGE: &str = "localhost/bed:1";

/// Limits above our own need CAP_SYS_RESOURCE, which a test in a container has not.
pub const LIMITS: [&str; 4] = [
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=1024:1024",
];

/// Removed with all its containers when dropped.
pub struct Podman {
    folder: tempfile::TempDir,
    service: Option<Child>,
}

impl Podman {
    /// An engine that listens on its socket and has one image.
    pub fn start() -> Podman {
        let folder = tempfile::Builder::new()
            .prefix("mirrord-podman-")
            .tempdir()
            .expect("a temporary folder");
        let mut podman = Podman {
            folder,
            service: None,
        };
        let image = podman.path("image.tar");
        podman.make_image(&image);
        podman.run(&["import", image.to_str().expect("UTF-8"), IMAGE]);
        let url = podman.url();
        let service = podman
            .command(&["system", "service", "--time", "0", &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        podman.service = Some(service.expect("podman is installed"));
        let began = Instant::now();
        while !podman.socket().exists() {
            assert!(began.elapsed() < DEADLINE, "podman's socket did not appear");
            std::thread::sleep(Duration::from_millis(20));
        }
        podman
    }

    /// Starts a container that stays until it is removed; returns its id.
    pub fn container(&self, name: &str, options: &[&str]) -> String {
        let mut arguments = vec!["run", "--detach", "--name", name, "--network", "none"];
        arguments.extend(LIMITS);
        arguments.extend(options);
        arguments.extend([IMAGE, "/bin/sleep", "1000"]);
        self.run(&arguments).trim().to_owned()
    }

    /// Runs `podman` with these arguments, which must succeed; its output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self
            .command(arguments)
            .output()
            .expect("podman is installed");
        assert!(
            output.status.success(),
            "podman {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// As `CONTAINER_HOST` takes it.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Where the engine listens.
    pub fn socket(&self) -> PathBuf {
        self.path("podman.sock")
    }

    /// A path in the engine's folder, which is a fit runtime folder, too.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What stands between `podman` and its command.
    pub fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        for (option, name) in [
            ("--root", "storage"),
            ("--runroot", "run"),
            ("--tmpdir", "tmp"),
        ] {
            let folder = self.path(name).into_os_string().into_string();
            options.extend([option.to_owned(), folder.expect("UTF-8")]);
        }
        // Without overlay mounts, systemd and journald it works in a container, too; and crun
        // gives up on machines that have both kinds of control groups.
        let fixed =
            "--storage-driver vfs --cgroup-manager cgroupfs --events-backend none --runtime runc";
        options.extend(fixed.split(' ').map(str::to_owned));
        options
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command
            .args(self.options())
            .args(arguments)
            .env_remove("CONTAINER_HOST");
        command
    }

    /// Whether a process names our folder in its command line.
    fn is_in_use(&self) -> bool {
        let folder = self.folder.path().as_os_str().as_encoded_bytes();
        let processes = std::fs::read_dir("/proc").expect("/proc is there");
        processes.flatten().any(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            line.windows(folder.len()).any(|part| part == folder)
        })
    }

    fn make_image(&self, archive: &Path) {
        let root = self.path("image");
        for name in ["bin", "etc", "data", "proc", "tmp", "usr"] {
            std::fs::create_dir_all(root.join(name)).expect("a folder");
        }
        for name in ["lib", "lib64"] {
            let link = root.join(name);
            std::os::unix::fs::symlink(format!("usr/{name}"), link).expect("a link");
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox"))
            .expect("busybox-static is installed");
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("a link");
        }
        std::fs::write(root.join("data/only-inside"), "of the image\n").expect("a file");
        let tar = Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(archive)
            .arg(".")
            .status();
        assert!(tar.expect("tar is installed").success());
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let removed = self
            .command(&["rm", "--all", "--force", "--time", "0"])
            .output();
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
        // conmon ends with a `podman container cleanup`, which would make the folder anew.
        let began = Instant::now();
        while self.is_in_use() && began.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !removed.is_ok_and(|output| output.status.success()) && !std::thread::panicking() {
            panic!("podman could not remove its containers");
        }
    }
}
