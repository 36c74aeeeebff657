//! Asks the kernel whether a socket exists (sock_diag(7)), without any privilege.
//!
//! The supervisor asks whether anything on this machine listens where a program wants to connect;
//! both sides ask whether the socket behind an entry of theirs is still there. One netlink socket
//! for each thread, one exchange of a few microseconds for each question.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `NETLINK_SOCK_DIAG`, `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST`, `NLMSG_ERROR` (linux/netlink.h).
const SOCK_DIAG: u32 = 4;
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
/// `struct nlmsghdr` and `struct inet_diag_req_v2` (linux/inet_diag.h).
const HEADER: usize = 16;
const QUESTION: usize = 56;
/// Offset of `idiag_state` and `idiag_cookie` in `struct inet_diag_msg`.
const STATE_AT: usize = HEADER + 1;
const COOKIE_AT: usize = HEADER + 4 + 4 + 32 + 4;

/// Transport protocol of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `IPPROTO_TCP`
    Tcp,
    /// `IPPROTO_UDP`
    Udp,
}

/// A socket that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Kernel's number of the TCP state; 10 is LISTEN.
    pub state: u8,
    /// `SO_COOKIE`.
    pub cookie: u64,
}

/// `TCP_LISTEN` (net/tcp_states.h).
const LISTEN: u8 = 10;

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
    Ok(found.is_some_and(|found| transport == Transport::Udp || found.state == LISTEN))
}

/// The socket with this local address and peer, as the kernel would find it for a packet: a
/// listener or an unconnected socket stands for any peer.
pub fn find(
    transport: Transport,
    local: SocketAddr,
    peer: SocketAddr,
) -> io::Result<Option<Found>> {
    thread_local! {
        static NETLINK: io::Result<OwnedFd> = open();
    }
    NETLINK.with(|socket| match socket {
        Ok(socket) => ask(socket, transport, local, peer),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    })
}

fn open() -> io::Result<OwnedFd> {
    let protocol = rustix::net::Protocol::from_raw(
        std::num::NonZeroU32::new(SOCK_DIAG).ok_or(io::ErrorKind::InvalidInput)?,
    );
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(protocol),
    )?;
    Ok(socket)
}

fn ask(
    socket: &OwnedFd,
    transport: Transport,
    local: SocketAddr,
    peer: SocketAddr,
) -> io::Result<Option<Found>> {
    let question = question(transport, local, peer);
    rustix::net::send(socket, &question, SendFlags::empty())?;
    let mut answer = [0u8; 1024];
    let (size, _) = rustix::net::recv(socket, &mut answer[..], RecvFlags::empty())?;
    let answer = &answer[..size];
    let short = || io::Error::other("the kernel's answer about a socket is too short");
    let kind = u16::from_ne_bytes(take(answer, 4).ok_or_else(short)?);
    if kind == ERROR {
        let errno = -i32::from_ne_bytes(take(answer, HEADER).ok_or_else(short)?);
        return match errno {
            libc::ENOENT => Ok(None),
            _ => Err(io::Error::from_raw_os_error(errno)),
        };
    }
    let state = *answer.get(STATE_AT).ok_or_else(short)?;
    let low = u32::from_ne_bytes(take(answer, COOKIE_AT).ok_or_else(short)?);
    let high = u32::from_ne_bytes(take(answer, COOKIE_AT + 4).ok_or_else(short)?);
    Ok(Some(Found {
        state,
        cookie: u64::from(high) << 32 | u64::from(low),
    }))
}

fn question(transport: Transport, local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + QUESTION);
    bytes.extend(((HEADER + QUESTION) as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    let (family, protocol) = (
        if local.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        },
        match transport {
            Transport::Tcp => libc::IPPROTO_TCP,
            Transport::Udp => libc::IPPROTO_UDP,
        },
    );
    bytes.extend([family as u8, protocol as u8, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    // udp_diag has source and destination the other way round ("for historical reasons").
    let (first, second) = match transport {
        Transport::Tcp => (local, peer),
        Transport::Udp => (peer, local),
    };
    bytes.extend(first.port().to_be_bytes());
    bytes.extend(second.port().to_be_bytes());
    bytes.extend(address(first.ip()));
    bytes.extend(address(second.ip()));
    bytes.extend([0; 4]);
    // INET_DIAG_NOCOOKIE: whatever socket it is.
    bytes.extend([0xff; 8]);
    bytes
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
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
