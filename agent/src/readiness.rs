//! Waiting for a descriptor that tokio has no type for: the one place where tokio's registration, which is
//! unsafe for arbitrary types, is used with a type that keeps its promise.

use std::{io, net::UdpSocket, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a descriptor with the current runtime.
pub fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd holds an open descriptor, always the same one, and closes it only when
    // it is dropped, which the AsyncFd does after it has taken it out of the event loop.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}

/// Registers a non-blocking UDP socket that shall not wake the process for all that tokio's own
/// type registers it for.
pub fn register_udp(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    // SAFETY: a UdpSocket owns its descriptor as an OwnedFd does.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(io::Error::from)
}
