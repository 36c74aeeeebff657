//! Asks the kernel about sockets (sock_diag(7)), without any privilege: one exchange of a few
//! microseconds for each question.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `NETLINK_SOCK_DIAG`, `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST`, `NLM_F_DUMP`, `NLMSG_ERROR`
/// (linux/netlink.h, linux/sock_diag.h).
const SOCK_DIAG: u32 = 4;
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
/// `struct nlmsghdr` and `struct inet_diag_req_v2` (linux/inet_diag.h).
const HEADER: usize = 16;
const QUESTION: usize = 56;
/// Offsets of `idiag_state`, `idiag_cookie` and `idiag_inode` in `struct inet_diag_msg`.
const STATE_AT: usize = HEADER + 1;
const COOKIE_AT: usize = HEADER + 4 + 4 + 32 + 4;
const INODE_AT: usize = HEADER + 68;
/// `TCP_LISTEN` (net/tcp_states.h).
const LISTEN: u8 = 10;

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
    /// It listens: the kernel answers with a listener where there is no connection.
    pub listens: bool,
    /// `SO_COOKIE`.
    pub cookie: u64,
    /// Its number in sockfs; zero when no process has it any more.
    pub inode: u32,
}

/// A netlink socket. It asks about the network namespace that it was made in, wherever its process
/// goes afterwards. One question at a time.
#[derive(Debug)]
pub struct Kernel(OwnedFd);

impl Kernel {
    /// In this thread's network namespace.
    ///
    /// # Errors
    /// The socket's (socket(2)).
    pub fn open() -> io::Result<Kernel> {
        let protocol = NonZeroU32::new(SOCK_DIAG).map(Protocol::from_raw);
        Ok(Kernel(rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?))
    }

    /// Whether it knows about TCP over IPv4 at all (its module `tcp_diag`): without that no socket
    /// could be found.
    ///
    /// # Errors
    /// The kernel's answer when it does not.
    pub fn check(&self) -> io::Result<()> {
        // Asked for all sockets of no state at all, it says "none".
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        let asked = question(Transport::Tcp, nobody, nobody, REQUEST | DUMP, 0);
        match errno(self.ask(&asked, &mut [0; 1024])?)? {
            None => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// The socket with this local address and peer, as the kernel would find it for a packet: a
    /// listener or an unconnected socket stands for any peer.
    ///
    /// # Errors
    /// The kernel's answer, unless it is that there is none.
    pub fn find(
        &self,
        transport: Transport,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> io::Result<Option<Found>> {
        let mut answer = [0; 1024];
        let asked = question(transport, local, peer, REQUEST, u32::MAX);
        let answer = self.ask(&asked, &mut answer)?;
        match errno(answer)? {
            Some(libc::ENOENT) => return Ok(None),
            Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
            None => {}
        }
        let word = |at| take(answer, at).map(u32::from_ne_bytes).ok_or_else(short);
        Ok(Some(Found {
            listens: transport == Transport::Tcp
                && *answer.get(STATE_AT).ok_or_else(short)? == LISTEN,
            cookie: u64::from(word(COOKIE_AT + 4)?) << 32 | u64::from(word(COOKIE_AT)?),
            inode: word(INODE_AT)?,
        }))
    }

    fn ask<'a>(&self, question: &[u8], answer: &'a mut [u8; 1024]) -> io::Result<&'a [u8]> {
        rustix::net::send(&self.0, question, SendFlags::empty())?;
        let (size, _) = rustix::net::recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        Ok(&answer[..size])
    }
}

/// The errno of an answer that is an error.
fn errno(answer: &[u8]) -> io::Result<Option<i32>> {
    let kind = u16::from_ne_bytes(take(answer, 4).ok_or_else(short)?);
    if kind != ERROR {
        return Ok(None);
    }
    let errno = i32::from_ne_bytes(take(answer, HEADER).ok_or_else(short)?);
    Ok(Some(-errno))
}

fn short() -> io::Error {
    io::Error::other("the kernel's answer about a socket is too short")
}

fn question(
    transport: Transport,
    local: SocketAddr,
    peer: SocketAddr,
    flags: u16,
    states: u32,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + QUESTION);
    bytes.extend(((HEADER + QUESTION) as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    let family = match local {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // udp_diag has source and destination the other way round ("for historical reasons").
    let (protocol, first, second) = match transport {
        Transport::Tcp => (libc::IPPROTO_TCP, local, peer),
        Transport::Udp => (libc::IPPROTO_UDP, peer, local),
    };
    bytes.extend([family as u8, protocol as u8, 0, 0]);
    bytes.extend(states.to_ne_bytes());
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
