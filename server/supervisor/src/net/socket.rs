//! A duplicate of one of the program's sockets, and what it is.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use mirrord_protocol::local::Loopback;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    io::Errno,
    net::{AddressFamily, SocketType, sockopt},
};

use super::raw;
use crate::{call::Cancelled, tracee::Tracee};

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// TCP, or MPTCP, which falls back to it over loopback.
    Tcp,
    /// UDP.
    Udp,
    /// A Unix stream socket.
    Unix,
}

/// The duplicate; shares everything but its descriptor with the program's.
pub(super) struct Socket {
    fd: OwnedFd,
    pub(super) kind: Kind,
    pub(super) ipv6: bool,
}

/// `IPPROTO_MPTCP`; libc does not name it on every target.
const MPTCP: u32 = 262;

impl Socket {
    /// Duplicates a descriptor of the caller if it is a socket that we know how to serve.
    pub(super) fn of(tracee: &Tracee, fd: u64) -> Option<Socket> {
        Socket::from_fd(tracee.dup_fd(fd as i32).ok()?)
    }

    pub(super) fn from_fd(fd: OwnedFd) -> Option<Socket> {
        let domain = sockopt::socket_domain(&fd).ok()?;
        let protocol = sockopt::socket_protocol(&fd)
            .ok()?
            .map_or(0, |p| p.as_raw().get());
        let inet = domain == AddressFamily::INET || domain == AddressFamily::INET6;
        let kind = match sockopt::socket_type(&fd).ok()? {
            SocketType::STREAM if domain == AddressFamily::UNIX => Kind::Unix,
            SocketType::STREAM if inet && [libc::IPPROTO_TCP as u32, MPTCP].contains(&protocol) => {
                Kind::Tcp
            }
            SocketType::DGRAM if inet && protocol == libc::IPPROTO_UDP as u32 => Kind::Udp,
            _ => return None,
        };
        Some(Socket {
            fd,
            kind,
            ipv6: domain == AddressFamily::INET6,
        })
    }

    /// Whether the program asked not to wait.
    pub(super) fn nonblocking(&self) -> bool {
        rustix::fs::fcntl_getfl(&self.fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
    }

    /// `SO_COOKIE`: the same for all descriptors of one socket, never used twice.
    pub(super) fn cookie(&self) -> Result<u64, Errno> {
        sockopt::socket_cookie(&self.fd)
    }

    /// The kernel's `getsockname` of an IP socket.
    pub(super) fn local(&self) -> Result<SocketAddr, Errno> {
        SocketAddr::try_from(rustix::net::getsockname(&self.fd)?)
    }

    /// The kernel's `getpeername` of an IP socket; `None` when it is not connected.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        rustix::net::getpeername(&self.fd)
            .ok()?
            .and_then(|peer| SocketAddr::try_from(peer).ok())
    }

    /// Whether a TCP socket is neither connecting nor connected nor listening, and has no error
    /// that the program has yet to hear of: only then does `connect` begin something.
    pub(super) fn is_fresh(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::empty())];
        let failed = poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
        .is_ok()
            && fds[0].revents().contains(PollFlags::ERR);
        raw::tcp_state(&self.fd) == Some(raw::TCP_CLOSE) && !failed
    }

    /// Which loopback this socket can be connected to instead of `to`. `None`: the kernel would
    /// not connect it to such an address either.
    pub(super) fn loopback(&self, to: SocketAddr) -> Option<Loopback> {
        let v6_only = || sockopt::ipv6_v6only(&self.fd).unwrap_or(false);
        match (self.ipv6, to) {
            (false, SocketAddr::V4(_)) => Some(Loopback::V4),
            (false, SocketAddr::V6(_)) => None,
            // UDP takes IPv4 addresses on IPv6 sockets, TCP does not (ipv6(7)).
            (true, SocketAddr::V4(_)) => {
                (self.kind == Kind::Udp && !v6_only()).then_some(Loopback::Mapped)
            }
            (true, SocketAddr::V6(v6)) if v6.ip().to_ipv4_mapped().is_some() => {
                (!v6_only()).then_some(Loopback::Mapped)
            }
            (true, SocketAddr::V6(_)) => Some(Loopback::V6),
        }
    }

    /// Gives the socket a local port if it has none, as the kernel would at the first use.
    pub(super) fn local_port(&self) -> Result<SocketAddr, Errno> {
        let local = self.local()?;
        if local.port() != 0 {
            return Ok(local);
        }
        rustix::net::bind(&self.fd, &SocketAddr::new(self.any(), 0))?;
        self.local()
    }

    /// The unspecified address of this socket's family.
    pub(super) fn any(&self) -> std::net::IpAddr {
        if self.ipv6 {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        }
    }

    /// Waits until one of `events` or the end of the time; false when the time ended.
    pub(super) fn wait(
        &self,
        events: PollFlags,
        cancelled: &Cancelled,
        until: Option<std::time::Instant>,
    ) -> Result<bool, Errno> {
        loop {
            let left = until.map(|at| at.saturating_duration_since(std::time::Instant::now()));
            let timeout = left.map(|left| Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            });
            let mut fds = [
                PollFd::new(&self.fd, events),
                PollFd::from_borrowed_fd(cancelled.fd(), PollFlags::IN),
            ];
            match poll(&mut fds, timeout.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
                Ok(0) => return Ok(false),
                Ok(_) if !fds[1].revents().is_empty() => return Err(Errno::INTR),
                Ok(_) => return Ok(true),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
