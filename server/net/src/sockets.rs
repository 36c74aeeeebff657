//! Whether a socket exists on this machine.
//!
//! The supervisor asks whether anything on this machine listens where a program wants to connect;
//! both sides ask whether the socket behind an entry of theirs is still there. One netlink socket
//! for each thread.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mirrord_sock_diag::Kernel;
pub use mirrord_sock_diag::{Found, Transport};

/// Whether a TCP listener or a UDP socket on this machine would receive what is sent to `to`.
pub fn is_served(transport: Transport, to: SocketAddr) -> io::Result<bool> {
    let nobody = SocketAddr::new(
        match to.ip() {
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        },
        0,
    );
    let found = find(transport, to, nobody)?;
    Ok(found.is_some_and(|found| transport == Transport::Udp || found.listens))
}

/// The socket with this local address and peer; see [`Kernel::find`].
pub fn find(
    transport: Transport,
    local: SocketAddr,
    peer: SocketAddr,
) -> io::Result<Option<Found>> {
    thread_local! {
        static KERNEL: io::Result<Kernel> = Kernel::open();
    }
    KERNEL.with(|kernel| match kernel {
        Ok(kernel) => kernel.find(transport, local, peer),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn listeners_are_found_until_they_are_closed() {
        for any in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let mut to = listener.local_addr().unwrap();
            to.set_ip(if any.starts_with('[') {
                IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
            } else {
                IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)
            });
            assert!(is_served(Transport::Tcp, to).unwrap(), "{any}");
            drop(listener);
            assert!(!is_served(Transport::Tcp, to).unwrap(), "{any}");
        }
    }

    #[test]
    fn a_connected_port_is_not_a_listener_but_its_socket_is_found_by_cookie() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let client = TcpStream::connect(server).unwrap();
        let local = client.local_addr().unwrap();
        assert!(!is_served(Transport::Tcp, local).unwrap());
        let found = find(Transport::Tcp, local, server).unwrap().unwrap();
        assert_eq!(
            found.cookie,
            rustix::net::sockopt::socket_cookie(&client).unwrap()
        );
    }

    #[test]
    fn udp_sockets_are_found() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        assert!(is_served(Transport::Udp, local).unwrap());
        let found = find(Transport::Udp, local, "127.0.0.1:9".parse().unwrap()).unwrap();
        let cookie = rustix::net::sockopt::socket_cookie(&socket).unwrap();
        assert_eq!(found.map(|found| found.cookie), Some(cookie));
        drop(socket);
        assert!(!is_served(Transport::Udp, local).unwrap());
    }
}
