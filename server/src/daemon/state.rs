//! What all connections share: who is connected, what is remembered, and the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::clusters::Clusters;
use super::launches::Launches;
use super::live::cache::Cache;
use super::peer::Peer;
use super::saved::Saved;
use super::views::Followed;

/// The daemon.
pub struct Daemon {
    /// When it began.
    pub started_at: String,
    /// The folder of logs and memory.
    pub state_folder: PathBuf,
    /// What is remembered.
    pub saved: Saved,
    /// Clusters that were reached.
    pub clusters: Arc<Clusters>,
    /// What is known of them, for answers that may not wait.
    pub live: Arc<Cache>,
    /// Launches, for `restart`.
    pub launches: Launches,
    /// Sessions that are followed for all clients.
    pub followed: Followed,
    /// Clients after their `initialized`, for what everybody hears.
    clients: Mutex<BTreeMap<u64, Weak<Client>>>,
    next_client: AtomicU64,
    /// How many connections there are.
    connections: watch::Sender<usize>,
    stopping: CancellationToken,
}

impl Daemon {
    /// A daemon that keeps its state in `state_folder`.
    pub fn new(state_folder: PathBuf) -> Arc<Self> {
        Arc::new(Daemon {
            started_at: crate::events::now(),
            saved: Saved::open(&state_folder),
            state_folder,
            clusters: Arc::default(),
            live: Arc::default(),
            launches: Launches::default(),
            followed: Followed::default(),
            clients: Mutex::default(),
            next_client: AtomicU64::new(0),
            connections: watch::Sender::new(0),
            stopping: CancellationToken::new(),
        })
    }

    /// Cancelled when the daemon ends.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Counts a connection for as long as the result lives.
    pub fn connected(self: &Arc<Self>) -> Connected {
        self.connections.send_modify(|count| *count += 1);
        Connected(Arc::clone(self))
    }

    /// How many connections there are, to look at and to wait for.
    pub fn connections(&self) -> watch::Receiver<usize> {
        self.connections.subscribe()
    }

    /// A client that hears what everybody hears; the number is for [`Daemon::leave`].
    pub fn join(&self, client: &Arc<Client>) -> u64 {
        let number = self.next_client.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::downgrade(client));
        number
    }

    /// A client that hears it no more.
    pub fn leave(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// Those who hear what everybody hears.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Tells every client.
    pub fn tell_all(&self, tell: impl Fn(&Peer)) {
        self.clients()
            .iter()
            .for_each(|client| tell(&client.peer()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Weak<Client>>> {
        self.clients
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

/// A connection that counts.
pub struct Connected(Arc<Daemon>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.send_modify(|count| *count -= 1);
    }
}
