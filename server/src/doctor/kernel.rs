//! What the kernel here offers.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use mirrord_editor_protocol::doctor::{Check, CheckStatus};

use super::found;

/// `SECCOMP_ADDFD_FLAG_SEND` came with 5.14.
const NEEDED: (u32, u32) = (5, 14);

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` came with 6.6.
const WANTED: (u32, u32) = (6, 6);

pub fn version() -> Check {
    let (id, title) = ("kernel.version", "Linux version");
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let Some(version) = read_version(&release) else {
        let detail = format!("{release:?} is no version that can be read");
        return found(id, title, CheckStatus::Warn, detail, None);
    };
    if version < NEEDED {
        let fix = "run a kernel of 5.14 or newer";
        let detail = format!("{release}: 5.14 is needed to hand descriptors to programs safely");
        return found(id, title, CheckStatus::Fail, detail, Some(fix));
    }
    if version < WANTED {
        let detail = format!("{release}: works; from 6.6 on calls are answered faster");
        return found(id, title, CheckStatus::Ok, detail, None);
    }
    found(id, title, CheckStatus::Ok, release, None)
}

fn read_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub fn seccomp_notify() -> Check {
    let (id, title) = (
        "kernel.seccompNotify",
        "System calls can be answered (seccomp)",
    );
    let path = "/proc/sys/kernel/seccomp/actions_avail";
    match fs::read_to_string(path) {
        Ok(actions)
            if actions
                .split_whitespace()
                .any(|action| action == "user_notif") =>
        {
            found(
                id,
                title,
                CheckStatus::Ok,
                "user notifications are there",
                None,
            )
        }
        Ok(_) => found(
            id,
            title,
            CheckStatus::Fail,
            format!("{path} has no user_notif"),
            Some("run a kernel with CONFIG_SECCOMP_FILTER"),
        ),
        Err(error) => found(
            id,
            title,
            CheckStatus::Warn,
            format!("could not read {path}: {error}"),
            None,
        ),
    }
}

pub fn fuse() -> Check {
    let (id, title) = ("kernel.fuse", "The pod's files can be mounted (FUSE)");
    match fs::File::options().read(true).write(true).open("/dev/fuse") {
        Ok(_) => found(id, title, CheckStatus::Ok, "/dev/fuse can be opened", None),
        Err(error) => found(
            id,
            title,
            CheckStatus::Warn,
            format!(
                "/dev/fuse cannot be opened ({error}): the pod's files are then whole, read-only \
                 copies"
            ),
            Some(
                "load the module (`modprobe fuse`); in a container, start it with --device /dev/fuse",
            ),
        ),
    }
}

pub fn user_namespaces() -> Check {
    let (id, title) = (
        "kernel.userNamespaces",
        "Mounts without root (user namespaces)",
    );
    match in_user_namespace() {
        Ok(()) => found(
            id,
            title,
            CheckStatus::Ok,
            "a user namespace can be made",
            None,
        ),
        Err(error) if rustix::process::geteuid().is_root() => found(
            id,
            title,
            CheckStatus::Ok,
            format!("not needed as root (making one failed: {error})"),
            None,
        ),
        Err(error) => found(
            id,
            title,
            CheckStatus::Warn,
            format!(
                "a user namespace cannot be made ({error}): sandboxes do not start, and the pod's \
                 files are then whole, read-only copies"
            ),
            Some(
                "allow them: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, \
                 kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ),
    }
}

/// Starts a process of ours in a user namespace of its own.
fn in_user_namespace() -> std::io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: unshare(2) is async-signal-safe, and the child has one thread.
    unsafe {
        command.pre_exec(|| match libc::unshare(libc::CLONE_NEWUSER) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    command.status().map(drop)
}

/// From `linux/capability.h`.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_BPF: u32 = 39;

pub fn bpf() -> Check {
    let (id, title) = (
        "kernel.bpf",
        "Traffic can be taken without firewall rules (BPF)",
    );
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let has = |capability: u32| capabilities & (1 << capability) != 0;
    if has(CAP_BPF) || has(CAP_SYS_ADMIN) {
        return found(
            id,
            title,
            CheckStatus::Ok,
            "this user may load BPF programs",
            None,
        );
    }
    found(
        id,
        title,
        CheckStatus::Ok,
        "this user may not load BPF programs: for targets of this machine nftables is used instead",
        None,
    )
}

pub fn ptrace_scope() -> Check {
    let (id, title) = ("kernel.ptraceScope", "Programs can be looked into (Yama)");
    match fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope") {
        Ok(scope) => match scope.trim() {
            "0" => found(id, title, CheckStatus::Ok, "not restricted", None),
            "1" => found(
                id,
                title,
                CheckStatus::Ok,
                "restricted to relatives: programs allow their supervisor themselves",
                None,
            ),
            other => found(
                id,
                title,
                CheckStatus::Fail,
                format!("ptrace_scope is {other}: nobody may look into another process"),
                Some("sysctl kernel.yama.ptrace_scope=1"),
            ),
        },
        Err(_) => found(id, title, CheckStatus::Ok, "this kernel has no Yama", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_distributions_are_read() {
        assert_eq!(read_version("6.8.0-31-generic"), Some((6, 8)));
        assert_eq!(read_version("6.1-rc3"), Some((6, 1)));
        assert_eq!(read_version("odd"), None);
        assert_eq!(
            read_version("5.15.167.4-microsoft-standard-WSL2"),
            Some((5, 15))
        );
    }
}
