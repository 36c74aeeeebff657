//! Unix sockets: local, unless a rule names them; and those of local name services, which must
//! not answer for the pod.

use std::sync::Arc;

use mirrord_net::outgoing::unix_relay_name;
use mirrord_protocol::{
    event::Place,
    local::{FromSupervisor, Loopback, Outgoing, ToSupervisor},
};
use mirrord_rules::Side;
use rustix::{io::Errno, net::SocketAddrUnix};

use super::{
    State,
    address::fails,
    lock, raw,
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan},
    session_link::NoAnswer,
    tracee::Tracee,
};

/// Services on this machine that libc asks for names before it reads `resolv.conf`: nscd(8), and
/// systemd-resolved by nss-resolve(8). Answered as not there, libc resolves itself, through the
/// pod's files and name servers.
const NAME_SERVICES: &[&[u8]] = &[
    b"/var/run/nscd/socket",
    b"/run/nscd/socket",
    b"/run/systemd/resolve/io.systemd.Resolve",
    b"/var/run/systemd/resolve/io.systemd.Resolve",
];

pub(super) fn plan_connect(
    state: &Arc<State>,
    call: &Call,
    tracee: &Tracee,
    name: Vec<u8>,
) -> Plan {
    if NAME_SERVICES.contains(&&name[..]) {
        let decision = state.rules.get().dns("", 0);
        return match decision.place {
            Side::Local => Plan::Continue,
            Side::Remote => fails(Errno::NOENT),
        };
    }
    let decision = state
        .rules
        .get()
        .outgoing_unix(name.strip_prefix(b"\0").unwrap_or(&name));
    let shown = || String::from_utf8_lossy(&name).replace('\0', "@");
    let rule = decision.rule.as_str();
    if decision.place == Side::Local {
        state.tell(call.tid, "unix", shown(), (Place::Local, rule), None);
        return Plan::Continue;
    }
    let Some(socket) = Socket::of(tracee, call.args[0]).filter(|socket| socket.kind == Kind::Unix)
    else {
        // Datagram and packet sockets of the pod are not carried.
        return Plan::Continue;
    };
    if rustix::net::getpeername(&socket).is_ok() {
        return Plan::Continue;
    }
    let (state, pid, shown) = (state.clone(), call.tid, shown());
    let work = Box::new(move |cancelled: &Cancelled| {
        let result = connect(&state, &socket, name, cancelled);
        let errno = result.err().map(Errno::raw_os_error);
        state.tell(pid, "unix", shown, (Place::Remote, rule), errno);
        errno.map_or(Outcome::number(0), Outcome::errno)
    });
    Plan::Blocking {
        interrupt: Interrupt::BySignalFlags,
        work,
    }
}

fn connect(
    state: &State,
    socket: &Socket,
    name: Vec<u8>,
    cancelled: &Cancelled,
) -> Result<(), Errno> {
    let to = Outgoing::Unix(name.clone());
    let loopback = Loopback::V4;
    let asked = state.session.ask(|ticket| FromSupervisor::Connect {
        ticket,
        to,
        loopback,
        nonblocking: false,
    });
    let answers = asked.map_err(|error| {
        tracing::error!(%error, "could not ask the session for a Unix connection");
        Errno::NETDOWN
    })?;
    let relay = match answers.next(cancelled, None) {
        Ok(ToSupervisor::Connected { result, .. }) => result.map_err(Errno::from_raw_os_error)?,
        Ok(_) | Err(NoAnswer::TimedOut) => return Err(Errno::NETDOWN),
        Err(NoAnswer::Cancelled) => {
            let abandon = FromSupervisor::Abandon {
                ticket: answers.ticket,
            };
            if let Err(error) = state.session.send(&abandon) {
                tracing::debug!(%error, "could not tell the session that nobody waits");
            }
            return Err(Errno::INTR);
        }
    };
    let via = unix_relay_name(relay.via).ok_or(Errno::NETDOWN)?;
    let address = SocketAddrUnix::new_abstract_name(&via)?;
    let limit = std::time::Duration::from_secs(1);
    raw::limited(limit, || rustix::net::connect(socket, &address))?;
    lock(&state.unix_names).insert(via, name);
    Ok(())
}

impl State {
    /// The pod's name behind the peer of a Unix socket.
    pub(super) fn unix_peer(&self, socket: &Socket) -> Option<Vec<u8>> {
        let peer = rustix::net::getpeername(socket).ok()??;
        let peer = SocketAddrUnix::try_from(peer).ok()?;
        lock(&self.unix_names).get(peer.abstract_name()?).cloned()
    }
}
