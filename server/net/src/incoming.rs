//! Clients of the pod's ports, handed to the program's own listeners.
//!
//! The agent opens a stream for each connection; here it becomes a loopback connection to the
//! port that the program really listens on. Before that connects, the real addresses are entered
//! in the [`PeerTable`], so that `accept` and `getpeername` show the client from the first
//! moment. When the program does not listen any more, the agent is told before it has let go of
//! a byte, and the owner of this value is told to give the port back.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirrord_link::{RelaySocket, Stream, read_frame, relay, write_frame};
use mirrord_protocol::control::{AddressPair, IncomingMode, RemoteError};
use mirrord_protocol::event::EventKind;
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::peers::PeerTable;

mod announcement;
mod copy;
mod dial;

use announcement::Announcement;

/// A connection can come before the answer to its subscription, which rides on another link.
const SUBSCRIPTION_TIME: Duration = Duration::from_secs(5);

/// What the owner is told.
#[derive(Debug, Clone, PartialEq)]
pub enum IncomingNews {
    /// For the user.
    Event(EventKind),
    /// Nothing listens at the subscription's local address any more; it is forgotten here, and
    /// the agent should give the port back.
    ListenerGone {
        /// Which.
        subscription: u64,
        /// Its port in the pod.
        port: u16,
    },
}

/// The local ends of taken ports.
#[derive(Clone)]
pub struct IncomingRelays {
    shared: Arc<Shared>,
}

struct Shared {
    peers: Arc<PeerTable>,
    news_tx: mpsc::Sender<IncomingNews>,
    listeners: watch::Sender<HashMap<u64, Listener>>,
    /// Tags are one session's: all its relays enter peers in one table.
    last_tag: Arc<AtomicU64>,
    /// The agent's pod, for events.
    pod: Mutex<Option<String>>,
    /// Connections that stand, or are being made.
    serving: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
struct Listener {
    port: u16,
    address: SocketAddr,
}

impl IncomingRelays {
    /// No port is taken yet. Slow reading of `news_tx` slows down new connections.
    pub fn new(peers: Arc<PeerTable>, news_tx: mpsc::Sender<IncomingNews>) -> Self {
        IncomingRelays {
            shared: Arc::new(Shared {
                peers,
                news_tx,
                listeners: watch::Sender::default(),
                last_tag: Arc::default(),
                pod: Mutex::default(),
                serving: AtomicUsize::new(0),
            }),
        }
    }

    /// Relays of the same session for the agent in another pod, which numbers its subscriptions by
    /// itself.
    pub fn beside(&self, pod: String) -> Self {
        IncomingRelays {
            shared: Arc::new(Shared {
                peers: self.shared.peers.clone(),
                news_tx: self.shared.news_tx.clone(),
                listeners: watch::Sender::default(),
                last_tag: self.shared.last_tag.clone(),
                pod: Mutex::new(Some(pod)),
                serving: AtomicUsize::new(0),
            }),
        }
    }

    /// Connections come through this pod from now on, as events say.
    pub fn name_pod(&self, pod: Option<String>) {
        *self.shared.pod() = pod;
    }

    /// Connections of this subscription (the agent's number) go to `listener`, the address that
    /// the program's socket is really bound to.
    pub fn subscribe(&self, subscription: u64, port: u16, listener: SocketAddr) {
        let address = listener;
        self.shared.listeners.send_modify(|listeners| {
            listeners.insert(subscription, Listener { port, address });
        });
    }

    /// New connections of this subscription go back to the pod; those that stand go on.
    pub fn forget(&self, subscription: u64) {
        self.shared.listeners.send_modify(|listeners| {
            listeners.remove(&subscription);
        });
    }

    /// The subscription of a pod's port, if there is one.
    pub fn subscription(&self, port: u16) -> Option<u64> {
        let listeners = self.shared.listeners.borrow();
        let found = listeners.iter().find(|(_, listener)| listener.port == port);
        found.map(|(&subscription, _)| subscription)
    }

    /// How many connections of this agent stand, or are being made.
    pub fn serving(&self) -> usize {
        self.shared.serving.load(Ordering::Relaxed)
    }

    /// Serves a stream that the agent opened, until both its sides are done. Streams of another
    /// kind are an error: the agent opens none.
    pub async fn serve(&self, header: StreamHeader, stream: Stream) -> io::Result<()> {
        let StreamHeader::Incoming {
            subscription,
            mode,
            addresses,
        } = header
        else {
            let text = format!("the agent opened a stream that only a session opens: {header:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        };
        let shared = &self.shared;
        let _serving = Serving::of(&shared.serving);
        let Some(listener) = shared.listener(subscription).await else {
            let text = format!("port {} is not taken any more", addresses.server.port());
            return refuse(stream, mode, libc::ECONNREFUSED, text).await;
        };
        let announced = shared.announcement(addresses);
        let socket = match dial::dial(listener.address, addresses.client, &announced).await {
            Ok(socket) => socket,
            Err(error) => {
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    shared.listener_gone(subscription, listener.port).await;
                }
                let errno = error.raw_os_error().unwrap_or(libc::ETIMEDOUT);
                let text = format!(
                    "the local program did not take a connection at {}: {error}",
                    listener.address
                );
                return refuse(stream, mode, errno, text).await;
            }
        };
        shared.arrived(listener.port, mode, addresses).await;
        let result = match mode {
            IncomingMode::Steal => serve_stolen(socket, stream).await,
            IncomingMode::Mirror => copy::copy(socket, stream).await,
        };
        announced.end();
        result
    }
}

/// A connection, for as long as it stands.
struct Serving<'a>(&'a AtomicUsize);

impl<'a> Serving<'a> {
    fn of(serving: &'a AtomicUsize) -> Self {
        serving.fetch_add(1, Ordering::Relaxed);
        Serving(serving)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_stolen(socket: TcpStream, mut stream: Stream) -> io::Result<()> {
    let reply = StreamReply::Connected {
        local: socket.local_addr().ok(),
        peer: socket.peer_addr().ok(),
    };
    if let Err(error) = write_frame(&mut stream, &reply).await {
        socket.reset_on_close();
        return Err(error);
    }
    relay(socket, stream).await
}

/// Tells the agent that nobody takes this connection.
async fn refuse(
    mut stream: Stream,
    mode: IncomingMode,
    errno: i32,
    message: String,
) -> io::Result<()> {
    if mode == IncomingMode::Steal {
        let reply = StreamReply::Failed(RemoteError {
            errno,
            message: message.clone(),
        });
        write_frame(&mut stream, &reply).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
        // The agent resets the stream when it has read the reply; what comes before is not ours.
        let end: io::Result<StreamReply> = read_frame(&mut stream).await;
        drop(end);
    }
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, message))
}

impl Shared {
    async fn listener(&self, subscription: u64) -> Option<Listener> {
        let mut listeners = self.listeners.subscribe();
        let known = listeners.wait_for(|listeners| listeners.contains_key(&subscription));
        let known = tokio::time::timeout(SUBSCRIPTION_TIME, known)
            .await
            .ok()?
            .ok()?;
        known.get(&subscription).copied()
    }

    fn announcement(&self, addresses: AddressPair) -> Announcement {
        let tag = self.last_tag.fetch_add(1, Ordering::Relaxed) + 1;
        Announcement::new(self.peers.clone(), addresses, tag)
    }

    async fn listener_gone(&self, subscription: u64, port: u16) {
        let known = self
            .listeners
            .send_if_modified(|listeners| listeners.remove(&subscription).is_some());
        if known {
            self.tell(IncomingNews::ListenerGone { subscription, port })
                .await;
        }
    }

    async fn arrived(&self, port: u16, mode: IncomingMode, addresses: AddressPair) {
        let mode = match mode {
            IncomingMode::Steal => "steal",
            IncomingMode::Mirror => "mirror",
        };
        let pod = self.pod().clone();
        self.tell(IncomingNews::Event(EventKind::Incoming {
            port,
            mode: mode.to_owned(),
            client: addresses.client,
            pod,
        }))
        .await;
    }

    fn pod(&self) -> MutexGuard<'_, Option<String>> {
        self.pod.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, news: IncomingNews) {
        if self.news_tx.send(news).await.is_err() {
            tracing::debug!("news of an incoming connection came after the session's end");
        }
    }
}

#[cfg(test)]
mod tests;
