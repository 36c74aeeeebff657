//! Listening where somebody else on this machine was quicker.
//!
//! With `SO_REUSEADDR` two programs can bind one port, and only the first to listen gets it. When
//! that is one of this machine's and not of this session, ours listens on another port and sees
//! the one that it asked for, as when `bind` finds the port taken. The kernel has no way to bind a
//! socket twice, so the program's descriptor gets a fresh socket with the same options.

use std::{net::SocketAddr, os::fd::OwnedFd};

use mirrord_net::{
    peers,
    sockets::{self, Transport},
};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType},
};

use super::{State, bind, lock, raw, socket::Socket};
use crate::{call::Value, tracee::Tracee};

/// So many cookies of listening sockets are kept; sockets are closed without our hearing of it.
const KEPT: usize = 4096;

impl State {
    /// Listens with a bound socket, or with another one in its place; the one that listens, its
    /// address, and what the call returns.
    pub(super) fn listen(
        &self,
        socket: Socket,
        local: SocketAddr,
        backlog: i32,
        fd: u64,
        tracee: &Tracee,
    ) -> Result<(Socket, SocketAddr, Value), Errno> {
        match rustix::net::listen(&socket, backlog) {
            Ok(()) => {
                self.listens(&socket)?;
                return Ok((socket, local, Value::Number(0)));
            }
            Err(Errno::ADDRINUSE) if !self.listens_here(local, &socket) => {}
            Err(errno) => return Err(errno),
        }
        let asked = self.asked_address(&socket, local);
        let at = fd as i32;
        let cloexec = tracee.closes_on_exec(at)?;
        let fresh = fresh(&socket)?;
        self.unbound(&socket, local, asked)?;
        self.bind(&fresh, asked)?;
        rustix::net::listen(&fresh, backlog)?;
        self.listens(&fresh)?;
        let local = fresh.local()?;
        let fd = rustix::io::fcntl_dupfd_cloexec(&fresh, 0)?;
        Ok((fresh, local, Value::Replace { fd, at, cloexec }))
    }

    fn listens(&self, socket: &Socket) -> Result<(), Errno> {
        let cookie = socket.cookie()?;
        let mut listening = lock(&self.listening);
        if listening.len() >= KEPT {
            listening.clear();
        }
        listening.insert(cookie);
        Ok(())
    }

    /// Whether who listens at an address is of this session: then its programs meet as they would
    /// in the pod.
    fn listens_here(&self, local: SocketAddr, socket: &Socket) -> bool {
        let nobody = SocketAddr::new(socket.any(), 0);
        match sockets::find(Transport::Tcp, bind::as_peer_names_it(local), nobody) {
            Ok(Some(found)) => {
                // Entries outlive a worker that crashed.
                let entry = self
                    .peers
                    .find_tagged(peers::Kind::Bound, bind::key(socket, local));
                let bound = |any| bind::tag(found.cookie, any);
                lock(&self.listening).contains(&found.cookie)
                    || entry.is_some_and(|(_, tag)| tag == bound(false) || tag == bound(true))
            }
            // Not at loopback, or gone again.
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "could not ask for who listens (sock_diag)");
                true
            }
        }
    }

    /// Forgets that a socket has a port.
    fn unbound(&self, socket: &Socket, local: SocketAddr, asked: SocketAddr) -> Result<(), Errno> {
        let cookie = socket.cookie()?;
        let mut table = lock(&self.asked);
        let key = bind::Asked::of(socket, asked);
        if table.get(&key).is_some_and(|bound| bound.cookie == cookie) {
            table.remove(&key);
        }
        drop(table);
        let kind = peers::Kind::Bound;
        let key = bind::key(socket, local);
        self.peers.remove(kind, key, bind::tag(cookie, false));
        Ok(())
    }
}

/// An unbound socket that is otherwise as this one.
fn fresh(socket: &Socket) -> Result<Socket, Errno> {
    let family = if socket.ipv6 {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let mut flags = SocketFlags::CLOEXEC;
    if socket.nonblocking() {
        flags |= SocketFlags::NONBLOCK;
    }
    let protocol = rustix::net::sockopt::socket_protocol(socket)?;
    let made: OwnedFd = rustix::net::socket_with(family, SocketType::STREAM, flags, protocol)?;
    raw::copy_options(socket, &made);
    Socket::from_fd(made).ok_or(Errno::ADDRINUSE)
}
