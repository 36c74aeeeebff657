//! UDP sockets that only wake the session when there is something to read. Tokio's own type is
//! registered for writing too, and so each datagram that the program took was a wake-up.

#![allow(unsafe_code)]

use std::io;
use std::net::UdpSocket;

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a non-blocking socket with the current runtime.
pub(super) fn register(socket: UdpSocket) -> io::Result<AsyncFd<UdpSocket>> {
    // SAFETY: a UdpSocket holds an open descriptor, always the same one, and closes it only when
    // it is dropped, which the AsyncFd does after it has taken it out of the event loop.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map_err(io::Error::from)
}
