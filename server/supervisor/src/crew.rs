//! The threads behind one listener: one leads (receives, and answers what is quick itself); before
//! it does work that may take long it hands the lead on.
//!
//! Work that only asks the session keeps the lead, for its waiting can be for further calls as well,
//! and hands it on when one comes: waking another thread for each such call costs more than it.
//!
//! So the quick answers never wait behind slow ones, and they are given by the thread that the
//! kernel woke on the caller's own CPU. Threads come and go with the work.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use mirrord_protocol::event::EventKind;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    answering::{Core, Long, Step},
    call::{Call, Lead},
    listener::{Listener, Received},
    shared::Orphan,
    status::Status,
};

/// So many calls of one program tree may be in long work at a time; the lead then waits.
const MOST: usize = 1024;

/// So many threads without work are kept, and for so long.
const PARKED: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

const STACK: usize = 512 * 1024;

/// The threads of one listener.
pub(crate) struct Crew {
    core: Arc<Core>,
    listener: Arc<Listener>,
    index: u32,
    closed: Box<dyn Fn() + Send + Sync>,
    first: Mutex<Option<First>>,
    state: Mutex<State>,
    wanted: Condvar,
}

/// Who must make the first call behind a listener: the process that gave it. A listener is a
/// descriptor like any other, and could be another program's.
pub(crate) struct First {
    process: i32,
    refused: Box<dyn FnOnce() + Send>,
}

impl First {
    /// `process` 0: whoever. Otherwise `refused` is called when it is another one.
    pub fn new(process: i32, refused: impl FnOnce() + Send + 'static) -> Option<First> {
        let refused = Box::new(refused);
        (process != 0).then_some(First { process, refused })
    }
}

#[derive(Default)]
struct State {
    led: bool,
    over: bool,
    parked: usize,
    threads: usize,
}

impl Crew {
    /// Serves a listener until all its callers are gone, then calls `closed`.
    pub fn start(
        core: Arc<Core>,
        listener: Arc<Listener>,
        index: u32,
        first: Option<First>,
        closed: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Arc<Crew>> {
        let state = Mutex::new(State {
            threads: 1,
            ..State::default()
        });
        let closed = Box::new(closed);
        let wanted = Condvar::new();
        let crew = Arc::new(Crew {
            core,
            listener,
            index,
            closed,
            first: Mutex::new(first),
            state,
            wanted,
        });
        crew.spawn(|crew| crew.serve())?;
        Ok(crew)
    }

    /// Takes up a call that a dead worker had received.
    pub fn take_up(self: &Arc<Self>, orphan: Orphan) -> io::Result<()> {
        self.spawn(move |crew| {
            if let Step::Long(long) = crew.core.begin(&crew.listener, orphan.call, orphan.noted) {
                crew.core.carry_out(long);
            }
        })
    }

    /// The listener, to refuse a call.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    fn spawn(self: &Arc<Self>, run: impl FnOnce(&Arc<Crew>) + Send + 'static) -> io::Result<()> {
        let crew = self.clone();
        let builder = thread::Builder::new()
            .name("calls".into())
            .stack_size(STACK);
        builder.spawn(move || run(&crew)).map(|_| ())
    }

    /// The life of one thread.
    fn serve(self: &Arc<Self>) {
        while self.take_lead() {
            if let Some(long) = self.lead() {
                self.core.carry_out(long);
            }
        }
    }

    /// Receives and answers until long work comes (the lead is handed on then), or another thread
    /// has the lead, or all is over.
    fn lead(self: &Arc<Self>) -> Option<Long> {
        loop {
            let mut place = self.core.shared.place(self.index);
            match self.listener.receive(&mut place) {
                Received::Nothing => {}
                Received::Closed => {
                    self.close();
                    return None;
                }
                Received::Call(call) if self.is_strange(&call) => {
                    self.close();
                    return None;
                }
                Received::Call(call) => {
                    let Step::Long(mut long) = self.core.begin(&self.listener, call, place) else {
                        continue;
                    };
                    if long.asks() {
                        let lead = Arc::new(Kept::by(self));
                        long.keep_lead(lead.clone());
                        self.core.carry_out(long);
                        if lead.is_gone() {
                            return None;
                        }
                        continue;
                    }
                    if self.hand_on() {
                        return Some(long);
                    }
                    self.core.carry_out(long);
                }
            }
        }
    }

    /// Looks at the first caller. One that did not give its listener itself is stopped: nobody
    /// serves it now, and each of its calls would fail.
    fn is_strange(&self, call: &Call) -> bool {
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(first) = first else {
            return false;
        };
        let tgid = Status::read(call.tid).map_or(0, |status| status.tgid);
        // 0: killed meanwhile, so there is nothing to be served either.
        if tgid == first.process || tgid == 0 {
            return false;
        }
        let text = format!(
            "process {} handed over the system calls of process {tgid}, which did not ask for it; that one was stopped",
            first.process
        );
        tracing::error!("{text}");
        self.core.session.event(EventKind::Notice {
            level: "error".into(),
            text,
        });
        if let Some(pid) = Pid::from_raw(tgid)
            && self.listener.is_valid(call.id)
            && let Err(errno) = kill_process(pid, Signal::KILL)
        {
            tracing::error!(%errno, "could not stop process {tgid}");
        }
        (first.refused)();
        true
    }

    /// Waits for the lead; false when this thread is not needed any more.
    fn take_lead(&self) -> bool {
        let mut state = self.lock();
        loop {
            if state.over {
                break;
            }
            if !state.led {
                state.led = true;
                return true;
            }
            if state.parked >= PARKED {
                break;
            }
            state.parked += 1;
            let waited = self.wanted.wait_timeout(state, PATIENCE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.parked -= 1;
            if timeout.timed_out() && state.led {
                break;
            }
        }
        state.threads -= 1;
        false
    }

    /// Makes another thread receive; false when there can be none.
    fn hand_on(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        state.led = false;
        if state.parked > 0 {
            drop(state);
            self.wanted.notify_one();
            return true;
        }
        if state.threads >= MOST {
            state.led = true;
            return false;
        }
        state.threads += 1;
        drop(state);
        let spawned = self.spawn(|crew| crew.serve());
        if let Err(error) = &spawned {
            tracing::error!(%error, "could not start a thread for calls; they wait for each other");
            let mut state = self.lock();
            state.threads -= 1;
            state.led = true;
        }
        spawned.is_ok()
    }

    fn close(&self) {
        let mut state = self.lock();
        state.over = true;
        state.led = false;
        drop(state);
        self.wanted.notify_all();
        (self.closed)();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lead of a thread that waits for the session.
struct Kept {
    crew: Arc<Crew>,
    state: Mutex<Keeping>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Kept,
    HandedOn,
    /// There could be no other thread.
    Alone,
}

impl Kept {
    fn by(crew: &Arc<Crew>) -> Kept {
        Kept {
            crew: crew.clone(),
            state: Mutex::new(Keeping::Kept),
        }
    }

    fn is_gone(&self) -> bool {
        *self.lock() == Keeping::HandedOn
    }

    fn lock(&self) -> MutexGuard<'_, Keeping> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead for Kept {
    fn calls(&self) -> Option<BorrowedFd<'_>> {
        (*self.lock() == Keeping::Kept).then(|| self.crew.listener.as_fd())
    }

    fn hand_on(&self) {
        let mut state = self.lock();
        if *state == Keeping::Kept {
            *state = if self.crew.hand_on() {
                Keeping::HandedOn
            } else {
                Keeping::Alone
            };
        }
    }
}
