//! Incoming ports (not there yet).

use std::sync::Arc;

use mirrord_link::Streams;
use mirrord_protocol::control::{Notice, RemoteError, Subscribe};
use tokio::sync::mpsc;

use crate::target::Target;

/// The ports that were taken for one session.
pub struct Incoming {}

impl Incoming {
    /// Nothing is taken yet.
    pub fn new(_target: Arc<Target>, _streams: Streams, _notice_tx: mpsc::Sender<Notice>) -> Self {
        Incoming {}
    }

    /// Takes a port.
    pub async fn subscribe(&self, _subscribe: Subscribe) -> Result<(u64, String), RemoteError> {
        Err(RemoteError { errno: 38, message: "ports cannot be taken yet".to_owned() })
    }

    /// Gives a port back.
    pub async fn unsubscribe(&self, _subscription: u64) {}

    /// Gives everything back.
    pub async fn shutdown(&self) {}
}
