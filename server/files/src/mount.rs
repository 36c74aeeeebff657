//! Makes the file system without mounting it anywhere: a detached mount, reached by its root's
//! descriptor only, so that no indexer finds it and nothing is left when its holders are gone.
//!
//! Root makes it in place. An ordinary user first moves into a user and mount namespace of its
//! own, where the kernel allows it (fuse since Linux 4.18); other processes of that user may use
//! the root they are given.

use std::{io, os::fd::OwnedFd};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen,
    },
    process::{getegid, geteuid},
    thread::UnshareFlags,
};

use crate::FilesError;

/// A file system of ours.
#[derive(Debug)]
pub(crate) struct Mount {
    /// Where its requests come from.
    pub(crate) device: OwnedFd,
    /// Its root directory.
    pub(crate) root: OwnedFd,
    /// Only our own ids exist for it; every file is shown as owned by them.
    pub(crate) own_ids_only: bool,
}

/// Makes the file system, with this process's rights or in namespaces of its own.
pub(crate) fn detached(writable: bool) -> Result<Mount, FilesError> {
    match make(writable, true) {
        Err(FilesError::Mount { source, .. }) if may_be_helped(&source) => {}
        result => return result,
    }
    own_namespaces()?;
    let mount = make(writable, false)?;
    Ok(Mount {
        own_ids_only: true,
        ..mount
    })
}

/// EPERM: no CAP_SYS_ADMIN in the present namespaces.
fn may_be_helped(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}

fn make(writable: bool, for_others: bool) -> Result<Mount, FilesError> {
    // Opened after the namespaces are entered: the kernel wants it opened in the user namespace
    // that the file system belongs to (EINVAL otherwise).
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let device = rustix::fs::open("/dev/fuse", flags, Mode::empty()).map_err(no_device)?;
    let failed = |action| {
        move |source: Errno| FilesError::Mount {
            action,
            source: source.into(),
            advice: "FUSE without a mount point needs Linux 5.2; is the fuse module loaded?",
        }
    };
    let config = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(failed("open a FUSE configuration (fsopen(2))"))?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&device).to_string();
    let (user, group) = (
        geteuid().as_raw().to_string(),
        getegid().as_raw().to_string(),
    );
    let options = [
        ("source", "pod"),
        ("subtype", "mirrord"),
        ("fd", &number),
        ("rootmode", "40000"),
        ("user_id", &user),
        ("group_id", &group),
    ];
    for (key, value) in options {
        fsconfig_set_string(&config, key, value).map_err(failed("configure FUSE (fsconfig(2))"))?;
    }
    if for_others {
        // A debuggee that began as root and changed its uid goes on using what it has open.
        fsconfig_set_flag(&config, "allow_other")
            .map_err(failed("configure FUSE (fsconfig(2), allow_other)"))?;
    }
    fsconfig_create(&config).map_err(failed("create the FUSE file system (fsconfig(2))"))?;
    // A device node of the pod must not open this machine's device of that number.
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    if !writable {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    let root = fsmount(&config, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(failed("mount FUSE detached (fsmount(2))"))?;
    Ok(Mount {
        device,
        root,
        own_ids_only: false,
    })
}

fn no_device(errno: Errno) -> FilesError {
    let advice = match errno {
        Errno::NOENT => {
            "there is no FUSE here: load it with `modprobe fuse`; in a container start it with \
             `--device /dev/fuse`"
        }
        Errno::ACCESS | Errno::PERM => {
            "this user may not use FUSE: `sudo chmod 0666 /dev/fuse` opens it; in a container \
             start it with `--device /dev/fuse`"
        }
        _ => "is the fuse module loaded?",
    };
    FilesError::Mount {
        action: "open /dev/fuse",
        source: errno.into(),
        advice,
    }
}

/// A user namespace in which only our own ids exist, and a mount namespace in it.
#[allow(unsafe_code)]
fn own_namespaces() -> Result<(), FilesError> {
    let refused = |action| {
        move |source: io::Error| FilesError::Mount {
            action,
            source,
            advice: "FUSE needs root or user namespaces: see `sysctl kernel.unprivileged_userns_clone \
                     kernel.apparmor_restrict_unprivileged_userns user.max_user_namespaces`",
        }
    };
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // SAFETY: only namespaces are separated; no descriptor table or memory that Rust's owned
    // types rely on is.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) }
        .map_err(|errno| refused("enter a user namespace (unshare(2))")(errno.into()))?;
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ] {
        std::fs::write(file, text).map_err(refused("set the user namespace's ids"))?;
    }
    Ok(())
}
