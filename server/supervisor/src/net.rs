//! Socket calls.
//!
//! The program's own sockets are connected, bound and listened with through duplicates of its
//! descriptors, so that flags, options, epoll registrations and copies in other processes stay
//! what they are; only addresses are others than the program thinks. What stands behind them is
//! in the [`PeerTable`], which the session shares. One file for each call.

mod accept;
mod address;
mod aside;
mod bind;
mod connect;
mod datagram;
mod error;
mod filter_names;
mod listen;
mod names;
mod pending;
mod raw;
mod refused;
mod socket;
mod tcp;
mod udp;
mod unix;

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mirrord_net::peers::PeerTable;
use mirrord_protocol::{
    event::{EventKind, Place},
    local::Loopback,
};

use crate::{
    call::{Call, Plan},
    context::Context,
    error::SupervisorError,
    handler::Handler,
    live_rules::LiveRules,
    session_link::SessionLink,
    tracee::Tracee,
};
use pending::Pending;

/// Plans for calls that name an address.
pub struct Net {
    state: Arc<State>,
}

/// What the calls share; work that blocks keeps it alive.
struct State {
    rules: LiveRules,
    session: Arc<SessionLink>,
    peers: PeerTable,
    pending: Pending,
    /// UDP relays by (socket cookie, destination): the relay's address and tag.
    relays: Mutex<HashMap<(u64, SocketAddr), (SocketAddr, u64)>>,
    /// Connected UDP sockets, whose peers may refuse.
    refusable: refused::Refusable,
    /// Relays to name servers.
    name_servers: Mutex<HashMap<(SocketAddr, Loopback), SocketAddr>>,
    /// What the names in filters resolve to.
    filter_names: filter_names::FilterNames,
    /// Paths behind the abstract names of Unix relays.
    unix_names: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Ports that programs asked for, and where their sockets really are.
    asked: Mutex<HashMap<bind::Asked, bind::Bound>>,
    /// Listening sockets of this session, by cookie.
    listening: Mutex<HashSet<u64>>,
    /// Accepted connections whose caller was gone when they came, by listener cookie.
    stash: Mutex<HashMap<u64, Vec<OwnedFd>>>,
}

impl Net {
    /// Reads the rules and maps the peer table.
    pub fn new(context: &Context) -> Result<Self, SupervisorError> {
        let peers = context
            .peers()
            .try_clone_to_owned()
            .and_then(PeerTable::from_fd)
            .map_err(SupervisorError::setup("map the table of addresses"))?;
        let pending = Pending::start().map_err(SupervisorError::setup("watch connects"))?;
        let session = context.session.clone();
        let asked = if context.generation == 0 {
            HashMap::new()
        } else {
            bind::asked_before(&peers)
                .map_err(SupervisorError::setup("read the table of addresses"))?
        };
        let state = State {
            rules: context.rules.clone(),
            session,
            peers,
            pending,
            relays: Mutex::default(),
            refusable: refused::Refusable::default(),
            name_servers: Mutex::default(),
            filter_names: filter_names::FilterNames::default(),
            unix_names: Mutex::default(),
            asked: Mutex::new(asked),
            listening: Mutex::default(),
            stash: Mutex::default(),
        };
        let state = Arc::new(state);
        refused::start(&state).map_err(SupervisorError::setup("watch for refused datagrams"))?;
        Ok(Net { state })
    }
}

impl Handler for Net {
    fn calls(&self) -> &'static [i64] {
        &[
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_listen,
            libc::SYS_accept,
            libc::SYS_accept4,
            libc::SYS_getsockname,
            libc::SYS_getpeername,
            libc::SYS_getsockopt,
            libc::SYS_sendto,
            libc::SYS_recvfrom,
            libc::SYS_sendmsg,
            libc::SYS_recvmsg,
            libc::SYS_sendmmsg,
            libc::SYS_recvmmsg,
        ]
    }

    fn plan(&self, call: &Call, tracee: &Tracee) -> Plan {
        filter_names::plan_first(&self.state, call, tracee)
            .unwrap_or_else(|| self.state.plan(call, tracee))
    }
}

impl State {
    fn plan(self: &Arc<Self>, call: &Call, tracee: &Tracee) -> Plan {
        let state = self;
        match call.nr {
            libc::SYS_connect => connect::plan(state, call, tracee),
            libc::SYS_bind => bind::plan(state, call, tracee),
            libc::SYS_listen => listen::plan(state, call, tracee),
            libc::SYS_accept | libc::SYS_accept4 => accept::plan(state, call, tracee),
            libc::SYS_getsockname => names::plan(state, call, tracee, names::End::Own),
            libc::SYS_getpeername => names::plan(state, call, tracee, names::End::Peer),
            libc::SYS_getsockopt => error::plan(state, call, tracee),
            libc::SYS_sendto => datagram::plan_send(state, call, tracee),
            libc::SYS_recvfrom => datagram::plan_receive(state, call, tracee),
            libc::SYS_sendmsg => datagram::plan_send_one(state, call, tracee),
            libc::SYS_recvmsg => datagram::plan_receive_one(state, call, tracee),
            libc::SYS_sendmmsg => datagram::plan_send_many(state, call, tracee),
            libc::SYS_recvmmsg => datagram::plan_receive_many(state, call, tracee),
            _ => Plan::Continue,
        }
    }

    /// Tells where an outgoing call went; `to` is made only when somebody listens.
    fn tell(
        &self,
        pid: i32,
        protocol: &str,
        to: impl std::fmt::Display,
        decided: (Place, &str),
        errno: Option<i32>,
    ) {
        let wanted = match decided.0 {
            Place::Local => self.session.local_events_wanted(),
            _ => self.session.events_wanted(),
        };
        if wanted {
            self.session.event(EventKind::Outgoing {
                pid,
                protocol: protocol.to_owned(),
                to: to.to_string(),
                place: decided.0,
                rule: decided.1.to_owned(),
                errno,
            });
        }
    }
}

/// A lock whose holder may have panicked: what it guards is plain data and stays usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
