//! Questions about addresses alone.
//!
//! The layer makes `sendmsg(2)` and `recvmsg(2)` itself where they need not wait, so that they cost
//! no more than the kernel's; it only asks for the relay that stands for a destination,
//! and for the peer behind a relay. See `mirrord_filter::control`; to leave such a call to the
//! kernel is the answer "none of ours".

use std::sync::Arc;

use super::{
    super::{
        State,
        address::{self, Address, bytes_of, fails},
        socket::Socket,
    },
    destination::{Destination, Way},
    failed,
};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan},
    tracee::Tracee,
};

/// Where to send instead. A socket that is connected to its relay may name it too (udp(7)).
pub(super) fn plan_destination(
    state: &Arc<State>,
    call: &Call,
    socket: Socket,
    destination: Destination,
) -> Plan {
    let (tid, at) = (call.tid, call.args[4]);
    let answer = move |via, ipv6| {
        let bytes = bytes_of(via, ipv6);
        Outcome::number(bytes.len() as i64).write(at, bytes)
    };
    let rule = match destination.way {
        Way::Known(via) | Way::Connected(via) => return Plan::Done(answer(via, socket.ipv6)),
        Way::New(rule) => rule,
    };
    let state = state.clone();
    let work = Box::new(move |cancelled: &Cancelled| {
        let via = destination.open(&state, (tid, rule), &socket, cancelled);
        via.map_or_else(failed, |via| answer(via, socket.ipv6))
    });
    Plan::Asking {
        interrupt: Interrupt::AlwaysRestart,
        work,
    }
}

/// Who is behind the address that a datagram came from.
pub(super) fn plan_source(state: &State, call: &Call, tracee: &Tracee) -> Plan {
    let [.., at, length_at] = call.args;
    let length = match tracee.read_array(length_at) {
        Ok(length) => u32::from_ne_bytes(length),
        Err(errno) => return fails(errno),
    };
    let Some(Address::Inet(via)) = address::read(tracee, at, length.into()) else {
        return Plan::Continue;
    };
    match state.peer_behind(via) {
        Some(peer) => {
            let bytes = bytes_of(peer, via.is_ipv6());
            Plan::Done(Outcome::number(bytes.len() as i64).write(at, bytes))
        }
        None => Plan::Continue,
    }
}
