//! A client of the hand-over socket, from its connection to its listener.
//!
//! First it asks to be admitted: by its user and by the launch's token. Only then does it put the
//! filter on, which it could never take off again, and sends the listener. Every step is taken
//! without waiting, so that a client that says nothing keeps nobody else out.

use std::{
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use mirrord_filter::{
    environment::Token,
    hand_over::{self, ACCEPTED, ADMITTED, REFUSED, REQUEST},
};
use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, accept_with,
        recvmsg, send, sockopt,
    },
};

use crate::listener::Listener;

/// So long a client may take for all its steps.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// So many may be on their way at a time; further ones wait in the socket's queue.
pub(crate) const MOST: usize = 64;

/// A client.
pub(crate) struct Joining {
    socket: OwnedFd,
    /// Its process.
    pub pid: i32,
    admitted: bool,
    since: Instant,
}

/// How far a client has come.
pub(crate) enum Progress {
    /// The next step is its own.
    Waits,
    /// It is gone, or was refused.
    Over,
    /// It has given its listener.
    Listener(OwnedFd),
}

impl Joining {
    /// Takes a client of the right user.
    pub fn accept(hand_over: impl AsFd, owner: u32) -> Option<Joining> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = accept_with(hand_over, flags).ok()?;
        let peer = sockopt::socket_peercred(&socket).ok()?;
        if peer.uid.as_raw() != owner && !peer.uid.is_root() {
            tracing::warn!(
                uid = peer.uid.as_raw(),
                "refused a hand-over from another user"
            );
            let _ = send(&socket, &[REFUSED], SendFlags::NOSIGNAL);
            return None;
        }
        Some(Joining {
            socket,
            pid: peer.pid.as_raw_nonzero().get(),
            admitted: false,
            since: Instant::now(),
        })
    }

    /// How long it may still take.
    pub fn time_left(&self) -> Duration {
        PATIENCE.saturating_sub(self.since.elapsed())
    }

    /// Takes the next step, when the client has said something.
    pub fn advance(&mut self, token: Option<&Token>) -> Progress {
        let step = match self.admitted {
            false => self.admit(token),
            true => self.take_listener(),
        };
        match step {
            Ok(progress) => progress,
            Err(Errno::AGAIN | Errno::INTR) => Progress::Waits,
            Err(errno) => {
                tracing::warn!(%errno, pid = self.pid, "a program did not join");
                Progress::Over
            }
        }
    }

    /// Its listener is served.
    pub fn accepted(&self) {
        // A client that is gone by now is noticed by its listener.
        let _ = send(&self.socket, &[ACCEPTED], SendFlags::NOSIGNAL);
    }

    fn admit(&mut self, token: Option<&Token>) -> Result<Progress, Errno> {
        // The request is one write, and such come whole (unix(7)).
        let mut request = [0; REQUEST];
        let (read, _) = rustix::net::recv(&self.socket, &mut request, RecvFlags::empty())?;
        let admitted = match (hand_over::asked(&request[..read]), token) {
            (Some(Some(shown)), Some(token)) => token.is(&shown),
            // Without terms the session starts its program itself.
            (Some(_), None) => true,
            (Some(None), Some(_)) | (None, _) => false,
        };
        let answer = if admitted { ADMITTED } else { REFUSED };
        send(&self.socket, &[answer], SendFlags::NOSIGNAL)?;
        self.admitted = admitted;
        if !admitted && read > 0 {
            tracing::warn!(
                pid = self.pid,
                "refused a program with another launch's token"
            );
        }
        Ok(if admitted {
            Progress::Waits
        } else {
            Progress::Over
        })
    }

    fn take_listener(&mut self) -> Result<Progress, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut parts = [IoSliceMut::new(&mut byte)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let message = recvmsg(&self.socket, &mut parts, &mut ancillary, flags)?;
        if message.bytes == 0 {
            return Ok(Progress::Over);
        }
        let mut fd = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                fd = fd.or(fds.last());
            }
        }
        // Asking it something only a listener answers.
        let fd = fd.ok_or(Errno::BADMSG)?;
        let copy = fd.try_clone().map_err(|_| Errno::MFILE)?;
        if Listener::new(copy).is_none() {
            return Err(Errno::NOTTY);
        }
        Ok(Progress::Listener(fd))
    }
}

impl AsFd for Joining {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
