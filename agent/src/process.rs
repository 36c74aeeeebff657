//! Processes as `/proc` shows them (proc(5)). One that ends meanwhile is as good as none.

use std::fs;
use std::path::PathBuf;

/// All that the agent sees.
pub fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Its network namespace, by name (`net:[4026531840]`); `pid` may be `self`.
pub fn network(pid: impl std::fmt::Display) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Whether it has the socket with this number in sockfs open.
pub fn has_socket(pid: i32, inode: u32) -> bool {
    let wanted = format!("socket:[{inode}]");
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut entries = entries.into_iter().flatten().flatten();
    entries.any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == &wanted[..]))
}

/// Its arguments, lossily where they are no text.
pub fn arguments(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    let words = bytes.split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Its parent.
pub fn parent(pid: i32) -> Option<i32> {
    status(pid, 4)
}

/// When it began, in clock ticks since the machine's start.
pub fn started(pid: i32) -> Option<u64> {
    status(pid, 22)
}

/// A field of `/proc/PID/stat` by its number there (proc_pid_stat(5)), from the third on: counted from
/// behind the command, which may have spaces and brackets.
fn status<T: std::str::FromStr>(pid: i32, number: usize) -> Option<T> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(number - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_from_behind_the_command() {
        let ours = std::process::id() as i32;
        assert!(started(ours).unwrap() > started(1).unwrap());
    }
}
