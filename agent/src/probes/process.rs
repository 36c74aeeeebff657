//! Processes as `/proc` shows them (proc(5)). One that ends meanwhile is as good as none.

use std::fs;
use std::path::PathBuf;

/// All that the agent sees.
pub(super) fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Its network namespace, by name (`net:[4026531840]`); `pid` may be `self`.
pub(super) fn network(pid: impl std::fmt::Display) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Whether it has the socket with this number in sockfs open.
pub(super) fn has_socket(pid: i32, inode: u32) -> bool {
    let wanted = format!("socket:[{inode}]");
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut entries = entries.into_iter().flatten().flatten();
    entries.any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == &wanted[..]))
}

/// Its arguments, lossily where they are no text.
pub(super) fn arguments(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    let words = bytes.split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Its parent: the fourth field of `/proc/PID/stat` (proc_pid_stat(5)), counted from behind the
/// command, which may have spaces and brackets.
pub(super) fn parent(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
