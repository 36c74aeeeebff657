//! UDP sockets that reach the pod: which relay stands for which destination.
//!
//! The relay to a name server is there for all sockets of a session, so that only the first
//! question to it waits for the session.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use mirrord_net::peers::{Kind, relay_tag};
use mirrord_protocol::{
    control::AddressPair,
    event::Place,
    local::{FromSupervisor, Loopback, Outgoing, ToSupervisor},
};
use rustix::io::Errno;

use super::{State, address::canonical, lock, socket::Socket};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan},
    session_link::NoAnswer,
    tracee::Tracee,
};

/// Name servers.
const DNS: u16 = 53;

/// How long a relay that needs no network may take.
const AT_ONCE: Duration = Duration::from_secs(5);

/// `connect` on a UDP socket.
pub(super) fn plan_connect(
    state: &Arc<State>,
    (call, tracee): (&Call, &Tracee),
    socket: Socket,
    to: SocketAddr,
    loopback: Loopback,
    rule: &'static str,
) -> Plan {
    let (state, pid) = (state.clone(), call.tid);
    let (tracee, fd) = (tracee.clone(), call.args[0] as i32);
    let connect_at_once = || {
        let via = state.name_server_for(&socket, to, loopback)?;
        Some(state.refusable.connect(&socket, via))
    };
    if let Some(result) = connect_at_once() {
        let errno = result.err().map(Errno::raw_os_error);
        state.tell(pid, "udp", to, (Place::Remote, rule), errno);
        return Plan::Done(errno.map_or(Outcome::number(0), Outcome::errno));
    }
    let work = Box::new(move |cancelled: &Cancelled| {
        let mode = Mode {
            connected: true,
            wait: true,
        };
        let result = state
            .open_relay(&socket, to, loopback, mode, cancelled)
            .and_then(|via| state.refusable.connect(&socket, via));
        if let Ok(()) = result {
            state.refusable.enter(&socket, tracee.tgid(), fd);
        }
        let errno = result.err().map(Errno::raw_os_error);
        state.tell(pid, "udp", to, (Place::Remote, rule), errno);
        errno.map_or(Outcome::number(0), Outcome::errno)
    });
    // connect(2) on a datagram socket never waits in the kernel, so it never fails with EINTR.
    Plan::Asking {
        interrupt: Interrupt::AlwaysRestart,
        work,
    }
}

/// How a relay is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// The pod's socket is connected too.
    pub(super) connected: bool,
    /// Wait until the pod's socket stands.
    pub(super) wait: bool,
}

impl State {
    /// The relay to a name server when it is there already, with this socket entered as one of
    /// its users.
    pub(super) fn name_server_for(
        &self,
        socket: &Socket,
        to: SocketAddr,
        loopback: Loopback,
    ) -> Option<SocketAddr> {
        if to.port() != DNS {
            return None;
        }
        let via = *lock(&self.name_servers).get(&(to, loopback))?;
        let behind = self.peers.find(Kind::UdpRelay, via)?;
        if behind.server != to {
            return None;
        }
        // What goes wrong here goes wrong again on the long way, which says it.
        self.enter_name_client(socket, to, loopback).ok()?;
        Some(via)
    }

    fn enter_name_client(
        &self,
        socket: &Socket,
        to: SocketAddr,
        loopback: Loopback,
    ) -> Result<(), Errno> {
        let cookie = socket.cookie()?;
        let program = program_address(socket, loopback)?;
        let pair = AddressPair {
            client: program,
            server: to,
        };
        self.peers.enter(Kind::NameClient, program, pair, cookie);
        Ok(())
    }

    /// The relay for a destination that is open already and still there.
    pub(super) fn known_relay(&self, cookie: u64, to: SocketAddr) -> Option<SocketAddr> {
        let (via, tag) = *lock(&self.relays).get(&(cookie, to))?;
        let alive = self
            .peers
            .find_tagged(Kind::UdpRelay, via)
            .is_some_and(|(addresses, now)| now == tag && addresses.server == to);
        if !alive {
            lock(&self.relays).remove(&(cookie, to));
        }
        alive.then_some(via)
    }

    /// Asks the session for a relay from this socket to `to`; the address to send to instead.
    pub(super) fn open_relay(
        &self,
        socket: &Socket,
        to: SocketAddr,
        loopback: Loopback,
        mode: Mode,
        cancelled: &Cancelled,
    ) -> Result<SocketAddr, Errno> {
        let cookie = socket.cookie()?;
        let program = program_address(socket, loopback)?;
        let name_server = to.port() == DNS;
        let connected = mode.connected;
        let wait = mode.wait && !name_server;
        let to_pod = if name_server {
            self.enter_name_client(socket, to, loopback)?;
            Outgoing::NameServer(to)
        } else {
            Outgoing::Udp {
                to,
                socket: cookie,
                program,
                connected,
                wait,
            }
        };
        let nonblocking = !wait;
        let asked = self.session.ask(|ticket| FromSupervisor::Connect {
            ticket,
            to: to_pod,
            loopback,
            nonblocking,
        });
        let answers = asked.map_err(|error| {
            tracing::error!(%error, "could not ask the session for a UDP relay");
            Errno::NETDOWN
        })?;
        let within = (!wait).then_some(AT_ONCE);
        match answers.next(cancelled, within) {
            Ok(ToSupervisor::Connected { result, .. }) => {
                let relay = result.map_err(Errno::from_raw_os_error)?;
                if name_server {
                    lock(&self.name_servers).insert((to, loopback), relay.via);
                    return Ok(relay.via);
                }
                let tag = relay_tag(answers.ticket, relay.via);
                let mut relays = lock(&self.relays);
                // Sockets come and go without our hearing of it.
                if relays.len() > 4096 {
                    relays.retain(|_, (via, tag)| {
                        let found = self.peers.find_tagged(Kind::UdpRelay, *via);
                        found.is_some_and(|(_, now)| now == *tag)
                    });
                }
                if !connected {
                    relays.insert((cookie, to), (relay.via, tag));
                }
                Ok(relay.via)
            }
            Ok(_) | Err(NoAnswer::TimedOut) => Err(Errno::NETDOWN),
            Err(NoAnswer::Cancelled) => Err(Errno::INTR),
        }
    }
}

/// Where the session's relay hears a socket from.
fn program_address(socket: &Socket, loopback: Loopback) -> Result<SocketAddr, Errno> {
    let mut program = canonical(socket.local_port()?);
    if program.ip().is_unspecified() {
        program.set_ip(match loopback {
            Loopback::V4 | Loopback::Mapped => std::net::Ipv4Addr::LOCALHOST.into(),
            Loopback::V6 => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(program)
}
