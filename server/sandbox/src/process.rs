//! Processes known by pid and start time, so that a pid that came again is never taken for the
//! one we started.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// When a living process started, in clock ticks since boot (field 22 of proc_pid_stat(5));
/// `None` if it is gone or a zombie.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, so the fields are counted after the last bracket.
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let text = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut fields = text.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Whether that very process is still there.
pub(crate) fn lives(pid: u32, started: u64) -> bool {
    start_time(pid) == Some(started)
}

/// A descriptor of a living process, or `None` if it is gone.
pub(crate) fn open(pid: u32, started: u64) -> io::Result<Option<OwnedFd>> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    let pidfd = match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Checked after opening: from here on the descriptor cannot come to mean another process.
    Ok(lives(pid, started).then_some(pidfd))
}

/// Sends a signal; a process that is gone already is as good.
pub(crate) fn signal(pidfd: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits for the end of a process, which for the first process of a pid namespace is the end of
/// everything in the namespace; false when it did not come in time.
pub(crate) fn wait_for_end(pidfd: &OwnedFd, limit: Duration) -> io::Result<bool> {
    readable_before(pidfd, Instant::now() + limit)
}

/// Waits until a descriptor is readable; false when the deadline passed.
pub(crate) fn readable_before(fd: &OwnedFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or(Timespec {
            tv_sec: 3600,
            tv_nsec: 0,
        });
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let started = start_time(child.id()).unwrap();
        assert!(lives(child.id(), started));
        assert!(!lives(child.id(), started + 1));
        let pidfd = open(child.id(), started).unwrap().unwrap();
        assert!(!wait_for_end(&pidfd, Duration::from_millis(1)).unwrap());
        signal(&pidfd, Signal::KILL).unwrap();
        assert!(wait_for_end(&pidfd, Duration::from_secs(5)).unwrap());
        assert!(!lives(child.id(), started), "a zombie counts as gone");
        child.wait().unwrap();
        assert!(open(child.id(), started).unwrap().is_none());
    }
}
