//! A connection that stays pending until we say so, for programs that must not wait.
//!
//! The program's non-blocking socket is connected to a listener whose backlog is full: its SYN is
//! dropped, so the program has EINPROGRESS and a silent epoll. When the pod's connection stands,
//! a socket bound to the same address (SO_REUSEPORT) connects *to the program's socket*: a
//! simultaneous open (RFC 9293, 3.5), which completes the program's connect within microseconds.
//! When the pod refused, the listener is closed and the address refuses like any closed port.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::{TcpSocket, TcpStream};

/// Simultaneous open is one exchange inside this machine.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// A loopback address that neither accepts nor refuses.
pub(super) struct Pending {
    via: SocketAddr,
    /// Only there to be full.
    _listener: OwnedFd,
    /// The connection that fills it.
    _filler: OwnedFd,
}

impl Pending {
    /// Makes one on `loopback` (a port of the kernel's choice).
    pub(super) fn new(loopback: SocketAddr) -> io::Result<Self> {
        let listener = socket(loopback)?;
        sockopt::set_socket_reuseport(&listener, true)?;
        rustix::net::bind(&listener, &loopback)?;
        // A backlog of zero holds one connection (`sk_acceptq_is_full` compares with >).
        rustix::net::listen(&listener, 0)?;
        let via = SocketAddr::try_from(rustix::net::getsockname(&listener)?)?;
        let filler = socket(loopback)?;
        rustix::net::connect(&filler, &via)?;
        // The filler's handshake must have arrived before anybody else may knock; over loopback
        // it has, unless the kernel put its soft interrupts off.
        let mut ready = [PollFd::new(&listener, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        if poll(&mut ready, Some(&timeout))? == 0 {
            return Err(io::Error::other(
                "a loopback connection did not come through",
            ));
        }
        Ok(Pending {
            via,
            _listener: listener,
            _filler: filler,
        })
    }

    /// What the program's socket is to be connected to.
    pub(super) fn via(&self) -> SocketAddr {
        self.via
    }

    /// Lets the program's pending connect succeed; our end of the connection.
    pub(super) async fn complete(self, program: SocketAddr) -> io::Result<TcpStream> {
        let socket = if program.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseport(true)?;
        socket.bind(self.via)?;
        tokio::time::timeout(OPEN_WITHIN, socket.connect(program)).await?
    }
}

fn socket(loopback: SocketAddr) -> io::Result<OwnedFd> {
    let family = if loopback.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    Ok(rustix::net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    fn knock(via: SocketAddr) -> OwnedFd {
        let socket = socket(via).unwrap();
        rustix::io::ioctl_fionbio(&socket, true).unwrap();
        let error = rustix::net::connect(&socket, &via).unwrap_err();
        assert_eq!(error, rustix::io::Errno::INPROGRESS);
        socket
    }

    fn events(socket: &OwnedFd, within_ms: i64) -> PollFlags {
        let mut fds = [PollFd::new(socket, PollFlags::IN | PollFlags::OUT)];
        let timeout = Timespec {
            tv_sec: within_ms / 1000,
            tv_nsec: within_ms % 1000 * 1_000_000,
        };
        poll(&mut fds, Some(&timeout)).unwrap();
        fds[0].revents()
    }

    #[tokio::test]
    async fn it_is_pending_until_completed_and_then_carries_bytes() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let pending = Pending::new(loopback.parse().unwrap()).unwrap();
            let via = pending.via();
            let program = knock(via);
            assert_eq!(events(&program, 100), PollFlags::empty());
            let name = rustix::net::getsockname(&program).unwrap();
            let ours = pending
                .complete(SocketAddr::try_from(name).unwrap())
                .await
                .unwrap();
            assert_eq!(events(&program, 1000), PollFlags::OUT);
            assert_eq!(sockopt::socket_error(program.as_fd()).unwrap(), Ok(()));
            assert_eq!(ours.local_addr().unwrap(), via);
            ours.try_write(b"hello").unwrap();
            let mut buffer = [0; 5];
            events(&program, 1000);
            rustix::io::read(&program, &mut buffer).unwrap();
            assert_eq!(&buffer, b"hello");
        }
    }

    #[test]
    fn dropping_it_refuses_the_program() {
        let pending = Pending::new("127.0.0.1:0".parse().unwrap()).unwrap();
        let program = knock(pending.via());
        drop(pending);
        assert!(events(&program, 3000).contains(PollFlags::ERR));
        let error = sockopt::socket_error(&program).unwrap();
        assert_eq!(error, Err(rustix::io::Errno::CONNREFUSED));
    }
}
