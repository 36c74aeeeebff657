//! Refusals of connected UDP sockets: an ICMP message in the pod becomes the error of the
//! program's socket here.
//!
//! No call puts an error into a socket, but the kernel does when a datagram is refused. So the
//! socket is connected to a port of this machine that refuses, sends an empty datagram there, and
//! is connected back. For that moment it hears nothing of its peer, which has just said that it is
//! not there.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, Weak, mpsc},
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::SendFlags,
};

use super::{
    State, lock,
    socket::{Kind, Socket},
};
use crate::tracee::Tracee;

/// Refusals that may wait; of more, programs hear at the next one.
const QUEUE: usize = 64;
/// Sockets that are remembered; those that are gone are forgotten at this number.
const MOST: usize = 4096;
/// Refusing takes the kernel microseconds. A program that waits for its peer takes the error away
/// at once, and then this time passes.
const WITHIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 2_000_000,
};

/// Where connected UDP sockets were last seen: process and descriptor, by cookie.
#[derive(Default)]
pub(super) struct Refusable {
    seen: Mutex<HashMap<u64, (i32, i32)>>,
}

impl Refusable {
    /// Connects a socket, not while it shows a refusal.
    pub(super) fn connect(&self, socket: &Socket, via: SocketAddr) -> Result<(), Errno> {
        let _seen = lock(&self.seen);
        rustix::net::connect(socket, &via)
    }

    /// A socket of this process is connected.
    pub(super) fn enter(&self, socket: &Socket, tgid: Result<i32, Errno>, fd: i32) {
        let (Ok(cookie), Ok(tgid)) = (socket.cookie(), tgid) else {
            return;
        };
        let mut seen = lock(&self.seen);
        if seen.len() >= MOST {
            seen.retain(|cookie, (tgid, fd)| find(*cookie, *tgid, *fd).is_some());
        }
        seen.insert(cookie, (tgid, fd));
    }

    fn refuse(&self, cookie: u64) -> Result<(), Errno> {
        // Held throughout: of two at once the second would take the refusing port for the peer.
        let mut seen = lock(&self.seen);
        let Some(&(tgid, fd)) = seen.get(&cookie) else {
            return Ok(());
        };
        let Some(socket) = find(cookie, tgid, fd) else {
            seen.remove(&cookie);
            return Ok(());
        };
        match socket.peer() {
            Some(via) => show(&socket, via),
            None => Ok(()),
        }
    }
}

/// Begins to act on the session's word.
pub(super) fn start(state: &Arc<State>) -> io::Result<()> {
    let (refused_tx, refused_rx) = mpsc::sync_channel(QUEUE);
    // One for each link.
    if state.session.refused_tx.set(refused_tx).is_err() {
        return Ok(());
    }
    let state: Weak<State> = Arc::downgrade(state);
    thread::Builder::new()
        .name("refusals".into())
        .stack_size(128 * 1024)
        .spawn(move || {
            while let Ok(cookie) = refused_rx.recv() {
                let Some(state) = state.upgrade() else { return };
                if let Err(errno) = state.refusable.refuse(cookie) {
                    tracing::debug!(%errno, "a refused datagram could not be shown");
                }
            }
        })
        .map(drop)
}

/// The socket, if the descriptor still is it.
fn find(cookie: u64, tgid: i32, fd: i32) -> Option<Socket> {
    let socket = Socket::of(&Tracee::of_thread(tgid), fd as u64)?;
    (socket.kind == Kind::Udp && socket.cookie() == Ok(cookie)).then_some(socket)
}

/// Gives a socket that is connected to `via` the error ECONNREFUSED.
fn show(socket: &Socket, via: SocketAddr) -> Result<(), Errno> {
    let failed = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let deaf = match via.ip().to_canonical() {
        std::net::IpAddr::V4(_) => UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)),
        std::net::IpAddr::V6(_) => UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)),
    };
    let deaf = deaf.map_err(failed)?;
    let mut refusing = deaf.local_addr().map_err(failed)?;
    // Connected to itself it takes datagrams from nobody else, and the port is nobody else's.
    deaf.connect(refusing).map_err(failed)?;
    if let (SocketAddr::V6(_), SocketAddr::V4(four)) = (via, refusing) {
        refusing.set_ip(four.ip().to_ipv6_mapped().into());
    }
    rustix::net::connect(socket, &refusing)?;
    let sent = send_nothing(socket);
    let mut fds = [PollFd::new(socket, PollFlags::empty())];
    let shown = sent.and_then(|()| poll(&mut fds, Some(&WITHIN)).map(drop));
    // Unless the program was quick and has connected it elsewhere.
    if socket.peer() == Some(refusing) {
        rustix::net::connect(socket, &via)?;
    }
    shown
}

fn send_nothing(socket: &Socket) -> Result<(), Errno> {
    let send = || rustix::net::send(socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    match send() {
        // An earlier refusal, which the program has not asked about yet.
        Err(Errno::CONNREFUSED) => send().map(drop),
        sent => sent.map(drop),
    }
}
