//! Whether a waiting thread has a signal to take, so that it must be let go for a moment.
//!
//! The answer must never be a false yes: a restart code given to a thread that the kernel has
//! not marked for signal work reaches the program as errno 513. A signal sent to the thread
//! itself marks it. One sent to the process marks *some* thread: the main thread first, if it
//! does not block the signal; another one only when the main thread cannot take it
//! (complete_signal() in kernel/signal.c, the same since 2.6).

use std::time::Duration;

use rustix::{
    fs::{Dir, Mode, OFlags},
    io::Errno,
};

use crate::status::{Signals, Status, read_proc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signalled {
    Yes,
    No,
}

/// Whether a signal is certainly due for this thread.
pub(crate) fn due(tid: i32) -> Signalled {
    let Ok(status) = Status::read(tid) else {
        return Signalled::No;
    };
    let Signals {
        pending,
        shared,
        blocked,
        threads,
    } = status.signals;
    let shared = shared & !blocked;
    let due = pending & !blocked != 0
        || match tid == status.tgid {
            true => shared != 0 && (threads == 1 || still_shared(tid, shared)),
            false => {
                (shared != 0 && nobody_else_takes(status.tgid, tid, shared))
                    || group_is_stopped(status.tgid)
            }
        };
    if due { Signalled::Yes } else { Signalled::No }
}

/// Timers give their signal to the running thread first (6.4), which takes it within
/// microseconds; what is still there after a while is the main thread's.
fn still_shared(tid: i32, signals: u64) -> bool {
    std::thread::sleep(Duration::from_micros(200));
    Status::read(tid).is_ok_and(|status| status.signals.shared & signals == signals)
}

/// Every other thread blocks all of `signals`.
fn nobody_else_takes(tgid: i32, tid: i32, signals: u64) -> bool {
    let Ok(others) = threads(tgid) else {
        return false;
    };
    others
        .into_iter()
        .filter(|other| *other != tid)
        .all(|other| Status::read(other).is_ok_and(|status| signals & !status.signals.blocked == 0))
}

/// The process is stopped (`T`), and this thread is marked to stop as well but cannot while it
/// waits for us. A tracer's stop (`t`) is a thread's own.
fn group_is_stopped(tgid: i32) -> bool {
    let mut buf = [0; 512];
    let Ok(text) = read_proc(&format!("/proc/{tgid}/stat"), &mut buf) else {
        return false;
    };
    let Some(end) = text.iter().rposition(|b| *b == b')') else {
        return false;
    };
    text.get(end + 2) == Some(&b'T')
}

fn threads(tgid: i32) -> Result<Vec<i32>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(format!("/proc/{tgid}/task"), flags, Mode::empty())?;
    let mut threads = Vec::new();
    for entry in Dir::new(dir)? {
        if let Some(tid) = entry?
            .file_name()
            .to_str()
            .ok()
            .and_then(|name| name.parse().ok())
        {
            threads.push(tid);
        }
    }
    Ok(threads)
}
