//! When a waiting request is given up.
//!
//! The kernel sends INTERRUPT once, for any signal, and then waits for the answer, even when the
//! process is being killed. A process that dies is let go at once. Any other signal may belong to
//! a handler, and programs do not expect EINTR of a file: the answer gets a little while to come
//! first. A change is only given up for a dying process, or it would be done twice.

use std::time::Duration;

use tokio::sync::Notify;

/// With what a debugger's pause or a handler waits for at most.
const LITTLE_WHILE: Duration = Duration::from_millis(80);
/// How often a process is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The process is being killed.
    Killed,
    /// Another signal, and the answer did not come in time.
    Signal,
}

/// Returns when a request of thread `pid` is to be given up; never before `interrupted` is told.
pub(crate) async fn wait(interrupted: &Notify, pid: u32, changes: bool) -> Cause {
    interrupted.notified().await;
    let mut waited = Duration::ZERO;
    loop {
        if is_killed(pid) {
            return Cause::Killed;
        }
        if !changes && waited >= LITTLE_WHILE {
            return Cause::Signal;
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

/// A fatal signal shows as SIGKILL pending in every thread it hits (signal(7)); a thread that is
/// gone, or in a place where we cannot see it, counts as killed.
fn is_killed(pid: u32) -> bool {
    const SIGKILL: u64 = 1 << (libc::SIGKILL - 1);
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return true;
    };
    status
        .lines()
        .filter_map(|line| {
            line.strip_prefix("SigPnd:")
                .or(line.strip_prefix("ShdPnd:"))
        })
        .filter_map(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .any(|bits| bits & SIGKILL != 0)
}
