//! Stolen ports: accepts what the taker turns to the agent and hands it to the session.
//!
//! Nothing is consumed of a connection before it is known who gets it: its first bytes are
//! peeked at and sent ahead, and stay in the kernel until the session says that the local
//! program took the connection. Without that word (nobody listens there, the link broke) the
//! pod's own program gets it from its first byte.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mirrord_link::{Stream, Streams, read_frame, relay};
use mirrord_protocol::control::{AddressPair, IncomingMode};
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::pass_on::pass_on;
use super::taker::{PortTaker, Taken};
use crate::target::Target;

/// Most of a request's head fits; the rest follows when the local program has accepted.
const AHEAD: usize = 16 * 1024;
/// A local program that has not accepted by then is not going to.
const REPLY_TIME: Duration = Duration::from_secs(10);
/// How long connections that are still on their way are waited for after the last port went.
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// The stolen ports of a session and the tasks that serve them.
///
/// Dropping it gives all ports back; connections that stand go on until `stop` is cancelled.
pub(super) struct Stealing {
    shared: Arc<Shared>,
    listening: CancellationToken,
}

struct Shared {
    taker: Arc<dyn PortTaker>,
    /// Whose probes are the pod's own program's to answer.
    target: Option<Arc<Target>>,
    streams: Streams,
    /// Port → subscription.
    ports: Mutex<HashMap<u16, u64>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Stealing {
    /// Starts to accept; no port is taken yet. `stop` ends everything at once.
    pub(super) fn start(
        taken: Taken,
        target: Option<Arc<Target>>,
        streams: Streams,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Stealing {
        let listening = stop.child_token();
        let shared = Arc::new(Shared {
            taker: taken.taker,
            target,
            streams,
            ports: Mutex::default(),
            stop,
            tasks,
        });
        for listener in taken.listeners.iter() {
            let accepting = accept_all(shared.clone(), listener.clone(), listening.clone());
            shared.tasks.spawn(accepting);
        }
        Stealing { shared, listening }
    }

    /// Who takes the ports.
    pub(super) fn by(&self) -> &'static str {
        self.shared.taker.name()
    }

    /// Takes a port for a subscription.
    pub(super) fn take(&self, port: u16, subscription: u64) -> io::Result<()> {
        // Known before the first connection can come.
        self.ports().insert(port, subscription);
        self.shared.taker.take(port).inspect_err(|_| {
            self.ports().remove(&port);
        })
    }

    /// Gives a port back.
    pub(super) fn give_back(&self, port: u16) -> io::Result<()> {
        self.ports().remove(&port);
        self.shared.taker.give_back(port)
    }

    fn ports(&self) -> std::sync::MutexGuard<'_, HashMap<u16, u64>> {
        self.shared
            .ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stealing {
    fn drop(&mut self) {
        let ports: Vec<u16> = self.ports().drain().map(|(port, _)| port).collect();
        for port in ports {
            if let Err(error) = self.shared.taker.give_back(port) {
                tracing::warn!("could not give port {port} back: {error}");
            }
        }
        self.listening.cancel();
    }
}

async fn accept_all(shared: Arc<Shared>, listener: Arc<TcpListener>, listening: CancellationToken) {
    let accept = async |deadline: Option<tokio::time::Instant>| loop {
        let accepted = match deadline {
            None => listener.accept().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => return,
            },
        };
        match accepted {
            Ok((socket, _)) => {
                let stop = shared.stop.clone();
                let serving = serve(shared.clone(), socket);
                shared.tasks.spawn(async move {
                    stop.run_until_cancelled(serving).await;
                });
            }
            // A client that went away again, or no descriptors left (accept(2)): others may come.
            Err(error) => {
                tracing::debug!("accepting a taken connection: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    listening.run_until_cancelled(accept(None)).await;
    // What was turned here before the port was given back belongs to the pod's program now.
    let deadline = tokio::time::Instant::now() + DRAIN_TIME;
    shared
        .stop
        .run_until_cancelled(accept(Some(deadline)))
        .await;
}

async fn serve(shared: Arc<Shared>, socket: TcpStream) {
    let connection = Connection::new(socket);
    let addresses = match prepare(&shared, connection.socket()) {
        Ok(addresses) => addresses,
        Err(error) => {
            tracing::debug!("a taken connection was dropped: {error}");
            return;
        }
    };
    let subscription = {
        let ports = shared.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.get(&addresses.server.port()).copied()
    };
    let is_probe = match &shared.target {
        Some(target) => target.probes.is_probe(connection.socket(), addresses).await,
        None => false,
    };
    let connection = match subscription {
        _ if is_probe => connection,
        None => connection,
        Some(subscription) => match offer(&shared, connection, subscription, addresses).await {
            Offered::Served => return,
            Offered::Refused(connection) => connection,
        },
    };
    if let Err(error) = pass_on(&*shared.taker, connection, addresses).await {
        tracing::debug!(?addresses, "passed on to the pod's own program: {error}");
    }
}

fn prepare(shared: &Shared, socket: &TcpStream) -> io::Result<AddressPair> {
    socket.set_nodelay(true)?;
    // A client that vanished is noticed although nobody sends.
    rustix::net::sockopt::set_socket_keepalive(socket, true)?;
    shared.taker.addresses(socket)
}

enum Offered {
    /// The session had it, to its end.
    Served,
    /// Untouched; the pod's own program shall have it.
    Refused(Connection),
}

async fn offer(
    shared: &Shared,
    mut connection: Connection,
    subscription: u64,
    addresses: AddressPair,
) -> Offered {
    let header = StreamHeader::Incoming {
        subscription,
        mode: IncomingMode::Steal,
        addresses,
    };
    let stream = match shared.streams.open(&header).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(?addresses, "no stream for a taken connection: {error}");
            return Offered::Refused(connection);
        }
    };
    let answer = ask(connection.socket(), stream);
    let (stream, mut ahead, size) = match tokio::time::timeout(REPLY_TIME, answer).await {
        Ok(Ok(Some(taken))) => taken,
        Ok(Ok(None)) => return Offered::Served,
        Ok(Err(error)) => {
            tracing::debug!(?addresses, "not taken by the local program: {error}");
            return Offered::Refused(connection);
        }
        Err(_) => return Offered::Refused(connection),
    };
    // They are in the socket's queue, so this does not wait.
    if let Err(error) = connection.read_exact(&mut ahead[..size]).await {
        tracing::debug!(?addresses, "a taken connection broke: {error}");
        return Offered::Served;
    }
    drop(ahead);
    if let Err(error) = relay(connection, stream).await {
        tracing::debug!(?addresses, "a taken connection ended early: {error}");
    }
    Offered::Served
}

/// Waits for the session's word while the client's first bytes go ahead. Returns the stream, and
/// what of the socket's queue was sent already; `None` when the client itself went away.
async fn ask(socket: &TcpStream, stream: Stream) -> io::Result<Option<(Stream, Vec<u8>, usize)>> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut ahead = vec![0; AHEAD];
    let mut waiting = Box::pin(read_frame::<_, StreamReply>(&mut reader));
    let (reply, size) = tokio::select! {
        biased;
        reply = &mut waiting => (reply?, 0),
        size = socket.peek(&mut ahead) => {
            let Ok(size) = size else { return Ok(None) };
            let send = async {
                writer.write_all(&ahead[..size]).await?;
                writer.flush().await
            };
            // A session that refuses resets the stream while it is being written to.
            let (reply, sent) = tokio::join!(&mut waiting, send);
            let reply = reply?;
            if matches!(reply, StreamReply::Connected { .. }) {
                sent?;
            }
            (reply, size)
        }
    };
    drop(waiting);
    match reply {
        StreamReply::Connected { .. } => Ok(Some((reader.unsplit(writer), ahead, size))),
        StreamReply::Failed(error) => Err(io::Error::other(error)),
    }
}
