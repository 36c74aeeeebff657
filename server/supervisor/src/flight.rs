//! A call whose work may take long: who waits for it now, what came out, whether anybody wants
//! it still.
//!
//! A caller that a signal interrupts is sent away with a restart code and comes back with the
//! same call; the work meanwhile goes on, and its result waits here. That way nothing is done
//! twice and no false error is seen. Exactly one of worker, watcher and returning caller takes
//! each step, under the flight's lock.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    call::{Call, Interrupt, Outcome, Word},
    identity::Identity,
    listener::{Listener, Reply},
    shared::Noted,
    signals::{self, Signalled},
};

/// What restarts a call whatever the handler's flags are, or as they say; the kernel's own codes
/// (include/linux/errno.h), which never reach a program while a signal is due.
const ERESTARTSYS: i32 = 512;
const ERESTARTNOINTR: i32 = 513;

/// How long a caller stays until its work has let it go; a debugger waits for it.
const LETTING_GO: Duration = Duration::from_millis(30);

/// One call in work.
pub(crate) struct Flight {
    pub call: Call,
    pub interrupt: Interrupt,
    word: Arc<Word>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Option<Waiting>,
    outcome: Option<Outcome>,
    /// Set when the caller was sent away: which caller, calling what.
    identity: Option<Identity>,
    sent_away: Option<Instant>,
    /// Since when the work knows that its caller is to leave.
    told_to_let_go: Option<Instant>,
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
    pub fn new(call: Call, interrupt: Interrupt, word: Arc<Word>, waiting: Waiting) -> Flight {
        let state = State {
            waiting: Some(waiting),
            ..State::default()
        };
        Flight {
            call,
            interrupt,
            word,
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
        if !self.may_leave(&mut state) {
            return Watched::Waits;
        }
        let Some(waiting) = state.waiting.take() else {
            return Watched::Over;
        };
        let code = match self.interrupt {
            Interrupt::AlwaysRestart => ERESTARTNOINTR,
            Interrupt::BySignalFlags | Interrupt::Detaches => ERESTARTSYS,
        };
        if let Err(errno) = waiting.listener.reply(waiting.id, Reply::Errno(code)) {
            tracing::debug!(%errno, tid = self.call.tid, "the interrupted caller is gone");
        }
        state.identity = Some(identity);
        state.sent_away = Some(Instant::now());
        Watched::SentAway
    }

    /// Tells work that goes on without its caller, and whether that one may leave.
    fn may_leave(&self, state: &mut State) -> bool {
        if self.interrupt != Interrupt::Detaches || self.word.may_leave() {
            return true;
        }
        let Some(since) = state.told_to_let_go else {
            state.told_to_let_go = Some(Instant::now());
            self.word.say(Word::LET_GO);
            return false;
        };
        since.elapsed() >= LETTING_GO
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
        } else {
            self.word.say(Word::GIVEN_UP);
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
