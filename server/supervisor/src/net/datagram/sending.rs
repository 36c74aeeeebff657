//! Datagrams on their way out: one, or several of one call.

use std::sync::Arc;

use mirrord_filter::segment;
use rustix::{event::PollFlags, io::Errno, net::sockopt};

use super::{
    super::{State, address::bytes_of, socket::Socket},
    deadline,
    destination::{Destination, Way},
    failed,
    header::Header,
    waits,
};
use crate::{
    call::{Cancelled, Interrupt, Outcome, Plan},
    tracee::Tracee,
};

/// One of them.
pub(super) struct Datagram {
    pub payload: Vec<u8>,
    pub control: Vec<u8>,
    pub to: To,
    /// Where the program wants to read how much of it was sent.
    pub length_at: Option<u64>,
}

/// Where it goes.
pub(super) enum To {
    /// To the pod.
    Pod(Destination),
    /// To this address as the program gave it, or without one.
    Here(Vec<u8>),
}

impl Datagram {
    /// Reads a message of the program's.
    pub fn read(
        tracee: &Tracee,
        header: &Header,
        destination: Option<Destination>,
        length_at: Option<u64>,
    ) -> Result<Datagram, Errno> {
        let control = header.control(tracee)?;
        let (to, control) = match destination {
            Some(destination) => {
                let size = segment::size(&control);
                let only = size.map_or_else(Vec::new, |size| segment::message(size).to_vec());
                (To::Pod(destination), only)
            }
            None => (To::Here(header.name(tracee)?), control),
        };
        Ok(Datagram {
            payload: header.payload(tracee)?,
            control,
            to,
            length_at,
        })
    }
}

/// The datagrams of a call, sent up to `next`.
pub(super) struct Sending {
    state: Arc<State>,
    tid: i32,
    socket: Socket,
    flags: i32,
    waits: bool,
    datagrams: Vec<Datagram>,
    next: usize,
    last: usize,
    outcome: Outcome,
}

/// Why sending does not go on.
enum Stop {
    Failed(Errno),
    /// The session is to be asked for a relay.
    ForSession,
    /// There is no room.
    ForRoom,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Failed(errno)
    }
}

impl Sending {
    pub fn new(
        state: &Arc<State>,
        tid: i32,
        socket: Socket,
        flags: u64,
        datagrams: Vec<Datagram>,
    ) -> Sending {
        let flags = flags as i32;
        Sending {
            state: state.clone(),
            tid,
            waits: waits(&socket, flags),
            socket,
            flags: flags & !libc::MSG_FASTOPEN | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            datagrams,
            next: 0,
            last: 0,
            outcome: Outcome::default(),
        }
    }

    /// Sends what can be sent at once, and plans the rest.
    pub fn plan(mut self) -> Plan {
        let interrupt = match self.send_all(None) {
            Err(Stop::ForSession) => Interrupt::AlwaysRestart,
            Err(Stop::ForRoom) => Interrupt::BySignalFlags,
            done => return Plan::Done(self.outcome(done)),
        };
        let work = Box::new(move |cancelled: &Cancelled| {
            let done = self.send_all(Some(cancelled));
            self.outcome(done)
        });
        Plan::Blocking { interrupt, work }
    }

    /// An error after the first datagram is not told (sendmmsg(2)).
    fn outcome(self, done: Result<(), Stop>) -> Outcome {
        let is_one = self.datagrams.iter().all(|one| one.length_at.is_none());
        match done {
            Err(Stop::Failed(errno)) if self.next == 0 => return failed(errno),
            _ => {}
        }
        let number = if is_one { self.last } else { self.next };
        let done = Outcome::number(number as i64);
        Outcome {
            value: done.value,
            ..self.outcome
        }
    }

    /// Without `cancelled` up to the first that has to wait.
    fn send_all(&mut self, cancelled: Option<&Cancelled>) -> Result<(), Stop> {
        while self.next < self.datagrams.len() {
            self.last = self.send_next(cancelled)?;
            if let Some(at) = self.datagrams[self.next].length_at {
                let length = (self.last as u32).to_ne_bytes().to_vec();
                self.outcome.writes.push((at, length));
            }
            self.next += 1;
        }
        Ok(())
    }

    fn send_next(&mut self, cancelled: Option<&Cancelled>) -> Result<usize, Stop> {
        let name = self.name(cancelled)?;
        let Datagram {
            payload, control, ..
        } = &self.datagrams[self.next];
        let mut until = None;
        loop {
            match super::raw::send(&self.socket, &name, control, payload, self.flags) {
                // What was sent is told rather than waited for the rest.
                Err(Errno::AGAIN) if self.waits && self.next == 0 => {
                    let cancelled = cancelled.ok_or(Stop::ForRoom)?;
                    let until =
                        until.get_or_insert_with(|| deadline(&self.socket, sockopt::Timeout::Send));
                    if !self.socket.wait(PollFlags::OUT, cancelled, *until)? {
                        return Err(Stop::Failed(Errno::AGAIN));
                    }
                }
                result => return Ok(result?),
            }
        }
    }

    /// The address for the kernel.
    fn name(&mut self, cancelled: Option<&Cancelled>) -> Result<Vec<u8>, Stop> {
        let destination = match &mut self.datagrams[self.next].to {
            To::Here(name) => return Ok(name.clone()),
            To::Pod(destination) => destination,
        };
        let via = match destination.way {
            Way::Connected(_) => return Ok(Vec::new()),
            Way::Known(via) => via,
            Way::New(rule) => match destination.opened(&self.state, &self.socket) {
                Some(via) => via,
                None => {
                    let cancelled = cancelled.ok_or(Stop::ForSession)?;
                    destination.open(&self.state, (self.tid, rule), &self.socket, cancelled)?
                }
            },
        };
        // Once more after waiting for room it is the same.
        destination.way = Way::Known(via);
        Ok(bytes_of(via, via.is_ipv6()))
    }
}
