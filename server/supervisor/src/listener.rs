//! The seccomp listener: receiving notifications and answering them (seccomp_unotify(2)).
//!
//! Only the kernel's interface is here; what to answer is decided elsewhere. A notification is
//! received by one thread at a time (every waiter is woken by each, 6.6).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use crate::{call::Call, shared::Noted};

/// A listener of one filter; all processes that inherited the filter are behind it.
pub(crate) struct Listener {
    fd: OwnedFd,
    /// The kernel wakes us on the caller's CPU and tells us itself when all callers are gone.
    modern: bool,
}

/// What receiving gave.
pub(crate) enum Received {
    /// A thread waits.
    Call(Call),
    /// Nothing: it was interrupted, or its call was.
    Nothing,
    /// Every supervised process of this listener is gone.
    Closed,
}

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Continue,
    Number(i64),
    /// A positive errno, or one of the kernel's own restart codes.
    Errno(i32),
}

// linux/seccomp.h
const SYNC_WAKE_UP: u64 = 1;
const FLAG_CONTINUE: u32 = 1;
const ADDFD_FLAG_SETFD: u32 = 1;
const ADDFD_FLAG_SEND: u32 = 2;

impl Listener {
    /// Takes a descriptor over; `None` when it is no seccomp listener.
    pub fn new(fd: OwnedFd) -> Option<Listener> {
        let mut listener = Listener { fd, modern: false };
        // No notification has the cookie 0.
        if listener.id_valid(0) != Err(Errno::NOENT) {
            return None;
        }
        // SAFETY: takes its argument by value.
        let set = unsafe {
            libc::ioctl(
                listener.fd.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                SYNC_WAKE_UP,
            )
        };
        listener.modern = set == 0;
        Some(listener)
    }

    /// Waits for the next notification and lets the kernel write it to `place`.
    pub fn receive(&self, place: &mut Noted) -> Received {
        // Before 6.6 a receiver sleeps on when the last caller ends; poll tells.
        if !self.modern && self.hung_up(-1) {
            return Received::Closed;
        }
        match self.ioctl(libc::SECCOMP_IOCTL_NOTIF_RECV, place.notification()) {
            Ok(()) => Received::Call(place.call()),
            // ENOENT: the call was interrupted before it was received, or everybody is gone, and
            // then for ever.
            Err(Errno::NOENT) if self.hung_up(0) => Received::Closed,
            Err(Errno::NOENT | Errno::INTR) => Received::Nothing,
            Err(errno) => {
                tracing::error!(%errno, "could not receive from a seccomp listener");
                Received::Closed
            }
        }
    }

    /// Answers; `ENOENT` when the call is gone.
    pub fn reply(&self, id: u64, reply: Reply) -> Result<(), Errno> {
        let (val, error, flags) = match reply {
            Reply::Continue => (0, 0, FLAG_CONTINUE),
            Reply::Number(number) => (number, 0, 0),
            Reply::Errno(errno) => (0, -errno, 0),
        };
        let mut response = libc::seccomp_notif_resp {
            id,
            val,
            error,
            flags,
        };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response)
    }

    /// Puts a descriptor into the caller's table and answers with its number in one step (5.14),
    /// so an interrupted call leaves none behind.
    pub fn reply_fd(&self, id: u64, fd: BorrowedFd<'_>, cloexec: bool) -> Result<(), Errno> {
        let mut addfd = libc::seccomp_notif_addfd {
            id,
            flags: ADDFD_FLAG_SEND,
            srcfd: fd.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut addfd)
    }

    /// Puts a descriptor in the place of one of the caller's; the call still waits for its answer.
    pub fn replace_fd(
        &self,
        id: u64,
        fd: BorrowedFd<'_>,
        at: i32,
        cloexec: bool,
    ) -> Result<(), Errno> {
        let mut addfd = libc::seccomp_notif_addfd {
            id,
            flags: ADDFD_FLAG_SETFD,
            srcfd: fd.as_raw_fd() as u32,
            newfd: at as u32,
            newfd_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut addfd)
    }

    /// Whether the caller still waits for this answer.
    pub fn is_valid(&self, id: u64) -> bool {
        self.id_valid(id).is_ok()
    }

    fn id_valid(&self, mut id: u64) -> Result<(), Errno> {
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id)
    }

    /// Whether all callers are gone; with a timeout of -1, waits for a call or for that.
    fn hung_up(&self, timeout: i32) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::IN)];
        let now = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let _ = poll(&mut fds, (timeout == 0).then_some(&now));
        fds[0].revents().contains(PollFlags::HUP)
    }

    fn ioctl<T>(&self, request: libc::Ioctl, argument: &mut T) -> Result<(), Errno> {
        // SAFETY: each request is used with the structure whose size is in its number, and the
        // argument lives through the call.
        let done = unsafe { libc::ioctl(self.fd.as_raw_fd(), request, argument as *mut T) };
        if done >= 0 {
            return Ok(());
        }
        let error = std::io::Error::last_os_error();
        Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
