//! Waiting for a descriptor that is no socket: the one place where tokio's registration, which is
//! unsafe for arbitrary types, is used with a type that keeps its promise.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a descriptor with the current runtime.
pub fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd holds an open descriptor, always the same one, and closes it only when
    // it is dropped, which the AsyncFd does after it has taken it out of the event loop.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}
