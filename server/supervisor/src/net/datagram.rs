//! Datagrams that name an address: `sendto(2)` and `recvfrom(2)`; [`messages`] has the calls with
//! a `struct msghdr`.
//!
//! Destinations are replaced by relays, and sources by the peers behind them: resolvers check
//! where an answer came from. The payload is carried through us; connected sockets, which name no
//! address, never come here. [`question`] answers those who carry their datagrams themselves.

mod destination;
mod header;
mod messages;
mod question;
mod raw;
mod receiving;
mod sending;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mirrord_filter::control::ADDRESS_ONLY;
use mirrord_net::peers;
use rustix::{io::Errno, net::sockopt};

use super::{
    State,
    address::{self, Address, Room, fails},
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Outcome, Plan},
    tracee::Tracee,
};
use destination::Destination;
use receiving::{Receiving, Slot};
use sending::{Datagram, Sending, To};

pub(super) use header::destinations;
pub(super) use messages::{plan_receive_many, plan_receive_one, plan_send_many, plan_send_one};

/// No datagram is longer, nor what is sent or received as several at once (udp(7), UDP_SEGMENT).
const LONGEST: usize = 65_535;

pub(super) fn plan_send(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, payload, length, flags, address, address_length] = call.args;
    let Some(Address::Inet(to)) = address::read(tracee, address, address_length) else {
        return Plan::Continue;
    };
    let Some(socket) = Socket::of(tracee, fd) else {
        return Plan::Continue;
    };
    if socket.kind == Kind::Tcp {
        return destination::plan_fast_open(state, call.tid, flags, to);
    }
    let Some(destination) = Destination::of(state, call.tid, &socket, to) else {
        return Plan::Continue;
    };
    if payload == ADDRESS_ONLY {
        return question::plan_destination(state, call, socket, destination);
    }
    if length > LONGEST as u64 {
        return fails(Errno::MSGSIZE);
    }
    let payload = match tracee.read_vec(payload, length as usize) {
        Ok(payload) => payload,
        Err(errno) => return fails(errno),
    };
    let datagram = Datagram {
        payload,
        control: Vec::new(),
        to: To::Pod(destination),
        length_at: None,
    };
    Sending::new(state, call.tid, socket, flags, vec![datagram]).plan()
}

pub(super) fn plan_receive(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, buffer, length, flags, address, address_length] = call.args;
    if buffer == ADDRESS_ONLY {
        return question::plan_source(state, call, tracee);
    }
    let Some(socket) = receiving::socket(state, tracee, fd, flags) else {
        return Plan::Continue;
    };
    let room = match Room::read(tracee, address, address_length) {
        Ok(room) => room,
        Err(errno) => return fails(errno),
    };
    let slot = Slot {
        buffers: vec![(buffer, length.min(LONGEST as u64) as usize)],
        room: Some(room),
        header: None,
        length_at: None,
    };
    Receiving::new(state, socket, flags, vec![slot]).plan()
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

/// Whether a call with these flags waits for room or for a datagram.
fn waits(socket: &Socket, flags: i32) -> bool {
    flags & libc::MSG_DONTWAIT == 0 && !socket.nonblocking()
}

fn failed(errno: Errno) -> Outcome {
    Outcome::errno(errno.raw_os_error())
}
