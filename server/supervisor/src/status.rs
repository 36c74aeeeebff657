//! The parts of `/proc/TID/status` (proc_pid_status(5)) that answering calls needs.

use mirrord_protocol::creds::Creds;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The process of the thread.
    pub tgid: i32,
    /// Its parent.
    pub parent: i32,
    /// File creation mask.
    pub umask: u32,
    /// File-system user and group id and the supplementary groups.
    pub creds: Creds,
    pub(crate) signals: Signals,
}

/// Signal sets of a thread, bit N-1 for signal N.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    /// Sent to this thread.
    pub pending: u64,
    /// Sent to the process; any thread may take them.
    pub shared: u64,
    /// Blocked by this thread.
    pub blocked: u64,
    /// How many threads the process has.
    pub threads: u32,
}

impl Status {
    /// Reads the status of a thread; `ESRCH` when it is gone.
    pub fn read(tid: i32) -> Result<Status, Errno> {
        let mut buf = [0; 4096];
        let text = read_proc(&format!("/proc/{tid}/status"), &mut buf)?;
        Status::parse(text).ok_or(Errno::SRCH)
    }

    fn parse(text: &[u8]) -> Option<Status> {
        let mut status = Status {
            tgid: 0,
            parent: 0,
            umask: 0o022,
            creds: Creds {
                uid: 0,
                gid: 0,
                groups: Vec::new(),
            },
            signals: Signals::default(),
        };
        for line in std::str::from_utf8(text).ok()?.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name {
                "Umask" => status.umask = u32::from_str_radix(value, 8).ok()?,
                "Tgid" => status.tgid = value.parse().ok()?,
                "PPid" => status.parent = value.parse().ok()?,
                "Uid" => status.creds.uid = file_system_id(value)?,
                "Gid" => status.creds.gid = file_system_id(value)?,
                "Groups" => {
                    status.creds.groups = value
                        .split_whitespace()
                        .filter_map(|id| id.parse().ok())
                        .collect();
                }
                "Threads" => status.signals.threads = value.parse().ok()?,
                "SigPnd" => status.signals.pending = u64::from_str_radix(value, 16).ok()?,
                "ShdPnd" => status.signals.shared = u64::from_str_radix(value, 16).ok()?,
                "SigBlk" => {
                    status.signals.blocked = u64::from_str_radix(value, 16).ok()?;
                    break;
                }
                _ => {}
            }
        }
        (status.tgid != 0).then_some(status)
    }
}

/// "Real, effective, saved, and file-system" ids.
fn file_system_id(value: &str) -> Option<u32> {
    value.split_whitespace().nth(3)?.parse().ok()
}

/// Reads a small file of `/proc`. A thread that is gone is `ESRCH` however the kernel says it.
pub(crate) fn read_proc<'a>(path: &str, buf: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let gone = |errno| {
        if errno == Errno::NOENT {
            Errno::SRCH
        } else {
            errno
        }
    };
    let file =
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(gone)?;
    let mut done = 0;
    while done < buf.len() {
        match rustix::io::read(&file, &mut buf[done..]).map_err(gone)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(&buf[..done])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_status_is_read() {
        let status = Status::read(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        assert_eq!(status.tgid, std::process::id() as i32);
        assert_eq!(status.creds.uid, rustix::process::geteuid().as_raw());
        assert_ne!(status.parent, 0);
    }

    #[test]
    fn a_thread_that_is_gone_is_no_such_process() {
        assert_eq!(Status::read(i32::MAX), Err(Errno::SRCH));
    }
}
