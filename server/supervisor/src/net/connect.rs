//! `connect(2)`: which connects are the pod's.

use std::{net::SocketAddr, sync::Arc};

use mirrord_net::sockets::{self, Transport};
use mirrord_protocol::event::Place;
use mirrord_rules::{Proto, Side};

use super::{
    State,
    address::{self, Address, canonical, is_this_host},
    socket::{Kind, Socket},
    tcp, udp, unix,
};
use crate::{
    call::{Call, Outcome, Plan},
    tracee::Tracee,
};

pub(super) fn plan(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, address, length, ..] = call.args;
    match address::read(tracee, address, length) {
        Some(Address::Inet(to)) => {
            let Some(socket) = Socket::of(tracee, fd) else {
                return Plan::Continue;
            };
            plan_inet(state, (call, tracee), socket, to)
        }
        Some(Address::Unix(name)) => unix::plan_connect(state, call, tracee, name),
        None => Plan::Continue,
    }
}

fn plan_inet(
    state: &Arc<State>,
    (call, tracee): (&Call, &Tracee),
    socket: Socket,
    to: SocketAddr,
) -> Plan {
    let Some(loopback) = socket.loopback(to) else {
        return Plan::Continue;
    };
    if socket.kind == Kind::Tcp
        && let Some(errno) = state.pending.take_failure(&socket)
    {
        // Asked again to hear how it ended (connect(2)).
        return Plan::Done(Outcome::errno(errno));
    }
    match socket.kind {
        // Asked again while it connects, or after: the kernel says EALREADY, EISCONN or 0, and
        // only an errno of the pod's is ours to know.
        Kind::Tcp if !socket.is_fresh() => match state.pending.via(&socket) {
            Some(via) if !socket.nonblocking() => tcp::plan_again(state, socket, via),
            _ => Plan::Continue,
        },
        Kind::Tcp => {
            if let Some(moved) = state.moved(&socket, to) {
                return tcp::plan_moved(state, call, socket, to, moved);
            }
            match state.decide(Proto::Tcp, call.tid, to) {
                Some(rule) => tcp::plan(state, call, socket, canonical(to), loopback, rule),
                None => Plan::Continue,
            }
        }
        Kind::Udp => match state.decide(Proto::Udp, call.tid, to) {
            Some(rule) => {
                udp::plan_connect(state, (call, tracee), socket, canonical(to), loopback, rule)
            }
            None => Plan::Continue,
        },
        Kind::Unix => Plan::Continue,
    }
}

impl State {
    /// The rule that sends this to the pod, or `None` when it stays here (and was told).
    pub(super) fn decide(&self, proto: Proto, pid: i32, to: SocketAddr) -> Option<&'static str> {
        let decision = self.outgoing(proto, to);
        let (transport, name) = match proto {
            Proto::Tcp => (Transport::Tcp, "tcp"),
            Proto::Udp => (Transport::Udp, "udp"),
        };
        let rule = decision.rule.as_str();
        if decision.place == Side::Local {
            self.tell(pid, name, to, (Place::Local, rule), None);
            return None;
        }
        if is_this_host(to) && serves_here(transport, to) {
            let rule = "network.outgoing (a program on this machine listens there)";
            self.tell(pid, name, to, (Place::Local, rule), None);
            return None;
        }
        Some(rule)
    }
}

/// Whether something on this machine listens at a loopback address. A debugger's adapter, the
/// program's other half, or an editor: they are meant before the pod's own loopback is.
fn serves_here(transport: Transport, to: SocketAddr) -> bool {
    let mut to = canonical(to);
    if to.ip().is_unspecified() {
        // Connecting to "any" connects to loopback.
        to.set_ip(if to.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    sockets::is_served(transport, to).unwrap_or_else(|error| {
        tracing::warn!(%error, "could not ask the kernel for listeners (sock_diag); taking none");
        false
    })
}
