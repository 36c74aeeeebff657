//! A call whose work may take long: who waits for it now, what came out, whether anybody wants
//! it still.
//!
//! A caller that a signal interrupts is sent away with a restart code and comes back with the
//! same call; the work meanwhile goes on, and its result waits here. That way nothing is done
//! twice and no false error is seen. Exactly one of worker, watcher and returning caller takes
//! each step, under the flight's lock.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{
    call::{Call, Interrupt, Outcome},
    identity::Identity,
    listener::{Listener, Reply},
    shared::Noted,
    signals::{self, Signalled},
};

/// What restarts a call whatever the handler's flags are, or as they say; the kernel's own codes
/// (include/linux/errno.h), which never reach a program while a signal is due.
const ERESTARTSYS: i32 = 512;
const ERESTARTNOINTR: i32 = 513;

/// One call in work.
pub(crate) struct Flight {
    pub call: Call,
    pub interrupt: Interrupt,
    cancel: Arc<OwnedFd>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Option<Waiting>,
    outcome: Option<Outcome>,
    /// Set when the caller was sent away: which caller, calling what.
    identity: Option<Identity>,
    sent_away: Option<Instant>,
    abandoned: bool,
}

/// The notification that stands for the caller at present.
pub(crate) struct Waiting {
    pub listener: Arc<Listener>,
    pub id: u64,
    pub noted: Noted,
}

/// What the watcher found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// Look again later.
    Waits,
    /// The caller was sent away and may come back.
    SentAway,
    /// Nothing more to watch: answered, or nobody wants it.
    Over,
}

impl Flight {
    /// Work begins for a caller.
    pub fn new(call: Call, interrupt: Interrupt, cancel: Arc<OwnedFd>, waiting: Waiting) -> Flight {
        let state = State {
            waiting: Some(waiting),
            ..State::default()
        };
        Flight {
            call,
            interrupt,
            cancel,
            state: Mutex::new(state),
        }
    }

    /// The work is done: delivers to whoever waits, or keeps the outcome. True when the flight is
    /// over.
    pub fn finish(&self, outcome: Outcome, deliver: impl FnOnce(&Call, Waiting, Outcome)) -> bool {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.take() {
            drop(state);
            let call = Call {
                id: waiting.id,
                ..self.call
            };
            deliver(&call, waiting, outcome);
            true
        } else if state.abandoned {
            drop(state);
            discard(outcome);
            true
        } else {
            state.outcome = Some(outcome);
            false
        }
    }

    /// A caller arrives that may be ours coming back. Gives the finished outcome to deliver, or
    /// lets the caller wait on; `Err` returns the caller when it is another.
    pub fn rejoin(
        &self,
        call: &Call,
        waiting: Waiting,
    ) -> Result<Option<(Waiting, Outcome)>, Waiting> {
        let mut state = self.lock();
        let known = state.waiting.is_none()
            && !state.abandoned
            && call.nr == self.call.nr
            && call.args == self.call.args
            && state.identity.is_some()
            && Identity::read(call) == state.identity;
        if !known {
            return Err(waiting);
        }
        state.sent_away = None;
        match state.outcome.take() {
            Some(outcome) => Ok(Some((waiting, outcome))),
            None => {
                state.waiting = Some(waiting);
                Ok(None)
            }
        }
    }

    /// Looks whether the caller is still there and whether a signal is due for it.
    pub fn watch(&self) -> Watched {
        let mut state = self.lock();
        let Some(waiting) = &state.waiting else {
            return if state.sent_away.is_some() {
                Watched::SentAway
            } else {
                Watched::Over
            };
        };
        if !waiting.listener.is_valid(waiting.id) {
            // Killed; or, before 5.19, interrupted, and then it comes back.
            state.identity = Identity::read(&self.call);
            state.waiting = None;
            if state.identity.is_none() {
                self.abandon_locked(state);
                return Watched::Over;
            }
            state.sent_away = Some(Instant::now());
            return Watched::SentAway;
        }
        if signals::due(self.call.tid) != Signalled::Yes {
            return Watched::Waits;
        }
        let Some(identity) = Identity::read(&self.call) else {
            return Watched::Waits;
        };
        let code = match self.interrupt {
            Interrupt::AlwaysRestart => ERESTARTNOINTR,
            Interrupt::BySignalFlags => ERESTARTSYS,
        };
        if let Err(errno) = waiting.listener.reply(waiting.id, Reply::Errno(code)) {
            tracing::debug!(%errno, tid = self.call.tid, "the interrupted caller is gone");
        }
        state.waiting = None;
        state.identity = Some(identity);
        state.sent_away = Some(Instant::now());
        Watched::SentAway
    }

    /// Since when nobody waits, if the caller was sent away.
    pub fn sent_away(&self) -> Option<Instant> {
        self.lock().sent_away
    }

    /// Whether the thread that was sent away still lives.
    pub fn caller_lives(&self) -> bool {
        self.lock()
            .identity
            .as_ref()
            .is_none_or(|identity| identity.thread_lives())
    }

    /// Nobody will come back: work that goes on is cancelled, an outcome is thrown away.
    pub fn abandon(&self) {
        self.abandon_locked(self.lock());
    }

    fn abandon_locked(&self, mut state: MutexGuard<'_, State>) {
        state.abandoned = true;
        state.sent_away = None;
        let outcome = state.outcome.take();
        drop(state);
        if let Some(outcome) = outcome {
            discard(outcome);
        } else if let Err(errno) = rustix::io::write(&self.cancel, &1u64.to_ne_bytes()) {
            tracing::error!(%errno, "could not cancel the work for a call");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops an outcome that nobody will see.
pub(crate) fn discard(outcome: Outcome) {
    if let Some(delivered) = outcome.delivered {
        delivered(false);
    }
}
