//! Who is supervised: from a thread's id to its process, quickly and never wrongly.
//!
//! Thread ids are used again by the kernel, and nobody tells us when a thread ends; so what is
//! known of one holds for a second (no machine goes through all ids faster) and is then read
//! anew. Processes are watched by pidfd.
//!
//! The session is told of each process that made a listed call (every program does when it is
//! loaded): that it is there, again when it executed another program, and that it ended. A child
//! that was forked and never called is not told of; that nobody is left is known by the listeners.

use std::{
    collections::HashMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use mirrord_protocol::{event::EventKind, local::FromSupervisor};
use rustix::{
    event::{PollFd, PollFlags, Timespec, epoll, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::{exempt, session_link::SessionLink, shared::Shared, status::Status};

/// How long a thread's process is believed.
const FRESH: Duration = Duration::from_secs(1);

/// A supervised process.
pub(crate) struct Process {
    pub tgid: i32,
    pub pidfd: Arc<OwnedFd>,
    exe: AtomicU8,
    /// The executable that the session was told of last.
    told: Mutex<Option<String>>,
}

/// What is known of a process's executable.
const UNKNOWN: u8 = 0;
const SUPERVISED: u8 = 1;
const EXEMPT: u8 = 2;
/// It called `execve(2)`: unknown, and not to be remembered until the next call of the thread
/// that did.
const REPLACING: u8 = 3;

struct Thread {
    process: Arc<Process>,
    read: Instant,
    /// Its last call was `execve(2)`.
    replacing: bool,
}

#[derive(Default)]
struct Tables {
    threads: HashMap<i32, Thread>,
    processes: HashMap<i32, Arc<Process>>,
}

/// All supervised processes of a session.
pub(crate) struct Processes {
    tables: Mutex<Tables>,
    ends: OwnedFd,
    session: Arc<SessionLink>,
    shared: Shared,
}

/// A thread's process, with news about it.
pub(crate) struct Found {
    pub process: Arc<Process>,
    /// Answered "continue", whatever it asks.
    pub exempt: bool,
    /// The first call after a successful or failed `execve(2)`.
    pub replaced: bool,
}

impl Processes {
    /// Nobody yet.
    pub fn new(session: Arc<SessionLink>, shared: Shared) -> Result<Processes, Errno> {
        let ends = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Processes {
            tables: Mutex::default(),
            ends,
            session,
            shared,
        })
    }

    /// The process of a thread that waits for us.
    pub fn of_thread(&self, tid: i32) -> Result<Found, Errno> {
        let now = Instant::now();
        {
            let mut tables = self.lock();
            if let Some(thread) = tables.threads.get_mut(&tid)
                && now.duration_since(thread.read) < FRESH
            {
                let replaced = std::mem::take(&mut thread.replacing);
                let process = thread.process.clone();
                drop(tables);
                let found = found(process, tid, replaced);
                if replaced {
                    self.tell(&found.process, tid);
                }
                return Ok(found);
            }
        }
        let tgid = Status::read(tid)?.tgid;
        let (process, new) = self.process(tgid)?;
        let mut tables = self.lock();
        let thread = Thread {
            process: process.clone(),
            read: now,
            replacing: false,
        };
        let before = tables.threads.insert(tid, thread);
        drop(tables);
        let replaced = before.is_some_and(|before| before.replacing);
        let found = found(process, tid, replaced);
        if new || replaced {
            self.tell(&found.process, tid);
        }
        Ok(found)
    }

    /// The thread called `execve(2)`, which is being let through.
    pub fn replacing(&self, tid: i32) {
        let mut tables = self.lock();
        let Some(process) = tables
            .threads
            .get(&tid)
            .map(|thread| thread.process.clone())
        else {
            return;
        };
        process.exe.store(REPLACING, Ordering::Relaxed);
        // Afterwards the calling thread has the id of the process (execve(2)).
        for tid in [tid, process.tgid] {
            if let Some(thread) = tables.threads.get_mut(&tid) {
                thread.replacing = true;
            }
        }
    }

    /// Waits until processes end and forgets them; returns their ids.
    pub fn wait_for_ends(&self) -> Vec<i32> {
        let mut events = Vec::with_capacity(64);
        match epoll::wait(
            &self.ends,
            rustix::buffer::spare_capacity(&mut events),
            None,
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => tracing::error!(%errno, "could not wait for processes to end"),
        }
        let tgids: Vec<i32> = events.iter().map(|event| event.data.u64() as i32).collect();
        for tgid in &tgids {
            self.forget(*tgid);
        }
        tgids
    }

    /// Forgets those that ended; returns their ids.
    pub fn take_ends(&self) -> Vec<i32> {
        let ended: Vec<i32> = self
            .all()
            .iter()
            .filter(|process| !process.lives() || process.ends_now())
            .map(|process| process.tgid)
            .collect();
        for tgid in &ended {
            self.forget(*tgid);
        }
        ended
    }

    /// Watches what a dead worker watched. Those that ended meanwhile are told of.
    pub fn take_up(&self) {
        for tgid in self.shared.processes() {
            if self.process(tgid).is_err() {
                self.shared.process_ended(tgid);
                self.tell_end(tgid);
            }
        }
    }

    /// Pidfds of all that live.
    pub fn all(&self) -> Vec<Arc<Process>> {
        self.lock().processes.values().cloned().collect()
    }

    /// The process with its pidfd, and whether it is new to us.
    fn process(&self, tgid: i32) -> Result<(Arc<Process>, bool), Errno> {
        let known = self.lock().processes.get(&tgid).cloned();
        match known {
            Some(process) if process.lives() => return Ok((process, false)),
            Some(_) => self.forget(tgid),
            None => {}
        }
        let pid = Pid::from_raw(tgid).ok_or(Errno::SRCH)?;
        let pidfd = Arc::new(pidfd_open(pid, PidfdFlags::empty())?);
        let process = Arc::new(Process {
            tgid,
            pidfd,
            exe: AtomicU8::new(UNKNOWN),
            told: Mutex::default(),
        });
        let mut tables = self.lock();
        if let Some(other) = tables.processes.get(&tgid) {
            return Ok((other.clone(), false));
        }
        let data = epoll::EventData::new_u64(tgid as u64);
        epoll::add(&self.ends, &process.pidfd, data, epoll::EventFlags::IN)?;
        tables.processes.insert(tgid, process.clone());
        drop(tables);
        self.shared.process_started(tgid);
        Ok((process, true))
    }

    /// Tells the session which program a process is, when it does not know.
    fn tell(&self, process: &Arc<Process>, tid: i32) {
        let exe = rustix::fs::readlink(format!("/proc/{tid}/exe"), Vec::new()).ok();
        let exe = exe.map(|exe| exe.to_string_lossy().into_owned());
        let mut told = process.told.lock().unwrap_or_else(PoisonError::into_inner);
        if exe.is_some() && *told == exe {
            return;
        }
        told.clone_from(&exe);
        drop(told);
        // With the tables held: its end is not told before its start.
        let tables = self.lock();
        let lives = tables.processes.get(&process.tgid);
        if lives.is_some_and(|known| Arc::ptr_eq(known, process)) {
            self.session.tell(FromSupervisor::Event(EventKind::Process {
                pid: process.tgid,
                state: "started".into(),
                exe,
            }));
        }
    }

    fn tell_end(&self, tgid: i32) {
        self.session.tell(FromSupervisor::Event(EventKind::Process {
            pid: tgid,
            state: "ended".into(),
            exe: None,
        }));
    }

    fn forget(&self, tgid: i32) {
        let mut tables = self.lock();
        let Some(process) = tables.processes.remove(&tgid) else {
            return;
        };
        tables
            .threads
            .retain(|_, thread| !Arc::ptr_eq(&thread.process, &process));
        self.tell_end(tgid);
        drop(tables);
        if let Err(errno) = epoll::delete(&self.ends, &process.pidfd) {
            tracing::error!(%errno, tgid, "could not stop watching a process");
        }
        self.shared.process_ended(tgid);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Sends a signal to the process, if it is still this one.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        pidfd_send_signal(self.pidfd.as_fd(), signal)
    }

    /// A pidfd becomes readable when the process ends.
    pub fn lives(&self) -> bool {
        self.lives_after(Duration::ZERO)
    }

    /// An exiting process gives its filter up, which closes the listener, before its pidfd says
    /// that it ended (do_exit in kernel/exit.c): one that is on this way is waited for.
    fn ends_now(&self) -> bool {
        const PF_EXITING: u64 = 4;
        const MOMENT: Duration = Duration::from_secs(1);
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", self.tgid)) else {
            return true;
        };
        // The flags are the seventh word behind the name in parentheses (proc_pid_stat(5)).
        let words = stat.rsplit(')').next().unwrap_or_default();
        let flags = words.split_whitespace().nth(6);
        let exits = flags
            .and_then(|flags| flags.parse::<u64>().ok())
            .is_some_and(|flags| flags & PF_EXITING != 0);
        exits && !self.lives_after(MOMENT)
    }

    fn lives_after(&self, patience: Duration) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let patience = Timespec {
            tv_sec: patience.as_secs() as i64,
            tv_nsec: patience.subsec_nanos().into(),
        };
        poll(&mut fds, Some(&patience)) == Ok(0)
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Decides by the executable once for each `execve(2)`.
fn found(process: Arc<Process>, tid: i32, replaced: bool) -> Found {
    let known = process.exe.load(Ordering::Relaxed);
    let exempt = match known {
        SUPERVISED | EXEMPT => known == EXEMPT,
        _ => {
            let exe = rustix::fs::readlink(format!("/proc/{tid}/exe"), Vec::new());
            let exempt = exe.is_ok_and(|exe| exempt::is_exempt(exe.as_bytes()));
            if known == UNKNOWN || replaced {
                let decided = if exempt { EXEMPT } else { SUPERVISED };
                process.exe.store(decided, Ordering::Relaxed);
            }
            exempt
        }
    };
    Found {
        process,
        exempt,
        replaced,
    }
}
