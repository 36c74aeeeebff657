//! Outgoing sockets of the program: the session's end of each.
//!
//! The session gives [`OutgoingRelays`] what the supervisor asks ([`FromSupervisor::Connect`] and
//! what follows it); answers go out through a channel. The promise: a program's connect succeeds
//! only when the pod's connection stands, fails with the pod's errno, and nobody but the program
//! gets at what was connected for it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mirrord_link::{Stream, Streams};
use mirrord_protocol::local::{FromSupervisor, Loopback, Outgoing, Relay, Ticket, ToSupervisor};
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::peers::PeerTable;

mod meeting;
mod names;
mod pending;
mod readable;
mod tcp;
mod udp;
mod unix;

use meeting::Meeting;
use names::SearchList;
pub use names::{NameRules, any_question};
pub use unix::unix_relay_name;

/// Where the streams link is, if it stands; changes when it was lost or came back.
pub type CurrentStreams = watch::Receiver<Option<Streams>>;

/// How long a connect waits for a link that is being made again. Shorter than the time-outs that
/// programs usually set, so that they hear of it from us.
const LINK_GRACE: Duration = Duration::from_secs(8);
/// A stream that broke because its link did is known to have by then.
const LINK_ENDS: Duration = Duration::from_millis(100);
/// How long the supervisor may take to connect the program's socket after our answer; it does so
/// at once unless the program was stopped or died.
const JOIN_WITHIN: Duration = Duration::from_secs(30);
/// A link is near when connects through it take no longer than this on the average, and then a
/// non-blocking connect waits this long for the pod's answer before it is left pending.
const NEAR: Duration = Duration::from_millis(1);

/// All outgoing relays of a session.
pub struct OutgoingRelays {
    shared: Arc<Shared>,
}

struct Shared {
    streams: CurrentStreams,
    peers: Arc<PeerTable>,
    answer_tx: mpsc::UnboundedSender<ToSupervisor>,
    meeting: Meeting,
    tickets: Mutex<HashMap<Ticket, Ongoing>>,
    associations: udp::Associations,
    name_servers: names::NameServers,
    /// `None`: all names are the pod's.
    name_rules: Option<NameRules>,
    /// Empty while the agent has not told it, or does not look ahead.
    search_list: OnceLock<SearchList>,
    /// Running average of what a connect in the pod takes, in microseconds.
    connect_takes: AtomicU64,
}

/// A ticket whose program socket has not joined yet.
struct Ongoing {
    joined_tx: oneshot::Sender<SocketAddr>,
    detach_tx: Option<oneshot::Sender<()>>,
    abort: AbortHandle,
}

impl OutgoingRelays {
    /// Binds the loopback listeners. `answer_tx` is unbounded because each answer belongs to a
    /// question that a thread of the program waits for. Must be called inside a runtime.
    pub fn new(
        streams: CurrentStreams,
        peers: Arc<PeerTable>,
        answer_tx: mpsc::UnboundedSender<ToSupervisor>,
        name_rules: Option<NameRules>,
    ) -> io::Result<Self> {
        let shared = Shared {
            streams,
            peers,
            answer_tx,
            meeting: Meeting::new()?,
            tickets: Mutex::default(),
            associations: udp::Associations::default(),
            name_servers: names::NameServers::default(),
            name_rules,
            search_list: OnceLock::new(),
            // Not near until it has shown itself so.
            connect_takes: AtomicU64::new(4 * NEAR.as_micros() as u64),
        };
        Ok(OutgoingRelays {
            shared: Arc::new(shared),
        })
    }

    /// From now on the agent asks these name servers ahead what programs ask next
    /// ([`Notice::Resolver`](mirrord_protocol::control::Notice::Resolver)).
    pub fn look_ahead(&self, servers: Vec<SocketAddr>, search: &[String], ndots: usize) {
        let list = SearchList::new(servers, search, ndots);
        if self.shared.search_list.set(list).is_err() {
            tracing::warn!("the agent told twice how the pod looks names up; the first holds");
        }
    }

    /// Acts on a message of the supervisor; gives back one that is not about outgoing sockets.
    pub fn handle(&self, message: FromSupervisor) -> Option<FromSupervisor> {
        match message {
            FromSupervisor::Connect {
                ticket,
                to,
                loopback,
                nonblocking,
            } => {
                self.connect(ticket, to, loopback, nonblocking);
            }
            FromSupervisor::Joined { ticket, program } => {
                let ongoing = self.shared.tickets().remove(&ticket);
                if let Some(ongoing) = ongoing {
                    // The task may have ended meanwhile, then its sockets are closed already.
                    let _ = ongoing.joined_tx.send(canonical(program));
                }
            }
            FromSupervisor::Detach { ticket } => {
                let mut tickets = self.shared.tickets();
                let detach_tx = tickets.get_mut(&ticket).and_then(|on| on.detach_tx.take());
                if let Some(detach_tx) = detach_tx {
                    // Its end may be on the way already.
                    let _ = detach_tx.send(());
                }
            }
            FromSupervisor::Abandon { ticket } => {
                let ongoing = self.shared.tickets().remove(&ticket);
                if let Some(ongoing) = ongoing {
                    ongoing.abort.abort();
                }
            }
            other => return Some(other),
        }
        None
    }

    fn connect(&self, ticket: Ticket, to: Outgoing, loopback: Loopback, nonblocking: bool) {
        let shared = self.shared.clone();
        let (joined_tx, joined_rx) = oneshot::channel();
        let (detach_tx, detach_rx) = oneshot::channel();
        // The lock is held until the ticket is in the table, so that a task that ends at once
        // cannot be entered after it removed itself.
        let mut tickets = self.shared.tickets();
        let task = match to {
            Outgoing::Tcp(to) if nonblocking => tokio::spawn(tcp::connect_pending(
                shared, ticket, to, loopback, joined_rx,
            )),
            Outgoing::Tcp(to) => {
                let ends = (joined_rx, detach_rx);
                tokio::spawn(tcp::connect(shared, ticket, to, loopback, ends))
            }
            Outgoing::Unix(path) => tokio::spawn(unix::connect(shared, ticket, path)),
            Outgoing::NameServer(to) => {
                drop(tickets);
                return names::open(&self.shared, ticket, to, loopback);
            }
            Outgoing::Udp {
                to,
                socket,
                program,
                connected,
                wait,
            } => {
                let key = udp::Key {
                    socket,
                    peer: connected.then_some(to),
                };
                let open = udp::Open {
                    ticket,
                    to,
                    loopback,
                    wait,
                };
                drop(tickets);
                return udp::open(&self.shared, key, canonical(program), open);
            }
        };
        tickets.insert(
            ticket,
            Ongoing {
                joined_tx,
                detach_tx: Some(detach_tx),
                abort: task.abort_handle(),
            },
        );
    }
}

impl Drop for OutgoingRelays {
    fn drop(&mut self) {
        for ongoing in self.shared.tickets().values() {
            ongoing.abort.abort();
        }
        self.shared.name_servers.end();
    }
}

impl Shared {
    fn tickets(&self) -> MutexGuard<'_, HashMap<Ticket, Ongoing>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, message: ToSupervisor) {
        // Without a receiver the session is ending and the supervisor with it.
        let _ = self.answer_tx.send(message);
    }

    fn connected(&self, ticket: Ticket, result: Result<Relay, i32>) {
        self.answer(ToSupervisor::Connected { ticket, result });
    }

    /// How long a connect that must not wait may wait all the same.
    fn patience(&self) -> Option<Duration> {
        let average = Duration::from_micros(self.connect_takes.load(Ordering::Relaxed));
        (average < NEAR).then_some(NEAR)
    }

    /// The streams of a link that stands, now or within the grace time.
    async fn streams(&self) -> Result<Streams, i32> {
        let mut streams = self.streams.clone();
        // One that has ended is about to be replaced.
        let stands =
            |streams: &Option<Streams>| streams.as_ref().is_some_and(|one| !one.has_ended());
        match tokio::time::timeout(LINK_GRACE, streams.wait_for(stands)).await {
            Ok(Ok(streams)) => streams.clone().ok_or(libc::ENETDOWN),
            Ok(Err(_)) | Err(_) => Err(libc::ENETDOWN),
        }
    }

    /// Asks the agent for a socket: its addresses there and the stream, or the pod's errno.
    async fn dial(&self, header: &StreamHeader) -> Result<(Addresses, Stream), i32> {
        let mut streams = self.streams().await?;
        let mut began = Instant::now();
        let mut reply = streams.open_with_reply(header).await;
        if reply.is_err()
            && tokio::time::timeout(LINK_ENDS, streams.ended())
                .await
                .is_ok()
        {
            // Nothing was said on it yet, so the program cannot tell the difference.
            streams = self.streams().await?;
            began = Instant::now();
            reply = streams.open_with_reply(header).await;
        }
        let took = (began.elapsed().as_micros() as u64).min(1_000_000);
        let average = self.connect_takes.load(Ordering::Relaxed);
        self.connect_takes
            .store((average * 3 + took) / 4, Ordering::Relaxed);
        match reply {
            Ok((StreamReply::Connected { local, peer }, stream)) => Ok(((local, peer), stream)),
            Ok((StreamReply::Failed(error), _)) => {
                tracing::debug!(%error, "the agent could not connect");
                Err(if error.errno > 0 {
                    error.errno
                } else {
                    libc::ECONNREFUSED
                })
            }
            Err(error) => {
                tracing::debug!(%error, "the link broke while the agent connected");
                Err(libc::ENETDOWN)
            }
        }
    }
}

/// Local and peer address of a socket in the pod.
type Addresses = (Option<SocketAddr>, Option<SocketAddr>);

/// IPv4-mapped addresses as IPv4: the session's ends are plain IPv4 sockets.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
