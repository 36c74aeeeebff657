//! The sockets that taken connections arrive at: one for each address family.
//!
//! A single socket of one family would not do: the kernel does not give an IPv6 connection to an
//! IPv4 socket, and it would go to the pod in silence. A family that the pod has switched off
//! has no socket and no clients.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket};

/// As many as the kernel allows (`net.core.somaxconn` caps it): a client that meets a full queue
/// waits a second for its next try.
const BACKLOG: u32 = 4096;

/// The listening sockets.
#[derive(Clone)]
pub(crate) struct Listeners {
    /// For IPv4 clients.
    pub(crate) v4: Option<Arc<TcpListener>>,
    /// For IPv6 clients.
    pub(crate) v6: Option<Arc<TcpListener>>,
}

impl Listeners {
    /// On loopback only, any port: nobody outside can call them directly.
    pub(crate) fn on_loopback() -> io::Result<Listeners> {
        Self::both(
            listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            listen(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
        )
    }

    /// On every address with the same port in both families, as a redirect rule needs it: it
    /// keeps the connection on the address of the interface that it came by.
    pub(crate) fn on_any_address() -> io::Result<Listeners> {
        let mut last = None;
        // The port that one family got may be in use in the other one.
        for _ in 0..8 {
            let v4 = listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
            let port = match &v4 {
                Ok(socket) => socket.local_addr()?.port(),
                Err(_) => 0,
            };
            let v6 = listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
            match &v6 {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = v6.err(),
                _ => return Self::both(v4, v6),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrInUse)))
    }

    /// The port, for listeners that share one.
    pub(crate) fn port(&self) -> io::Result<u16> {
        let any = self.v4.as_ref().or(self.v6.as_ref());
        let socket = any.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok(socket.local_addr()?.port())
    }

    /// Both, for whoever accepts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<TcpListener>> {
        self.v4.iter().chain(&self.v6)
    }

    fn both(v4: io::Result<TcpListener>, v6: io::Result<TcpListener>) -> io::Result<Listeners> {
        Ok(match (v4, v6) {
            (Err(error), Err(_)) => {
                return Err(io::Error::new(
                    error.kind(),
                    format!("could not listen in the target's network namespace: {error}"),
                ));
            }
            (v4, v6) => Listeners {
                v4: v4.ok().map(Arc::new),
                v6: v6.ok().map(Arc::new),
            },
        })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        sockopt::set_ipv6_v6only(&socket, true)?;
        socket
    };
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
