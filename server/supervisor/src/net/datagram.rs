//! `sendto(2)` and `recvfrom(2)` with an address.
//!
//! Destinations are replaced by relays, and sources by the peers behind them: resolvers check
//! where an answer came from. The payload is carried through us; connected sockets, which name no
//! address, never come here. [`message`] answers those who carry their datagrams themselves.

mod message;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mirrord_filter::control::ADDRESS_ONLY;
use mirrord_net::peers;
use mirrord_protocol::{event::Place, local::Loopback};
use mirrord_rules::Proto;
use rustix::{
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, SendFlags, sockopt},
};

use super::{
    State,
    address::{self, Address, Room, bytes_of, canonical, fails},
    socket::{Kind, Socket},
    udp::Mode,
};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan},
    tracee::Tracee,
};

/// No datagram is longer.
const LONGEST: u64 = 65_535;
/// Where the kernel keeps errors apart from datagrams (recv(2)); and MSG_TRUNC.
const ERROR_QUEUE: u32 = libc::MSG_ERRQUEUE as u32;
const TRUNCATED: u32 = libc::MSG_TRUNC as u32;
const DONT_WAIT: u32 = libc::MSG_DONTWAIT as u32;

/// A datagram on its way out.
struct Sending {
    state: Arc<State>,
    socket: Socket,
    payload: Vec<u8>,
    flags: SendFlags,
    waits: bool,
}

/// The pod's end of a datagram on its way out.
struct Destination {
    socket: Socket,
    to: SocketAddr,
    loopback: Loopback,
    way: Way,
}

/// How it goes there.
enum Way {
    /// Through a relay that stands.
    Known(SocketAddr),
    /// The socket is connected to its relay.
    Connected(SocketAddr),
    /// Through a relay yet to be opened, by this rule.
    New(&'static str),
}

impl Destination {
    /// Reads it from the arguments of a `sendto(2)`, or says what to do with the call.
    fn of(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Result<Destination, Plan> {
        let [fd, _, _, flags, address, address_length] = call.args;
        let Some(Address::Inet(to)) = address::read(tracee, address, address_length) else {
            return Err(Plan::Continue);
        };
        let Some(socket) = Socket::of(tracee, fd) else {
            return Err(Plan::Continue);
        };
        if socket.kind == Kind::Tcp && flags & libc::MSG_FASTOPEN as u64 != 0 {
            // Connect and send in one; programs fall back to connect (tcp(7)).
            return Err(match state.decide(Proto::Tcp, call.tid, to) {
                Some(_) => fails(Errno::OPNOTSUPP),
                None => Plan::Continue,
            });
        }
        if socket.kind != Kind::Udp {
            return Err(Plan::Continue);
        }
        let Some(loopback) = socket.loopback(to) else {
            return Err(Plan::Continue);
        };
        let to = canonical(to);
        let Ok(cookie) = socket.cookie() else {
            return Err(Plan::Continue);
        };
        let known = state.known_relay(cookie, to);
        let rule = match known {
            Some(_) => "",
            None => match state.decide(Proto::Udp, call.tid, to) {
                Some(rule) => rule,
                None => return Err(Plan::Continue),
            },
        };
        let connected = socket
            .peer()
            .filter(|via| state.peer_behind(*via) == Some(to));
        let way = match (connected, known) {
            (Some(via), _) => Way::Connected(via),
            (None, Some(via)) => Way::Known(via),
            (None, None) => match state.name_server_for(&socket, to, loopback) {
                Some(via) => {
                    state.tell(call.tid, "udp", to, (Place::Remote, rule), None);
                    Way::Known(via)
                }
                None => Way::New(rule),
            },
        };
        Ok(Destination {
            socket,
            to,
            loopback,
            way,
        })
    }
}

pub(super) fn plan_send(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let destination = match Destination::of(state, call, tracee) {
        Ok(destination) => destination,
        Err(plan) => return plan,
    };
    let [_, payload, length, flags, ..] = call.args;
    if payload == ADDRESS_ONLY {
        return message::plan_destination(state, call, destination);
    }
    if length > LONGEST {
        return fails(Errno::MSGSIZE);
    }
    let payload = match tracee.read_vec(payload, length as usize) {
        Ok(payload) => payload,
        Err(errno) => return fails(errno),
    };
    let waits = flags as u32 & DONT_WAIT == 0 && !destination.socket.nonblocking();
    let flags = SendFlags::from_bits_retain(flags as u32 & !(libc::MSG_FASTOPEN as u32))
        | SendFlags::DONTWAIT
        | SendFlags::NOSIGNAL;
    let Destination {
        socket,
        to,
        loopback,
        way,
    } = destination;
    let sending = Sending {
        state: state.clone(),
        socket,
        payload,
        flags,
        waits,
    };
    let rule = match way {
        Way::New(rule) => rule,
        Way::Known(via) => return sending.plan_at_once(Some(via)),
        Way::Connected(_) => return sending.plan_at_once(None),
    };
    let pid = call.tid;
    let work = Box::new(move |cancelled: &Cancelled| {
        let result = sending.first(to, loopback, cancelled);
        let errno = result.err().map(Errno::raw_os_error);
        sending
            .state
            .tell(pid, "udp", to, (Place::Remote, rule), errno);
        outcome(result)
    });
    Plan::Blocking {
        interrupt: Interrupt::AlwaysRestart,
        work,
    }
}

impl Sending {
    fn send(&self, via: Option<SocketAddr>) -> Result<usize, Errno> {
        match via {
            Some(via) => rustix::net::sendto(&self.socket, &self.payload, self.flags, &via),
            None => rustix::net::send(&self.socket, &self.payload, self.flags),
        }
    }

    /// The first datagram to a destination.
    fn first(
        &self,
        to: SocketAddr,
        loopback: Loopback,
        cancelled: &Cancelled,
    ) -> Result<usize, Errno> {
        let mode = Mode {
            connected: false,
            wait: false,
        };
        let via = self
            .state
            .open_relay(&self.socket, to, loopback, mode, cancelled)?;
        self.patiently(Some(via), cancelled)
    }

    fn plan_at_once(self, via: Option<SocketAddr>) -> Plan {
        match self.send(via) {
            Err(Errno::AGAIN) if self.waits => self.plan_wait(via),
            result => Plan::Done(outcome(result)),
        }
    }

    fn plan_wait(self, via: Option<SocketAddr>) -> Plan {
        let work = Box::new(move |cancelled: &Cancelled| outcome(self.patiently(via, cancelled)));
        Plan::Blocking {
            interrupt: Interrupt::BySignalFlags,
            work,
        }
    }

    fn patiently(&self, via: Option<SocketAddr>, cancelled: &Cancelled) -> Result<usize, Errno> {
        let until = deadline(&self.socket, sockopt::Timeout::Send);
        loop {
            match self.send(via) {
                Err(Errno::AGAIN) if self.waits => {
                    if !self.socket.wait(PollFlags::OUT, cancelled, until)? {
                        return Err(Errno::AGAIN);
                    }
                }
                result => return result,
            }
        }
    }
}

/// A datagram on its way in.
struct Receiving {
    state: Arc<State>,
    socket: Socket,
    buffer: (u64, usize),
    room: Room,
    flags: u32,
}

pub(super) fn plan_receive(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, buffer, length, flags, address, address_length] = call.args;
    let flags = flags as u32;
    if buffer == ADDRESS_ONLY {
        return message::plan_source(state, call, tracee);
    }
    if flags & ERROR_QUEUE != 0 {
        return Plan::Continue;
    }
    let Some(socket) = Socket::of(tracee, fd).filter(|socket| socket.kind == Kind::Udp) else {
        return Plan::Continue;
    };
    // A socket that is connected here receives from that peer only.
    if socket
        .peer()
        .is_some_and(|via| state.peer_behind(via).is_none())
    {
        return Plan::Continue;
    }
    let room = match Room::read(tracee, address, address_length) {
        Ok(room) => room,
        Err(errno) => return fails(errno),
    };
    let waits = flags & DONT_WAIT == 0 && !socket.nonblocking();
    let buffer = (buffer, length.min(LONGEST) as usize);
    let receiving = Receiving {
        state: state.clone(),
        socket,
        buffer,
        room,
        flags,
    };
    match receiving.receive() {
        Err(Errno::AGAIN) if waits => {
            let work = Box::new(move |cancelled: &Cancelled| {
                receiving.patiently(cancelled).unwrap_or_else(failed)
            });
            Plan::Blocking {
                interrupt: Interrupt::BySignalFlags,
                work,
            }
        }
        result => Plan::Done(result.unwrap_or_else(failed)),
    }
}

impl Receiving {
    fn receive(&self) -> Result<Outcome, Errno> {
        let (at, length) = self.buffer;
        let mut payload = vec![0; length];
        let flags = RecvFlags::from_bits_retain(self.flags) | RecvFlags::DONTWAIT;
        let (taken, whole, source) = rustix::net::recvfrom(&self.socket, &mut payload[..], flags)?;
        payload.truncate(taken.min(length));
        // MSG_TRUNC asks for the datagram's length, not for how much of it fitted (recv(2)).
        let result = if self.flags & TRUNCATED != 0 {
            whole
        } else {
            payload.len()
        };
        let outcome = Outcome::number(result as i64).write(at, payload);
        let Some(source) = source.and_then(|source| SocketAddr::try_from(source).ok()) else {
            return Ok(outcome);
        };
        let source = self.state.peer_behind(source).unwrap_or(source);
        Ok(self.room.fill(outcome, bytes_of(source, self.socket.ipv6)))
    }

    fn patiently(&self, cancelled: &Cancelled) -> Result<Outcome, Errno> {
        let until = deadline(&self.socket, sockopt::Timeout::Recv);
        loop {
            match self.receive() {
                Err(Errno::AGAIN) => {
                    if !self.socket.wait(PollFlags::IN, cancelled, until)? {
                        return Err(Errno::AGAIN);
                    }
                }
                result => return result,
            }
        }
    }
}

impl State {
    /// The peer that a UDP relay stands for. The table knows relays by their ports only.
    fn peer_behind(&self, relay: SocketAddr) -> Option<SocketAddr> {
        if !relay.ip().to_canonical().is_loopback() {
            return None;
        }
        let addresses = self.peers.find(peers::Kind::UdpRelay, relay)?;
        Some(addresses.server)
    }
}

/// When a blocking call on this socket gives up (SO_RCVTIMEO, SO_SNDTIMEO).
pub(super) fn deadline(socket: &Socket, which: sockopt::Timeout) -> Option<Instant> {
    let timeout = sockopt::socket_timeout(socket, which).ok().flatten();
    timeout
        .filter(|timeout| *timeout > Duration::ZERO)
        .map(|timeout| Instant::now() + timeout)
}

fn outcome(result: Result<usize, Errno>) -> Outcome {
    result.map_or_else(failed, |sent| Outcome::number(sent as i64))
}

fn failed(errno: Errno) -> Outcome {
    Outcome::errno(errno.raw_os_error())
}
