//! Unix stream sockets of the pod, each met at an abstract address that is used once.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener as StdListener};
use std::sync::Arc;

use mirrord_link::relay;
use mirrord_protocol::local::{Relay, Ticket};
use mirrord_protocol::streams::StreamHeader;
use tokio::net::{UnixListener, UnixStream};

use super::{JOIN_WITHIN, Shared};

pub(super) async fn connect(shared: Arc<Shared>, ticket: Ticket, path: Vec<u8>) {
    let dialled = shared.dial(&StreamHeader::ConnectUnix { path }).await;
    shared.tickets().remove(&ticket);
    let answer = |result| shared.connected(ticket, result);
    let stream = match dialled {
        Ok((_, stream)) => stream,
        Err(errno) => return answer(Err(errno)),
    };
    let (via, listener) = match listen() {
        Ok(listening) => listening,
        Err(error) => {
            tracing::warn!(%error, "could not listen for the program's Unix socket");
            return answer(Err(error.raw_os_error().unwrap_or(libc::ECONNREFUSED)));
        }
    };
    answer(Ok(Relay {
        via,
        local: None,
        peer: None,
    }));
    match tokio::time::timeout(JOIN_WITHIN, accept_ours(listener)).await {
        Ok(Ok(socket)) => {
            if let Err(error) = relay(socket, stream).await {
                tracing::debug!(%error, "a Unix relay ended with an error, which was passed on");
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "the program's Unix socket did not arrive"),
        Err(_) => tracing::debug!("nobody came for a Unix connection of the pod"),
    }
}

/// The abstract name (without its leading NUL) behind a Unix relay's `via`: a number that nobody
/// guesses, carried as an IPv6 address. Abstract names need no cleaning up (unix(7)).
pub fn unix_relay_name(via: SocketAddr) -> Option<Vec<u8>> {
    match via {
        SocketAddr::V6(v6) if v6.port() == 0 => {
            Some(format!("mirrord-unix-{:032x}", v6.ip().to_bits()).into_bytes())
        }
        _ => None,
    }
}

fn listen() -> io::Result<(SocketAddr, UnixListener)> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
    let via = SocketAddr::new(Ipv6Addr::from(secret).into(), 0);
    let name = unix_relay_name(via).unwrap_or_default();
    let listener = StdListener::bind_addr(&UnixAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    Ok((via, UnixListener::from_std(listener)?))
}

/// Names of listening sockets can be read in /proc/net/unix, so the user is checked too.
async fn accept_ours(listener: UnixListener) -> io::Result<UnixStream> {
    let ours = rustix::process::geteuid().as_raw();
    loop {
        let (socket, _) = listener.accept().await?;
        let theirs = socket.peer_cred()?.uid();
        // The supervisor connects the program's socket, so it is the supervisor's user.
        if theirs == ours {
            return Ok(socket);
        }
        tracing::warn!(user = theirs, "refused a connection of another user");
    }
}
