//! The main process of a container of this node, by the runtime's name for it. The agent shares the
//! node's process ids; the control groups of a process name its container, whatever the runtime
//! (containerd, CRI-O, Docker) and without any of the node's files.

use std::fs;

use super::TargetError;
use crate::process;

/// Process that a container began with.
///
/// `id` is as Kubernetes has it: `containerd://1f3a…` (64 hexadecimal digits), `cri-o://…`, or the
/// digits alone.
///
/// # Errors
/// [`TargetError::NoContainer`] when no process of this node is in it.
pub fn main_process(id: &str) -> Result<i32, TargetError> {
    let digits = id.split_once("://").map_or(id, |(_, digits)| digits);
    // An empty or short text would be found in anybody's.
    if digits.len() < 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(TargetError::NoContainer { id: id.to_owned() });
    }
    let first = process::all()
        .filter(|pid| is_in(*pid, digits))
        .min_by_key(|pid| process::started(*pid).unwrap_or(u64::MAX));
    first.ok_or_else(|| TargetError::NoContainer { id: id.to_owned() })
}

/// `/proc/PID/cgroup` (cgroups(7)): `0::/kubepods/burstable/pod…/ID` or, with systemd,
/// `…/cri-containerd-ID.scope`. A process that has ended is in none.
fn is_in(pid: i32, digits: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_is_not_here_is_told() {
        for id in [
            "",
            "containerd://",
            "containerd://00ff",
            "containerd://../../x",
        ] {
            assert!(main_process(id).is_err(), "{id}");
        }
        let nobodys = format!("containerd://{}", "0123456789abcdef".repeat(4));
        let error = main_process(&nobodys).unwrap_err().to_string();
        assert!(error.contains("0123456789abcdef"), "{error}");
    }
}
