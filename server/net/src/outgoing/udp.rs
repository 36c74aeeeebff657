//! UDP: one association for each socket of the program, one relay socket for each destination.
//!
//! All destinations of an unconnected socket share one socket in the pod, so that peers see one
//! source port, as they would in the pod; a connected one has a connected socket there, so that
//! errors come back. Each relay socket is connected to the program's address and takes datagrams
//! from nobody else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirrord_protocol::local::{Loopback, Ticket};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::Shared;

mod association;
mod pod;
mod relay;

use association::{Association, Input};

/// What tells associations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// `SO_COOKIE` of the program's socket.
    pub(super) socket: u64,
    /// Its destination when it is connected.
    pub(super) peer: Option<SocketAddr>,
}

/// A destination that the program wants to reach.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) ticket: Ticket,
    pub(super) to: SocketAddr,
    pub(super) loopback: Loopback,
    /// Answer only when the pod's socket stands.
    pub(super) wait: bool,
}

/// The associations of a session.
#[derive(Default)]
pub(super) struct Associations {
    by_key: Mutex<HashMap<Key, Entry>>,
}

struct Entry {
    program: SocketAddr,
    input_tx: mpsc::Sender<Input>,
}

/// Inputs that may wait for an association; datagrams beyond it wait in the sockets' buffers.
const INPUTS: usize = 256;

/// Opens a relay in the program socket's association, which is made when there is none.
pub(super) fn open(shared: &Arc<Shared>, key: Key, program: SocketAddr, open: Open) {
    let mut by_key = shared.associations.lock();
    let mut input = Input::Open(open);
    // A socket that was disconnected and connected again has another port.
    if let Some(entry) = by_key.get(&key).filter(|entry| entry.program == program) {
        input = match entry.input_tx.try_send(input) {
            Ok(()) => return,
            Err(TrySendError::Full(Input::Open(open))) => {
                // A flood of datagrams is being worked on; a datagram may be lost (udp(7)).
                return shared.connected(open.ticket, Err(libc::ENOBUFS));
            }
            Err(TrySendError::Full(input) | TrySendError::Closed(input)) => input,
        };
    }
    let (input_tx, input_rx) = mpsc::channel(INPUTS);
    // A fresh channel has room for one.
    let _ = input_tx.try_send(input);
    by_key.insert(
        key,
        Entry {
            program,
            input_tx: input_tx.clone(),
        },
    );
    drop(by_key);
    tokio::spawn(Association::new(shared.clone(), key, program, input_tx).run(input_rx));
}

impl Associations {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes an association that ended, unless its socket has a newer one.
    fn forget(&self, key: Key, ended: &mpsc::Sender<Input>) {
        let mut by_key = self.lock();
        if by_key
            .get(&key)
            .is_some_and(|entry| ended.same_channel(&entry.input_tx))
        {
            by_key.remove(&key);
        }
    }
}
