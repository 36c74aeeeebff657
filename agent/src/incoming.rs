//! The target's ports that are taken for one session, stolen or mirrored.
//!
//! Whoever serves the control link subscribes and unsubscribes; each connection becomes a stream
//! that the agent opens towards the session. The promise: when this value is shut down, or the
//! process ends by any cause, the pod's own program has all its traffic again.
//!
//! Taking (a [`taker::PortTaker`]), deciding who gets a connection (`steal`) and handing it to
//! the pod's own program (`pass_on`) are apart, for filters per connection and per request, and
//! several sessions on one port, come between them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mirrord_link::Streams;
use mirrord_protocol::control::{IncomingMode, Notice, RemoteError, Subscribe};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::target::Target;

mod connection;
mod listeners;
mod mirror;
mod nftables;
mod pass_on;
mod sk_lookup;
mod steal;
mod sys;
mod taker;
#[cfg(test)]
mod tests;

use mirror::Mirror;
pub use mirror::any_packets;
use steal::Stealing;

/// How long the end of standing connections is waited for; they are reset, so this is plenty.
const STOP_TIME: Duration = Duration::from_millis(500);

/// The ports that were taken for one session.
pub struct Incoming {
    target: Option<Arc<Target>>,
    streams: Streams,
    notice_tx: mpsc::Sender<Notice>,
    choose: fn() -> io::Result<taker::Taken>,
    state: Mutex<State>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    last_id: u64,
    subscriptions: HashMap<u64, Subscribe>,
    // Each is there only while a port needs it: what is not used leaves no trace in the pod.
    stealing: Option<Stealing>,
    mirror: Option<Mirror>,
}

impl Incoming {
    /// Nothing is taken yet. The calling thread must be in the target's network namespace, and
    /// so must those that call the other functions.
    pub fn new(target: Arc<Target>, streams: Streams, notice_tx: mpsc::Sender<Notice>) -> Self {
        let mut incoming = Self::choosing(taker::choose, streams, notice_tx);
        incoming.target = Some(target);
        incoming
    }

    fn choosing(
        choose: fn() -> io::Result<taker::Taken>,
        streams: Streams,
        notice_tx: mpsc::Sender<Notice>,
    ) -> Self {
        Incoming {
            target: None,
            streams,
            notice_tx,
            choose,
            state: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Takes a port. Returns the subscription's number and, for the user, how it is done.
    pub async fn subscribe(&self, subscribe: Subscribe) -> Result<(u64, String), RemoteError> {
        let port = subscribe.port;
        let mut state = self.state();
        if self.stop.is_cancelled() {
            return Err(refusal(&subscribe, "the link has ended", libc::ENOTCONN));
        }
        if port == 0 {
            return Err(refusal(&subscribe, "0 is not a port", libc::EINVAL));
        }
        if state.subscriptions.values().any(|held| held.port == port) {
            let text = "this session has taken it already; unsubscribe first";
            return Err(refusal(&subscribe, text, libc::EADDRINUSE));
        }
        state.last_id += 1;
        let id = state.last_id;
        let taken = match subscribe.mode {
            IncomingMode::Steal => self.steal(&mut state, port, id),
            IncomingMode::Mirror => self.mirror(&mut state, port, id),
        };
        match taken {
            Ok(by) => {
                tracing::info!(port, mode = ?subscribe.mode, by, "took a port");
                state.subscriptions.insert(id, subscribe);
                Ok((id, by.to_owned()))
            }
            Err(error) => {
                release_unused(&mut state);
                let errno = error.raw_os_error().unwrap_or(match error.kind() {
                    io::ErrorKind::PermissionDenied => libc::EPERM,
                    _ => 0,
                });
                Err(refusal(&subscribe, &error.to_string(), errno))
            }
        }
    }

    /// Gives a port back. Stolen connections that stand go on; copies of mirrored ones end.
    pub async fn unsubscribe(&self, subscription: u64) {
        let mut state = self.state();
        let Some(Subscribe { port, mode }) = state.subscriptions.remove(&subscription) else {
            return; // twice, or ended by itself
        };
        let given_back = match (mode, &state.stealing, &state.mirror) {
            (IncomingMode::Steal, Some(stealing), _) => stealing.give_back(port),
            (IncomingMode::Mirror, _, Some(mirror)) => mirror.remove(port),
            _ => Ok(()),
        };
        match given_back {
            Ok(()) => tracing::info!(port, "gave a port back"),
            Err(error) => tracing::warn!(port, "could not give a port back: {error}"),
        }
        release_unused(&mut state);
    }

    /// Gives everything back and resets what stands: nobody is there any more to answer.
    pub async fn shutdown(&self) {
        {
            let mut state = self.state();
            self.stop.cancel();
            state.subscriptions.clear();
            release_unused(&mut state);
        }
        self.tasks.close();
        if tokio::time::timeout(STOP_TIME, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("connections of taken ports did not end in {STOP_TIME:?}");
        }
    }

    fn steal(&self, state: &mut State, port: u16, id: u64) -> io::Result<&'static str> {
        let stealing = match state.stealing.take() {
            Some(stealing) => stealing,
            None => Stealing::start(
                (self.choose)()?,
                self.target.clone(),
                self.streams.clone(),
                self.stop.clone(),
                self.tasks.clone(),
            ),
        };
        let stealing = state.stealing.insert(stealing);
        stealing.take(port, id)?;
        Ok(stealing.by())
    }

    fn mirror(&self, state: &mut State, port: u16, id: u64) -> io::Result<&'static str> {
        let mirror = match state.mirror.take() {
            Some(mirror) => mirror,
            None => Mirror::start(
                self.streams.clone(),
                self.notice_tx.clone(),
                self.stop.clone(),
                self.tasks.clone(),
            )?,
        };
        state.mirror.insert(mirror).add(port, id)?;
        Ok("capture")
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Tasks hold listeners and rules; without this they would outlive us.
        self.stop.cancel();
    }
}

/// Lets go of what no subscription needs.
fn release_unused(state: &mut State) {
    let used = |state: &State, mode| state.subscriptions.values().any(|held| held.mode == mode);
    if !used(state, IncomingMode::Steal) {
        state.stealing = None;
    }
    if !used(state, IncomingMode::Mirror) {
        state.mirror = None;
    }
}

fn refusal(subscribe: &Subscribe, why: &str, errno: i32) -> RemoteError {
    let verb = match subscribe.mode {
        IncomingMode::Steal => "steal",
        IncomingMode::Mirror => "mirror",
    };
    RemoteError {
        errno,
        message: format!("could not {verb} port {} of the pod: {why}", subscribe.port),
    }
}
