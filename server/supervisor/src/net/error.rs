//! `getsockopt(2)` of `SO_ERROR`: with which errno of the pod a non-blocking connect ended.

use std::sync::Arc;

use super::{
    State,
    address::{Room, fails},
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Outcome, Plan},
    tracee::Tracee,
};

pub(super) fn plan(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, _level, _name, value, length, _] = call.args;
    if !state.pending.has_failures() {
        return Plan::Continue;
    }
    let Some(socket) = Socket::of(tracee, fd).filter(|socket| socket.kind == Kind::Tcp) else {
        return Plan::Continue;
    };
    let room = match Room::read(tracee, value, length) {
        Ok(room) => room,
        Err(errno) => return fails(errno),
    };
    match state.pending.take_failure(&socket) {
        Some(errno) => Plan::Done(room.fill(Outcome::number(0), errno.to_ne_bytes().to_vec())),
        None => Plan::Continue,
    }
}
