//! The end of a session: no program is left behind whose calls nobody answers.

mod words;

use std::{
    collections::{HashMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{Dir, Mode, OFlags},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::{answering::Core, session_link::SessionEnd, status::Status, tell};

/// Between asking and forcing, when nobody said.
const GRACE: Duration = Duration::from_secs(2);

/// Stops what still runs under our listeners and tells why.
pub(crate) fn end(core: &Core, why: &SessionEnd) {
    let processes = core.processes.all();
    if processes.iter().all(|process| !process.lives()) {
        return;
    }
    let (reason, grace) = match why {
        SessionEnd::Gone => ("its session process ended unexpectedly", GRACE),
        SessionEnd::Asked { reason, grace } => (reason.as_str(), *grace),
    };
    let text = format!("stopping the program: {reason}");
    tell(format_args!("{text}"));
    words::tell_programs(core, &text);
    signal_all(core, Signal::TERM);
    let deadline = Instant::now() + grace;
    while Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        if core.processes.all().iter().all(|process| !process.lives()) && unseen(core).is_empty() {
            return;
        }
    }
    signal_all(core, Signal::KILL);
}

fn signal_all(core: &Core, signal: Signal) {
    for tgid in unseen(core) {
        let pidfd = Pid::from_raw(tgid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if let Some(pidfd) = pidfd {
            let _ = pidfd_send_signal(pidfd, signal);
        }
    }
    // Gone already is what we want.
    for process in core.processes.all() {
        let _ = process.signal(signal);
    }
}

/// Children of supervised processes that never made a listed call.
fn unseen(core: &Core) -> Vec<i32> {
    let seen: HashSet<i32> = core
        .processes
        .all()
        .iter()
        .map(|process| process.tgid)
        .collect();
    let parents = parents();
    let ours = |mut tgid: i32| {
        while let Some(parent) = parents.get(&tgid) {
            if seen.contains(parent) {
                return true;
            }
            tgid = *parent;
        }
        false
    };
    parents
        .keys()
        .copied()
        .filter(|tgid| !seen.contains(tgid) && ours(*tgid))
        .collect()
}

/// Every process of the machine with its parent.
fn parents() -> HashMap<i32, i32> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open("/proc", flags, Mode::empty()).and_then(Dir::new);
    let entries = dir.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
        .filter_map(|tgid| Some((tgid, Status::read(tgid).ok()?.parent)))
        .collect()
}
