//! How the processes of a starting sandbox tell the starter that they are ready, or why not.
//!
//! They share one end of a `SOCK_SEQPACKET` pair as their standard input. The starter asks for
//! credentials (`SO_PASSCRED`, unix(7)), so the kernel itself tells it each sender's pid in the
//! starter's own pid namespace, which the sender does not know. When everybody is ready, the
//! starter says [`KEEP`]; if it is killed before that, the pod's first process sees the end of
//! the socket and takes the half-made sandbox with it.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags,
    Shutdown, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};

use crate::roles::Role;

const KEEP: &[u8] = b"keep";
const LONGEST: usize = 64 * 1024;

/// One message of a starting process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// This process does its work now.
    Ready(Ready),
    /// The sandbox cannot be; a sentence for the user.
    Failed(String),
}

/// What a process has to say when it is ready.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub role: Role,
    /// The descriptor under which the first process holds the client's network namespace.
    pub client_namespace: Option<i32>,
    /// The same for the service's.
    pub service_namespace: Option<i32>,
    pub ipv6: bool,
    pub user_namespace: bool,
}

impl Ready {
    pub(crate) fn of(role: Role) -> Self {
        Ready {
            role,
            client_namespace: None,
            service_namespace: None,
            ipv6: false,
            user_namespace: false,
        }
    }
}

/// The starter's end.
pub(crate) struct Reports {
    socket: OwnedFd,
}

impl Reports {
    /// The starter's end and the end for the sandbox's processes.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::sockopt::set_socket_passcred(&ours, true)?;
        Ok((Reports { socket: ours }, theirs))
    }

    /// The next report and its sender's pid; `None` when all processes are gone.
    /// `ErrorKind::TimedOut` when the deadline passed.
    pub(crate) fn next(&self, deadline: Instant) -> io::Result<Option<(Report, u32)>> {
        if !crate::process::readable_before(&self.socket, deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut bytes = vec![0; LONGEST];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            flags,
        )?;
        if received.bytes == 0 {
            return Ok(None);
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(io::Error::other("a report of the sandbox was too long"));
        }
        let sender = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
            _ => None,
        });
        let sender =
            sender.ok_or_else(|| io::Error::other("a report of the sandbox came without a pid"))?;
        Ok(Some((
            serde_json::from_slice(&bytes[..received.bytes])?,
            sender.as_raw_nonzero().get().unsigned_abs(),
        )))
    }

    /// Lets the sandbox live without the starter, and waits until its first process has let go of
    /// the socket and, before that, of the lock.
    pub(crate) fn keep(self, deadline: Instant) -> io::Result<()> {
        rustix::net::send(&self.socket, KEEP, SendFlags::NOSIGNAL)?;
        match self.next(deadline)? {
            None => Ok(()),
            Some((report, _)) => Err(io::Error::other(format!("it reported {report:?}"))),
        }
    }

    /// Takes the sandbox back and waits until its processes are gone; false if they stay.
    pub(crate) fn give_up(self, deadline: Instant) -> io::Result<bool> {
        rustix::net::shutdown(&self.socket, Shutdown::Write)?;
        loop {
            match self.next(deadline) {
                Ok(None) => return Ok(true),
                Ok(Some(_)) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Sends a report from a process of the sandbox, whose standard input is the socket.
pub(crate) fn send(report: &Report) -> io::Result<()> {
    let bytes = serde_json::to_vec(report)?;
    rustix::net::send(io::stdin().as_fd(), &bytes, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Says that this process is ready, and gives its standard input up.
pub(crate) fn ready(ready: Ready) -> io::Result<()> {
    send(&Report::Ready(ready))?;
    leave()
}

/// Replaces the standard input by `/dev/null`.
pub(crate) fn leave() -> io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    crate::fork::replace(libc::STDIN_FILENO, &null)
}

/// Lets go of the lock on the sandbox's folder, which the first process has as its standard output.
pub(crate) fn unlock() -> io::Result<()> {
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    crate::fork::replace(libc::STDOUT_FILENO, &null)
}

/// Reads the starter's word in the first process: true for "keep".
pub(crate) fn kept() -> io::Result<bool> {
    let mut bytes = [0; 16];
    let (length, _) = rustix::net::recv(io::stdin().as_fd(), &mut bytes[..], RecvFlags::empty())?;
    Ok(&bytes[..length] == KEEP)
}
