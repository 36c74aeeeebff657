//! Refusals of connected UDP sockets: an ICMP message in the pod becomes the error of the
//! program's socket here.
//!
//! No call puts an error into a socket, but the kernel does when a datagram is refused. So the
//! socket is connected to a port of this machine that refuses, sends an empty datagram there, and
//! is connected back. For that moment it hears nothing of its peer, which has just said that it is
//! not there.

use std::{
    collections::HashMap,
    fs, io,
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

/// Connected UDP sockets, by cookie.
#[derive(Default)]
pub(super) struct Refusable {
    seen: Mutex<HashMap<u64, Seen>>,
}

/// Where a socket was last seen.
#[derive(Clone, Copy)]
struct Seen {
    tgid: i32,
    fd: i32,
    /// The number by which `/proc/PID/fd` names it.
    inode: u64,
}

impl Refusable {
    /// Connects a socket, not while it shows a refusal.
    pub(super) fn connect(&self, socket: &Socket, via: SocketAddr) -> Result<(), Errno> {
        let _seen = lock(&self.seen);
        rustix::net::connect(socket, &via)
    }

    /// A socket of this process is connected.
    pub(super) fn enter(&self, socket: &Socket, tgid: Result<i32, Errno>, fd: i32) {
        let (Ok(cookie), Ok(tgid), Ok(stat)) = (socket.cookie(), tgid, rustix::fs::fstat(socket))
        else {
            return;
        };
        let mut seen = lock(&self.seen);
        if seen.len() >= MOST {
            seen.retain(|cookie, at| find(*cookie, at.tgid, at.fd).is_some());
        }
        let inode = stat.st_ino;
        seen.insert(cookie, Seen { tgid, fd, inode });
    }

    fn refuse(&self, cookie: u64) -> Result<(), Errno> {
        // Held throughout: of two at once the second would take the refusing port for the peer.
        let mut seen = lock(&self.seen);
        let Some(at) = seen.get_mut(&cookie) else {
            return Ok(());
        };
        let there = find(cookie, at.tgid, at.fd);
        let Some(socket) = there.or_else(|| find_copy(cookie, at)) else {
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

/// The socket by another descriptor, which is remembered: the one that it was connected with is
/// closed, and a copy (dup(2), fork(2), unix(7)) lives in some process. Looks through `/proc`, which
/// takes milliseconds; of processes that are not ours to look at it shows nothing.
fn find_copy(cookie: u64, at: &mut Seen) -> Option<Socket> {
    let name = format!("socket:[{}]", at.inode);
    let number = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<i32>().ok();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(tgid) = number(&process) else {
            continue;
        };
        // It may end meanwhile.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            let leads_there = || fs::read_link(descriptor.path()).ok();
            if let Some(fd) = number(&descriptor)
                && leads_there().is_some_and(|link| link.as_os_str() == name.as_str())
                && let Some(socket) = find(cookie, tgid, fd)
            {
                (at.tgid, at.fd) = (tgid, fd);
                return Some(socket);
            }
        }
    }
    None
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
