//! How long a session lives: which processes are in it, which were announced, and when it ends by
//! itself. Plain data and its rules; the loop asks it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mirrord_protocol::session_control::Process;
use tokio::time::Instant;

/// Between the last process and the end. A debug adapter starts short helpers with the debuggee's
/// environment (`/bin/sh -c "which node"`), and some programs start themselves anew.
const LINGER: Duration = Duration::from_secs(1);

/// The life of a session whose processes others launch.
#[derive(Debug)]
pub struct Life {
    /// Processes that were seen, with their executables.
    processes: BTreeMap<i32, Option<String>>,
    /// The supervisor has callers.
    supervised: bool,
    /// Announced processes that live, and whether there was ever one.
    bound: BTreeSet<i32>,
    was_bound: bool,
    paused: BTreeSet<i32>,
    expires_at: Instant,
    /// When the last process was gone.
    empty_since: Option<Instant>,
}

impl Life {
    /// It waits that long for its first process.
    pub fn new(expires: Duration) -> Self {
        Life {
            processes: BTreeMap::new(),
            supervised: false,
            bound: BTreeSet::new(),
            was_bound: false,
            paused: BTreeSet::new(),
            expires_at: Instant::now() + expires,
            empty_since: None,
        }
    }

    /// The launch takes longer.
    pub fn keep(&mut self, expires: Duration) {
        self.expires_at = Instant::now() + expires;
    }

    /// A process joined.
    pub fn started(&mut self, pid: i32, exe: Option<String>) {
        self.processes.insert(pid, exe);
        self.supervised = true;
        self.empty_since = None;
    }

    /// A process is gone.
    pub fn ended(&mut self, pid: i32) {
        self.processes.remove(&pid);
        self.paused.remove(&pid);
    }

    /// The supervisor has no callers any more.
    pub fn idle(&mut self) {
        self.supervised = false;
        self.processes.clear();
        self.rest();
    }

    /// A process was announced; false when it was before.
    pub fn bind(&mut self, pid: i32) -> bool {
        self.was_bound = true;
        self.empty_since = None;
        self.bound.insert(pid)
    }

    /// An announced process is gone.
    pub fn bound_ended(&mut self, pid: i32) {
        self.bound.remove(&pid);
        self.paused.remove(&pid);
        self.rest();
    }

    /// The debugger stopped a process, or let it go on.
    pub fn pause(&mut self, pid: i32, paused: bool) {
        if paused {
            self.paused.insert(pid);
        } else {
            self.paused.remove(&pid);
        }
    }

    /// Whether a breakpoint holds any process.
    pub fn is_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// Whether any process is in the session.
    pub fn has_processes(&self) -> bool {
        self.supervised || !self.bound.is_empty()
    }

    /// The processes.
    pub fn processes(&self) -> Vec<Process> {
        let mut all = self.processes.clone();
        for pid in &self.bound {
            all.entry(*pid).or_default();
        }
        let list = all.into_iter().map(|(pid, exe)| Process {
            pid,
            exe,
            bound: self.bound.contains(&pid),
            paused: self.paused.contains(&pid),
        });
        list.collect()
    }

    /// When the session ends by itself if nothing happens. Without an announced process it does not
    /// end before it expires: the one that ended may have been a helper.
    pub fn ends_at(&self) -> Option<Instant> {
        if self.has_processes() {
            return None;
        }
        let rested = self.empty_since.map(|since| since + LINGER);
        match rested {
            Some(rested) if self.was_bound => Some(rested),
            Some(rested) => Some(rested.max(self.expires_at)),
            None => Some(self.expires_at),
        }
    }

    /// Whether a process has ever been in it.
    pub fn was_used(&self) -> bool {
        self.empty_since.is_some() || self.has_processes()
    }

    fn rest(&mut self) {
        if !self.has_processes() {
            self.empty_since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRES: Duration = Duration::from_secs(60);

    /// Nearer to it than to anything else that could be meant.
    fn is_about(at: Option<Instant>, wanted: Instant) -> bool {
        let far = |at: Instant| at.max(wanted).duration_since(at.min(wanted));
        at.is_some_and(|at| far(at) < LINGER / 2)
    }

    #[test]
    fn a_helper_that_ends_first_does_not_end_the_session() {
        let mut life = Life::new(EXPIRES);
        let begin = Instant::now();
        life.started(10, Some("/bin/sh".into()));
        assert_eq!(life.ends_at(), None);
        life.ended(10);
        life.idle();
        assert!(is_about(life.ends_at(), begin + EXPIRES));
    }

    #[test]
    fn it_ends_soon_after_the_announced_process() {
        let mut life = Life::new(EXPIRES);
        life.started(10, None);
        assert!(life.bind(10));
        assert!(!life.bind(10), "announced twice is once");
        life.pause(10, true);
        assert!(life.is_paused());
        life.ended(10);
        life.idle();
        assert_eq!(life.ends_at(), None, "the announced process still lives");
        life.bound_ended(10);
        assert!(!life.is_paused());
        assert!(is_about(life.ends_at(), Instant::now() + LINGER));
    }

    #[test]
    fn two_processes_keep_it_until_the_last() {
        let mut life = Life::new(EXPIRES);
        life.bind(10);
        life.bind(11);
        life.bound_ended(10);
        assert_eq!(life.ends_at(), None);
        assert_eq!(life.processes().len(), 1);
        life.bound_ended(11);
        assert!(life.ends_at().is_some());
    }

    #[test]
    fn keeping_moves_the_expiry() {
        let mut life = Life::new(EXPIRES);
        assert!(!life.was_used());
        life.keep(2 * EXPIRES);
        assert!(is_about(life.ends_at(), Instant::now() + 2 * EXPIRES));
    }
}
