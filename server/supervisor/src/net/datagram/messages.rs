//! `sendmsg(2)`, `recvmsg(2)`, `sendmmsg(2)` and `recvmmsg(2)`.
//!
//! The filter cannot see which of them name an address, so all come here; those that do not, and
//! those of other sockets than UDP's, are the kernel's at the earliest look. Dynamic programs
//! come here only where a call waits: the layer does the rest.

use std::sync::Arc;

use super::{
    super::{
        State,
        address::fails,
        socket::{Kind, Socket},
    },
    destination::{Destination, plan_fast_open},
    header::Header,
    receiving::{self, Limit, Receiving, Slot},
    sending::{Datagram, Sending},
};
use crate::{
    call::{Call, Plan},
    tracee::Tracee,
};

pub(in super::super) fn plan_send_one(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [_, at, flags, ..] = call.args;
    match Header::read(tracee, at) {
        Ok(header) => plan_send(state, call, tracee, vec![header], flags),
        Err(_) => Plan::Continue,
    }
}

pub(in super::super) fn plan_send_many(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [_, at, count, flags, ..] = call.args;
    let headers = Header::read_many(tracee, at, count);
    plan_send(state, call, tracee, headers, flags)
}

fn plan_send(
    state: &Arc<State>,
    call: &Call,
    tracee: &Tracee,
    headers: Vec<Header>,
    flags: u64,
) -> Plan {
    if !headers.iter().any(Header::is_named) {
        return Plan::Continue;
    }
    let Some(socket) = Socket::of(tracee, call.args[0]) else {
        return Plan::Continue;
    };
    let named: Vec<_> = headers
        .iter()
        .map(|header| header.destination(tracee))
        .collect();
    if socket.kind == Kind::Tcp
        && let Some(to) = named.iter().flatten().next()
    {
        return plan_fast_open(state, call.tid, flags, *to);
    }
    // A row mostly goes to one place.
    let mut last = None;
    let mut destination = |to| match last {
        Some((before, destination)) if before == to => destination,
        _ => {
            let destination = Destination::of(state, call.tid, &socket, to);
            last = Some((to, destination));
            destination
        }
    };
    let destinations: Vec<Option<Destination>> = named
        .into_iter()
        .map(|to| to.and_then(&mut destination))
        .collect();
    if destinations.iter().all(Option::is_none) {
        return Plan::Continue;
    }
    let is_row = call.nr == libc::SYS_sendmmsg;
    let mut datagrams = Vec::with_capacity(headers.len());
    for (header, destination) in headers.iter().zip(destinations) {
        let length_at = is_row.then(|| header.length_at());
        match Datagram::read(tracee, header, destination, length_at) {
            Ok(datagram) => datagrams.push(datagram),
            // Those before it are sent, and it is the next call's to fail with.
            Err(_) if !datagrams.is_empty() => break,
            Err(errno) => return fails(errno),
        }
    }
    Sending::new(state, call.tid, socket, flags, datagrams).plan()
}

pub(in super::super) fn plan_receive_one(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, at, flags, ..] = call.args;
    let Some(header) = Header::read(tracee, at).ok().filter(Header::is_named) else {
        return Plan::Continue;
    };
    let Some(socket) = receiving::socket(state, tracee, fd, flags) else {
        return Plan::Continue;
    };
    match Slot::read(tracee, header, None) {
        Ok(slot) => Receiving::new(state, socket, flags, vec![slot]).plan(),
        Err(errno) => fails(errno),
    }
}

pub(in super::super) fn plan_receive_many(
    state: &Arc<State>,
    call: &Call,
    tracee: &Tracee,
) -> Plan {
    let [fd, at, count, flags, timeout, _] = call.args;
    let headers = Header::read_many(tracee, at, count);
    if !headers.iter().any(Header::is_named) {
        return Plan::Continue;
    }
    let Some(socket) = receiving::socket(state, tracee, fd, flags) else {
        return Plan::Continue;
    };
    let limit = match Limit::read(tracee, timeout) {
        Ok(limit) => limit,
        Err(errno) => return fails(errno),
    };
    let mut slots = Vec::with_capacity(headers.len());
    for header in headers {
        match Slot::read(tracee, header, Some(header.length_at())) {
            Ok(slot) => slots.push(slot),
            Err(_) if !slots.is_empty() => break,
            Err(errno) => return fails(errno),
        }
    }
    Receiving::new(state, socket, flags, slots)
        .within(limit)
        .plan()
}
