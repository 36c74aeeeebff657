//! Where a datagram goes in the pod, and through which relay.

use std::{net::SocketAddr, sync::Arc};

use mirrord_protocol::{event::Place, local::Loopback};
use mirrord_rules::Proto;
use rustix::io::Errno;

use super::super::{
    State,
    address::{canonical, fails},
    socket::{Kind, Socket},
    udp::Mode,
};
use crate::call::{Cancelled, Plan};

/// The pod's end of a datagram on its way out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Destination {
    pub to: SocketAddr,
    pub loopback: Loopback,
    pub way: Way,
}

/// How it goes there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// Through a relay that stands.
    Known(SocketAddr),
    /// The socket is connected to its relay.
    Connected(SocketAddr),
    /// Through a relay yet to be opened, by this rule.
    New(&'static str),
}

impl Destination {
    /// Of a datagram that a socket is to send; `None` when it is the kernel's.
    pub fn of(
        state: &Arc<State>,
        tid: i32,
        socket: &Socket,
        to: SocketAddr,
    ) -> Option<Destination> {
        if socket.kind != Kind::Udp {
            return None;
        }
        let loopback = socket.loopback(to)?;
        let to = canonical(to);
        let cookie = socket.cookie().ok()?;
        let known = state.known_relay(cookie, to);
        let rule = match known {
            Some(_) => "",
            None => state.decide(Proto::Udp, tid, to)?,
        };
        let connected = socket
            .peer()
            .filter(|via| state.peer_behind(*via) == Some(to));
        let way = match (connected, known) {
            (Some(via), _) => Way::Connected(via),
            (None, Some(via)) => Way::Known(via),
            (None, None) => match state.name_server_for(socket, to, loopback) {
                Some(via) => {
                    state.tell(tid, "udp", to, (Place::Remote, rule), None);
                    Way::Known(via)
                }
                None => Way::New(rule),
            },
        };
        Some(Destination { to, loopback, way })
    }

    /// Opens the relay that was not there, and tells of it.
    pub fn open(
        &self,
        state: &State,
        (tid, rule): (i32, &str),
        socket: &Socket,
        cancelled: &Cancelled,
    ) -> Result<SocketAddr, Errno> {
        let mode = Mode {
            connected: false,
            wait: false,
        };
        let via = state.open_relay(socket, self.to, self.loopback, mode, cancelled);
        let errno = via.err().map(Errno::raw_os_error);
        state.tell(tid, "udp", self.to, (Place::Remote, rule), errno);
        via
    }

    /// The relay, if a datagram before this one has opened it meanwhile.
    pub fn opened(&self, state: &State, socket: &Socket) -> Option<SocketAddr> {
        let known = state.known_relay(socket.cookie().ok()?, self.to);
        known.or_else(|| state.name_server_for(socket, self.to, self.loopback))
    }
}

/// A TCP socket that names a destination: with MSG_FASTOPEN it connects and sends in one, and
/// programs fall back to connect (tcp(7)).
pub(super) fn plan_fast_open(state: &Arc<State>, tid: i32, flags: u64, to: SocketAddr) -> Plan {
    if flags & libc::MSG_FASTOPEN as u64 == 0 {
        return Plan::Continue;
    }
    match state.decide(Proto::Tcp, tid, to) {
        Some(_) => fails(Errno::OPNOTSUPP),
        None => Plan::Continue,
    }
}
