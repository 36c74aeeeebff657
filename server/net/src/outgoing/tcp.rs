//! TCP connects, blocking and not.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use mirrord_link::{Stream, relay};
use mirrord_protocol::control::AddressPair;
use mirrord_protocol::local::{Loopback, Relay, Ticket, ToSupervisor};
use mirrord_protocol::streams::StreamHeader;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::meeting::mapped;
use super::names::{NAME_SERVICE, over_tcp};
use super::pending::Pending;
use super::{Addresses, JOIN_WITHIN, Shared};
use crate::peers::{Kind, relay_tag};

/// A blocking connect: the pod first, then the program's socket through the meeting listener. One
/// whose caller leaves becomes pending.
pub(super) async fn connect(
    shared: Arc<Shared>,
    ticket: Ticket,
    to: SocketAddr,
    loopback: Loopback,
    (joined_rx, mut detach_rx): (oneshot::Receiver<SocketAddr>, oneshot::Receiver<()>),
) {
    let header = StreamHeader::ConnectTcp { to };
    let mut dial = pin!(shared.dial(&header));
    let dialled = tokio::select! {
        biased;
        dialled = &mut dial => dialled,
        Ok(()) = &mut detach_rx => {
            return pend(&shared, ticket, to, loopback, joined_rx, dial).await;
        }
    };
    connect_dialled(&shared, ticket, to, loopback, dialled, joined_rx).await;
}

/// Answers with the pod's result, and relays once the program's socket has come.
async fn connect_dialled(
    shared: &Shared,
    ticket: Ticket,
    to: SocketAddr,
    loopback: Loopback,
    dialled: Result<(Addresses, Stream), i32>,
    joined_rx: oneshot::Receiver<SocketAddr>,
) {
    let via = shared.meeting.via(loopback);
    let ((local, peer), stream) = match dialled {
        Ok(dialled) => dialled,
        Err(errno) => {
            shared.tickets().remove(&ticket);
            return shared.connected(ticket, Err(errno));
        }
    };
    shared.connected(ticket, Ok(Relay { via, local, peer }));
    let Ok(Ok(program)) = tokio::time::timeout(JOIN_WITHIN, joined_rx).await else {
        shared.tickets().remove(&ticket);
        return;
    };
    match shared.meeting.join(program).await {
        Ok(socket) => run(shared, to, socket, stream).await,
        Err(error) => tracing::warn!(?peer, %error, "the program's socket did not arrive"),
    }
    shared
        .peers
        .remove(Kind::Tcp, program, relay_tag(ticket, via));
}

/// A non-blocking connect: an address at once, the pod meanwhile, then one end or the other. Over
/// a link that answers faster than a program could look, the pod's answer comes first.
pub(super) async fn connect_pending(
    shared: Arc<Shared>,
    ticket: Ticket,
    to: SocketAddr,
    loopback: Loopback,
    joined_rx: oneshot::Receiver<SocketAddr>,
) {
    let header = StreamHeader::ConnectTcp { to };
    let mut dial = pin!(shared.dial(&header));
    let mut early = None;
    if let Some(patience) = shared.patience() {
        early = match tokio::time::timeout(patience, &mut dial).await {
            // What a peer says comes after EINPROGRESS always, what the pod's kernel says (no
            // route, no permission) instead of it.
            Ok(Err(errno @ (libc::ECONNREFUSED | libc::ETIMEDOUT | libc::ECONNRESET))) => {
                Some(Err(errno))
            }
            Ok(dialled) => {
                return connect_dialled(&shared, ticket, to, loopback, dialled, joined_rx).await;
            }
            Err(_) => None,
        };
    }
    let dialled = async {
        match early {
            Some(dialled) => dialled,
            None => dial.await,
        }
    };
    pend(&shared, ticket, to, loopback, joined_rx, dialled).await;
}

/// Gives the program's socket an address that stays pending until the pod's end is known.
async fn pend(
    shared: &Shared,
    ticket: Ticket,
    to: SocketAddr,
    loopback: Loopback,
    joined_rx: oneshot::Receiver<SocketAddr>,
    dialled: impl Future<Output = Result<(Addresses, Stream), i32>>,
) {
    let pending = match make_pending(loopback) {
        Ok(pending) => pending,
        Err(error) => {
            tracing::warn!(%error, "could not make a pending connection (check the limit of open files)");
            shared.tickets().remove(&ticket);
            return shared.connected(ticket, Err(errno_of(&error)));
        }
    };
    let via = match (pending.via(), loopback) {
        (via, Loopback::V4) => via,
        (via, Loopback::V6 | Loopback::Mapped) => mapped(via),
    };
    shared.answer(ToSupervisor::Connecting { ticket, via });
    let joined = async { tokio::time::timeout(JOIN_WITHIN, joined_rx).await };
    let (joined, dialled) = tokio::join!(joined, dialled);
    let Ok(Ok(program)) = joined else {
        shared.tickets().remove(&ticket);
        return;
    };
    let tag = relay_tag(ticket, via);
    match dialled {
        Ok((addresses, stream)) => {
            // Before the program can see that it is connected.
            if let Some(pair) = pair(addresses) {
                shared.peers.enter(Kind::Tcp, program, pair, tag);
            }
            let (local, peer) = addresses;
            match pending.complete(program).await {
                Ok(socket) => {
                    shared.connected(ticket, Ok(Relay { via, local, peer }));
                    run(shared, to, socket, stream).await;
                }
                // The program closed its socket meanwhile; dropping the stream tells the pod.
                Err(error) => {
                    tracing::debug!(%to, %error, "the program does not wait any more");
                    shared.connected(ticket, Err(errno_of(&error)));
                }
            }
        }
        Err(errno) => {
            // From here on the address refuses.
            drop(pending);
            shared.connected(ticket, Err(errno));
        }
    }
    shared.peers.remove(Kind::Tcp, program, tag);
}

fn make_pending(loopback: Loopback) -> io::Result<Pending> {
    let v4 = (Ipv4Addr::LOCALHOST, 0).into();
    match loopback {
        Loopback::V4 | Loopback::Mapped => Pending::new(v4),
        Loopback::V6 => Pending::new((Ipv6Addr::LOCALHOST, 0).into()).or_else(|error| match error
            .raw_os_error()
        {
            Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => Pending::new(v4),
            _ => Err(error),
        }),
    }
}

async fn run(shared: &Shared, to: SocketAddr, socket: TcpStream, stream: Stream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY on a relay");
    }
    let result = match &shared.name_rules {
        Some(rules) if to.port() == NAME_SERVICE => over_tcp(rules, socket, stream).await,
        _ => relay(socket, stream).await.map(drop),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a relay ended with an error, which was passed on");
    }
}

fn pair((local, peer): Addresses) -> Option<AddressPair> {
    Some(AddressPair {
        client: local?,
        server: peer?,
    })
}

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::ECONNABORTED)
}
