//! Where the program's sockets arrive: one loopback listener for each family, for all tickets.
//!
//! Anybody on this machine can connect to a loopback port. Only a socket whose address the
//! supervisor named is taken, and the kernel keeps that address unique; everything else is reset
//! after a moment.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirrord_link::RelaySocket;
use mirrord_protocol::local::Loopback;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The kernel lowers it to net.core.somaxconn.
const BACKLOG: u32 = 4096;
/// A socket may arrive before the supervisor's word about it, but not long before.
const STRANGER_FOR: Duration = Duration::from_secs(2);
/// More strangers than this are only ever an attack or a port scan.
const STRANGERS: usize = 1024;

/// The listeners and who is expected at them.
pub(super) struct Meeting {
    places: Arc<Mutex<Places>>,
    v4: SocketAddr,
    /// `None` where IPv6 has no loopback address.
    v6: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Places {
    expected: HashMap<SocketAddr, oneshot::Sender<TcpStream>>,
    arrived: VecDeque<(Instant, SocketAddr, TcpStream)>,
}

impl Meeting {
    pub(super) fn new() -> io::Result<Self> {
        let places = Arc::new(Mutex::new(Places::default()));
        let v4 = listen(TcpSocket::new_v4()?, (Ipv4Addr::LOCALHOST, 0).into())?;
        let v6 = TcpSocket::new_v6()
            .and_then(|socket| listen(socket, (Ipv6Addr::LOCALHOST, 0).into()))
            .inspect_err(|error| tracing::info!(%error, "this machine has no IPv6 loopback"))
            .ok();
        Ok(Meeting {
            v4: v4.local_addr()?,
            v6: v6.as_ref().map(TcpListener::local_addr).transpose()?,
            tasks: [Some(v4), v6]
                .into_iter()
                .flatten()
                .map(|listener| tokio::spawn(accept(listener, places.clone())))
                .collect(),
            places,
        })
    }

    /// The address that a program's socket is to be connected to.
    pub(super) fn via(&self, loopback: Loopback) -> SocketAddr {
        match (loopback, self.v6) {
            (Loopback::V4, _) => self.v4,
            (Loopback::V6, Some(v6)) => v6,
            // An IPv6 socket reaches the IPv4 listener too, unless it is IPv6 only.
            (Loopback::V6, None) | (Loopback::Mapped, _) => mapped(self.v4),
        }
    }

    /// The connection of the program's socket with this address.
    pub(super) async fn join(&self, program: SocketAddr) -> io::Result<TcpStream> {
        let stream_rx = {
            let mut places = lock(&self.places);
            let found = places
                .arrived
                .iter()
                .position(|(_, from, _)| *from == program);
            if let Some((_, _, stream)) = found.and_then(|index| places.arrived.remove(index)) {
                return Ok(stream);
            }
            let (stream_tx, stream_rx) = oneshot::channel();
            places.expected.insert(program, stream_tx);
            stream_rx
        };
        match tokio::time::timeout(STRANGER_FOR, stream_rx).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(_)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => {
                lock(&self.places).expected.remove(&program);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// An IPv4 address as an IPv6 socket names it (ipv6(7)).
pub(super) fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        v6 => v6,
    }
}

fn listen(socket: TcpSocket, address: SocketAddr) -> io::Result<TcpListener> {
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, places: Arc<Mutex<Places>>) {
    loop {
        let accepted = tokio::time::timeout(STRANGER_FOR, listener.accept()).await;
        turn_away(&mut lock(&places));
        match accepted {
            Err(_nobody_came) => {}
            Ok(Ok((stream, from))) => arrive(&mut lock(&places), stream, from),
            Ok(Err(error)) => {
                // Out of descriptors: the connection stays in the backlog meanwhile.
                tracing::warn!(%error, "could not accept the program's connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Resets those that nobody named in time.
fn turn_away(places: &mut Places) {
    let now = Instant::now();
    while let Some((since, ..)) = places.arrived.front()
        && (now - *since > STRANGER_FOR || places.arrived.len() >= STRANGERS)
    {
        if let Some((_, from, stranger)) = places.arrived.pop_front() {
            tracing::warn!(%from, "reset a connection that belongs to no program of this session");
            stranger.reset_on_close();
        }
    }
}

fn arrive(places: &mut Places, stream: TcpStream, from: SocketAddr) {
    match places.expected.remove(&from) {
        // Who waited may have been abandoned this moment; dropping closes the connection.
        Some(stream_tx) => drop(stream_tx.send(stream)),
        None => places.arrived.push_back((Instant::now(), from, stream)),
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}
