//! The real addresses behind a connection to the program, in the peer table while they are true.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirrord_protocol::control::AddressPair;

use crate::peers::{Kind, PeerTable};

/// How long real addresses are kept after a connection's end, for a program that asks late about
/// a connection that was reset.
pub(super) const KEPT: Duration = Duration::from_secs(2);

/// Real addresses in the peer table, for as long as a connection stands and a little longer.
pub(super) struct Announcement {
    peers: Arc<PeerTable>,
    addresses: AddressPair,
    tag: u64,
    entered: Mutex<Vec<SocketAddr>>,
}

impl Announcement {
    /// Nothing is entered yet. `tag` is this connection's own, so that a port's next user keeps
    /// its entry when this one ends.
    pub(super) fn new(peers: Arc<PeerTable>, addresses: AddressPair, tag: u64) -> Self {
        Announcement {
            peers,
            addresses,
            tag,
            entered: Mutex::default(),
        }
    }

    /// Enters them under the session's end of a connection that is about to be made.
    pub(super) fn enter(&self, local: SocketAddr) {
        self.peers
            .enter(Kind::Incoming, local, self.addresses, self.tag);
        self.entered().push(local);
    }

    /// The connection is over.
    pub(super) fn end(self) {
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            drop(self);
        });
    }

    fn entered(&self) -> MutexGuard<'_, Vec<SocketAddr>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        for local in self.entered().drain(..) {
            self.peers.remove(Kind::Incoming, local, self.tag);
        }
    }
}
