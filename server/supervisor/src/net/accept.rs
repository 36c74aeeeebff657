//! `accept(2)` with room for an address: the real client's.
//!
//! Only listeners that a program bound under our eyes come into question; the kernel answers for
//! all others. The connection is accepted on a duplicate of the listener and its descriptor put
//! into the program.

use std::{net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use mirrord_net::peers;
use rustix::{
    event::PollFlags,
    io::Errno,
    net::{SocketFlags, sockopt},
};

use super::{
    State,
    address::{Room, bytes_of, fails},
    datagram::deadline,
    lock, raw,
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan, Value},
    tracee::Tracee,
};

/// Another process may take the connection between our poll and our accept; then accept would
/// wait for the next one and nobody could end it.
const TRY: Duration = Duration::from_millis(20);

struct Accept {
    state: Arc<State>,
    listener: Socket,
    cookie: u64,
    room: Room,
    flags: SocketFlags,
}

pub(super) fn plan(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, address, length, flags, ..] = call.args;
    let Some(listener) = Socket::of(tracee, fd).filter(|socket| socket.kind == Kind::Tcp) else {
        return Plan::Continue;
    };
    let Ok(local) = listener.local() else {
        return Plan::Continue;
    };
    if !state.is_bound_here(&listener, local) {
        return Plan::Continue;
    }
    let flags = if call.nr == libc::SYS_accept4 {
        flags as u32
    } else {
        0
    };
    let known = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Some(flags) = SocketFlags::from_bits(flags).filter(|flags| known.contains(*flags)) else {
        return Plan::Continue;
    };
    let room = match Room::read(tracee, address, length) {
        Ok(room) => room,
        // The kernel takes the connection first and fails then; so does the plain call.
        Err(_) => return Plan::Continue,
    };
    let Ok(cookie) = listener.cookie() else {
        return Plan::Continue;
    };
    let waits = !listener.nonblocking();
    let accept = Accept {
        state: state.clone(),
        listener,
        cookie,
        room,
        flags,
    };
    match accept.now() {
        Err(Errno::AGAIN) if waits => {
            let work = Box::new(move |cancelled: &Cancelled| {
                accept.patiently(cancelled).unwrap_or_else(failed)
            });
            Plan::Blocking {
                interrupt: Interrupt::BySignalFlags,
                work,
            }
        }
        Err(errno) => fails(errno),
        Ok(outcome) => Plan::Done(outcome),
    }
}

impl Accept {
    /// Takes a connection that is there.
    fn now(&self) -> Result<Outcome, Errno> {
        let kept = lock(&self.state.stash)
            .get_mut(&self.cookie)
            .and_then(Vec::pop);
        let connection = match kept {
            Some(connection) => connection,
            None => self.accept()?,
        };
        let client = rustix::net::getpeername(&connection)
            .ok()
            .flatten()
            .and_then(|peer| SocketAddr::try_from(peer).ok());
        let outcome = self.deliver(connection)?;
        let Some(client) = client else {
            // The client is gone already; the kernel would show the address that it had.
            let any = SocketAddr::new(self.listener.any(), 0);
            return Ok(self.room.fill(outcome, bytes_of(any, self.listener.ipv6)));
        };
        let real = self
            .state
            .peers
            .lookup(client)
            .map_or(client, |pair| pair.client);
        Ok(self.room.fill(outcome, bytes_of(real, self.listener.ipv6)))
    }

    fn accept(&self) -> Result<OwnedFd, Errno> {
        let flags = self.flags | SocketFlags::CLOEXEC;
        let mut ready = [rustix::event::PollFd::new(&self.listener, PollFlags::IN)];
        let at_once = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if rustix::event::poll(&mut ready, Some(&at_once))? == 0 {
            return Err(Errno::AGAIN);
        }
        match raw::limited(TRY, || rustix::net::accept_with(&self.listener, flags)) {
            Err(Errno::INTR) => Err(Errno::AGAIN),
            result => result,
        }
    }

    /// Puts the connection into the program; if the program is not there any more, the next
    /// accept on this listener gets it.
    fn deliver(&self, connection: OwnedFd) -> Result<Outcome, Errno> {
        let kept = rustix::io::fcntl_dupfd_cloexec(&connection, 0)?;
        let (state, cookie) = (self.state.clone(), self.cookie);
        Ok(Outcome {
            value: Value::Fd {
                fd: connection,
                cloexec: self.flags.contains(SocketFlags::CLOEXEC),
            },
            delivered: Some(Box::new(move |delivered| {
                if !delivered {
                    lock(&state.stash).entry(cookie).or_default().push(kept);
                }
            })),
            ..Outcome::default()
        })
    }

    fn patiently(&self, cancelled: &Cancelled) -> Result<Outcome, Errno> {
        let until = deadline(&self.listener, sockopt::Timeout::Recv);
        loop {
            match self.now() {
                Err(Errno::AGAIN) => {
                    if !self.listener.wait(PollFlags::IN, cancelled, until)? {
                        return Err(Errno::AGAIN);
                    }
                }
                result => return result,
            }
        }
    }
}

impl State {
    /// Whether a socket with this address was bound by a program of this session.
    fn is_bound_here(&self, listener: &Socket, local: SocketAddr) -> bool {
        self.peers
            .find(peers::Kind::Bound, super::bind::key(listener, local))
            .is_some()
    }
}

fn failed(errno: Errno) -> Outcome {
    Outcome::errno(errno.raw_os_error())
}
