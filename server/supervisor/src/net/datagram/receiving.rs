//! Datagrams on their way in: one, or several of one call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::sockopt,
};

use super::{
    super::{
        State,
        address::{self, Address, Room, bytes_of},
        socket::{Kind, Socket},
    },
    LONGEST, deadline, failed,
    header::Header,
    raw, waits,
};
use crate::{
    call::{Cancelled, Interrupt, Outcome, Plan},
    tracee::Tracee,
};

/// More than all control messages that a datagram can have.
const MOST_CONTROL: u64 = 16 * 1024;

/// Where one goes in the program's memory.
pub(super) struct Slot {
    pub buffers: Vec<(u64, usize)>,
    pub room: Option<Room>,
    /// Gets control messages and flags.
    pub header: Option<Header>,
    /// Gets the length.
    pub length_at: Option<u64>,
}

impl Slot {
    /// The one that a message describes.
    pub fn read(tracee: &Tracee, header: Header, length_at: Option<u64>) -> Result<Slot, Errno> {
        Ok(Slot {
            room: header.room()?,
            buffers: header.vectors(tracee)?,
            header: Some(header),
            length_at,
        })
    }
}

/// The socket, if what it receives can come from the pod and names its source. Errors are kept
/// apart from datagrams (MSG_ERRQUEUE, recv(2)) and are the kernel's.
pub(super) fn socket(state: &State, tracee: &Tracee, fd: u64, flags: u64) -> Option<Socket> {
    if flags & libc::MSG_ERRQUEUE as u64 != 0 {
        return None;
    }
    let socket = Socket::of(tracee, fd).filter(|socket| socket.kind == Kind::Udp)?;
    // One that is connected here receives from that peer only.
    let here = |via| state.peer_behind(via).is_none();
    (!socket.peer().is_some_and(here)).then_some(socket)
}

/// When recvmmsg(2) stops, which it looks at after each datagram only; and where the time that
/// was left is told.
pub(super) struct Limit {
    until: Instant,
    at: u64,
}

impl Limit {
    /// Reads a `struct timespec`.
    pub fn read(tracee: &Tracee, at: u64) -> Result<Option<Limit>, Errno> {
        if at == 0 {
            return Ok(None);
        }
        let bytes: [u8; 16] = tracee.read_array(at)?;
        let [seconds, nanoseconds] = *bytes.as_chunks::<8>().0 else {
            return Err(Errno::FAULT);
        };
        let seconds = u64::try_from(i64::from_ne_bytes(seconds)).map_err(|_| Errno::INVAL)?;
        let nanoseconds = u64::from_ne_bytes(nanoseconds);
        if nanoseconds >= 1_000_000_000 {
            return Err(Errno::INVAL);
        }
        // A hundred years are for ever.
        let time = Duration::new(seconds.min(100 * 365 * 86_400), nanoseconds as u32);
        let until = Instant::now() + time;
        Ok(Some(Limit { until, at }))
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// The datagrams of a call, received up to `next`.
pub(super) struct Receiving {
    state: Arc<State>,
    socket: Socket,
    flags: i32,
    waits: bool,
    slots: Vec<Slot>,
    /// MSG_WAITFORONE.
    only_first: bool,
    limit: Option<Limit>,
    next: usize,
    last: usize,
    outcome: Outcome,
}

/// Why receiving does not go on.
enum Stop {
    Failed(Errno),
    /// There is none yet.
    ForDatagram,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Failed(errno)
    }
}

impl Receiving {
    pub fn new(state: &Arc<State>, socket: Socket, flags: u64, slots: Vec<Slot>) -> Receiving {
        let flags = flags as i32;
        Receiving {
            state: state.clone(),
            waits: waits(&socket, flags),
            socket,
            flags: flags & !libc::MSG_WAITFORONE | libc::MSG_DONTWAIT,
            slots,
            only_first: flags & libc::MSG_WAITFORONE != 0,
            limit: None,
            next: 0,
            last: 0,
            outcome: Outcome::default(),
        }
    }

    /// Several, within a time.
    pub fn within(self, limit: Option<Limit>) -> Receiving {
        Receiving { limit, ..self }
    }

    /// Receives what is there, and plans to wait for the rest.
    pub fn plan(mut self) -> Plan {
        match self.receive_all(None) {
            Err(Stop::ForDatagram) => {}
            done => return Plan::Done(self.outcome(done)),
        }
        // Of several, those that are there are the answer to a caller whom a signal calls away.
        let interrupt = if self.slots.len() > 1 {
            Interrupt::Detaches
        } else {
            Interrupt::BySignalFlags
        };
        let work = Box::new(move |cancelled: &Cancelled| {
            let done = self.receive_all(Some(cancelled));
            self.outcome(done)
        });
        Plan::Blocking { interrupt, work }
    }

    fn outcome(self, done: Result<(), Stop>) -> Outcome {
        match done {
            Err(Stop::Failed(errno)) if self.next == 0 => return failed(errno),
            _ => {}
        }
        let is_one = self.slots.iter().all(|slot| slot.length_at.is_none());
        let number = if is_one { self.last } else { self.next };
        let done = Outcome::number(number as i64);
        let outcome = Outcome {
            value: done.value,
            ..self.outcome
        };
        match self.limit {
            Some(limit) => {
                let left = limit.left();
                let mut bytes = left.as_secs().to_ne_bytes().to_vec();
                bytes.extend(u64::from(left.subsec_nanos()).to_ne_bytes());
                outcome.write(limit.at, bytes)
            }
            None => outcome,
        }
    }

    /// Without `cancelled` up to the first that has to be waited for.
    fn receive_all(&mut self, cancelled: Option<&Cancelled>) -> Result<(), Stop> {
        while self.next < self.slots.len() {
            // An error that comes after the first datagram is the next call's.
            if self.next > 0 && self.has_error() {
                return Ok(());
            }
            self.last = self.receive_next(cancelled)?;
            if let Some(at) = self.slots[self.next].length_at {
                let length = (self.last as u32).to_ne_bytes().to_vec();
                self.outcome.writes.push((at, length));
            }
            self.next += 1;
            if self
                .limit
                .as_ref()
                .is_some_and(|limit| limit.left().is_zero())
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn has_error(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::ERR)
    }

    fn receive_next(&mut self, cancelled: Option<&Cancelled>) -> Result<usize, Stop> {
        let mut until = None;
        loop {
            match self.receive() {
                Err(Errno::AGAIN) if self.waits && !(self.only_first && self.next > 0) => {
                    let cancelled = cancelled.ok_or(Stop::ForDatagram)?;
                    let until =
                        until.get_or_insert_with(|| deadline(&self.socket, sockopt::Timeout::Recv));
                    match self.socket.wait(PollFlags::IN, cancelled, *until) {
                        Err(Errno::INTR) if self.next == 0 && cancelled.is_to_let_go() => {
                            cancelled.let_go();
                        }
                        Ok(false) => return Err(Stop::Failed(Errno::AGAIN)),
                        Ok(true) => {}
                        Err(errno) => return Err(Stop::Failed(errno)),
                    }
                }
                result => return Ok(result?),
            }
        }
    }

    /// Receives one into the next slot; what the call returns for it.
    fn receive(&mut self) -> Result<usize, Errno> {
        let slot = &self.slots[self.next];
        let lengths = slot.buffers.iter().map(|(_, length)| *length);
        let length = lengths.fold(0, usize::saturating_add).min(LONGEST);
        let mut payload = vec![0; length];
        let (control_at, control) = slot.header.map_or((0, 0), |header| header.control_room());
        let mut control = vec![0; control.min(MOST_CONTROL) as usize];
        let received = raw::receive(&self.socket, &mut payload, &mut control, self.flags)?;
        let writes = &mut self.outcome.writes;
        let mut rest = &payload[..received.size.min(length)];
        for (at, length) in &slot.buffers {
            let (part, behind) = rest.split_at((*length).min(rest.len()));
            if !part.is_empty() {
                writes.push((*at, part.to_vec()));
            }
            rest = behind;
        }
        if let Some(header) = slot.header {
            control.truncate(received.control);
            if !control.is_empty() {
                writes.push((control_at, control));
            }
            writes.extend(header.received(received.control, received.flags));
        }
        if let Some(room) = slot.room {
            let name = match address::parse(&received.name) {
                Some(Address::Inet(source)) => match self.state.peer_behind(source) {
                    Some(peer) => bytes_of(peer, self.socket.ipv6),
                    None => received.name,
                },
                _ => received.name,
            };
            self.outcome = room.fill(std::mem::take(&mut self.outcome), name);
        }
        Ok(received.size)
    }
}
