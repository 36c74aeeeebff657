//! What is known of a session, where everybody may read it at any time: the loop writes, the
//! control socket answers from it without asking the loop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirrord_protocol::event::EventKind;
use mirrord_protocol::session_control::{SessionState, SessionStatus};

use crate::events::EventLog;

/// The status and the events. Cheap to clone.
#[derive(Clone)]
pub struct Board {
    status: Arc<Mutex<SessionStatus>>,
    /// The session's events.
    pub events: EventLog,
    visitors: Arc<AtomicUsize>,
}

/// A connection to the control socket, for as long as it lasts.
pub struct Visitor(Arc<AtomicUsize>);

impl Drop for Visitor {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Board {
    /// A board with what is known at the start.
    pub fn new(status: SessionStatus, events: EventLog) -> Self {
        Board {
            status: Arc::new(Mutex::new(status)),
            events,
            visitors: Arc::default(),
        }
    }

    /// Somebody connected.
    pub fn visitor(&self) -> Visitor {
        self.visitors.fetch_add(1, Ordering::Relaxed);
        Visitor(self.visitors.clone())
    }

    /// Whether somebody may wait for a last word.
    pub fn has_visitors(&self) -> bool {
        self.visitors.load(Ordering::Relaxed) > 0
    }

    /// Everything, as it is now.
    pub fn status(&self) -> SessionStatus {
        let mut status = self.lock().clone();
        status.next_seq = self.events.next_seq();
        status
    }

    /// Where the session stands.
    pub fn state(&self) -> SessionState {
        self.lock().state.clone()
    }

    /// Changes what is known, without a word.
    pub fn update(&self, change: impl FnOnce(&mut SessionStatus)) {
        change(&mut self.lock());
    }

    /// The session goes into another state; `reason` in words.
    pub fn enter(&self, state: SessionState, reason: &str) {
        let name = state.name();
        self.lock().state = state;
        tracing::info!("session {name}: {reason}");
        self.events.add(EventKind::Session {
            state: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, SessionStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
