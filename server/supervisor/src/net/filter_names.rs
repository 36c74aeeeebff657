//! Names in `network.outgoing.filter`: a filter by name speaks of the addresses that the name
//! resolves to.
//!
//! A name is resolved when a destination comes that only it could decide about, and again when
//! one comes that it did not resolve to a while ago. What it ever resolved to stays its own, for a
//! program may use an older answer. A filter for the pod asks the pod's resolver; one for this
//! machine asks both, for the program may have the address from either.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mirrord_protocol::{
    event::EventKind,
    local::{FromSupervisor, ToSupervisor},
};
use mirrord_rules::{NameFilter, OutgoingDecision, Proto, Side};

use super::{
    State,
    address::{self, Address},
    datagram, lock,
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan, Value},
    tracee::Tracee,
};

/// How long "this is none of its addresses" is believed.
const FRESH: Duration = Duration::from_secs(5);
/// How long a call waits for a resolver; what is known then decides.
const WITHIN: Duration = Duration::from_secs(15);
/// Addresses of one name that are kept.
const MOST: usize = 1024;

/// What is known of each name. Without names in filters it is never looked at.
#[derive(Default)]
pub(super) struct FilterNames {
    known: Mutex<HashMap<&'static str, Known>>,
}

struct Known {
    addresses: HashSet<IpAddr>,
    asked: Instant,
}

impl FilterNames {
    /// Whether a name resolves to an address; `None` when it must be asked.
    fn resolves_to(&self, name: &str, address: IpAddr) -> Option<bool> {
        let known = lock(&self.known);
        let known = known.get(name)?;
        if known.addresses.contains(&address) {
            return Some(true);
        }
        (known.asked.elapsed() < FRESH).then_some(false)
    }

    fn learn(&self, name: &'static str, addresses: Vec<IpAddr>) {
        let mut known = lock(&self.known);
        let known = known.entry(name).or_insert_with(|| Known {
            addresses: HashSet::new(),
            asked: Instant::now(),
        });
        known.asked = Instant::now();
        if known.addresses.len() + addresses.len() > MOST {
            known.addresses.clear();
        }
        known.addresses.extend(addresses);
    }
}

/// For a call whose destination only a name can decide about that has to be resolved first: does
/// that, and then what the call is planned to be.
pub(super) fn plan_first(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Option<Plan> {
    let rules = state.rules.get();
    rules.outgoing_names().next()?;
    let [fd, ..] = call.args;
    let destinations = destinations(call, tracee);
    if destinations.is_empty() {
        return None;
    }
    let socket = Socket::of(tracee, fd)?;
    let proto = match socket.kind {
        Kind::Tcp => Proto::Tcp,
        Kind::Udp => Proto::Udp,
        Kind::Unix => return None,
    };
    let mut unknown: Vec<NameFilter<'static>> = Vec::new();
    let mut is_unsure = |to| {
        let decision = rules.outgoing_named(proto, to, |filter| {
            let resolves = state.filter_names.resolves_to(filter.name, canonical(to));
            if resolves.is_none() && unknown.iter().all(|other| other.name != filter.name) {
                unknown.push(filter);
            }
            resolves
        });
        decision.unsure
    };
    if !destinations
        .into_iter()
        .fold(false, |unsure, to| is_unsure(to) | unsure)
    {
        return None;
    }
    let interrupt = if proto == Proto::Tcp && !socket.nonblocking() {
        Interrupt::Detaches
    } else {
        Interrupt::AlwaysRestart
    };
    let (state, call, tracee) = (state.clone(), *call, tracee.clone());
    let work = Box::new(move |cancelled: &Cancelled| {
        for filter in unknown {
            state.resolve(filter, cancelled);
        }
        match state.plan(&call, &tracee) {
            Plan::Continue => Outcome::from(Value::Continue),
            Plan::Done(outcome) => outcome,
            Plan::Blocking { work, .. } | Plan::Asking { work, .. } => work(cancelled),
        }
    });
    // What comes after the names may wait for anything.
    Some(Plan::Blocking { interrupt, work })
}

/// The IP addresses that a call names.
fn destinations(call: &Call, tracee: &Tracee) -> Vec<SocketAddr> {
    let (at, length) = match call.nr {
        libc::SYS_connect => (call.args[1], call.args[2]),
        libc::SYS_sendto => (call.args[4], call.args[5]),
        _ => return datagram::destinations(call, tracee),
    };
    match address::read(tracee, at, length) {
        Some(Address::Inet(to)) => vec![to],
        _ => Vec::new(),
    }
}

impl State {
    /// Where a destination goes, with what is known of names.
    pub(super) fn outgoing(&self, proto: Proto, to: SocketAddr) -> OutgoingDecision<'static> {
        self.rules.get().outgoing_named(proto, to, |filter| {
            self.filter_names.resolves_to(filter.name, canonical(to))
        })
    }

    fn resolve(&self, filter: NameFilter<'static>, cancelled: &Cancelled) {
        let asked = self.session.ask(|ticket| FromSupervisor::Resolve {
            ticket,
            name: filter.name.to_owned(),
            here_too: filter.side == Side::Local,
        });
        let answer = match asked {
            Ok(answers) => answers.next(cancelled, Some(WITHIN)),
            Err(error) => {
                tracing::error!(%error, "could not ask the session for a name");
                return;
            }
        };
        let addresses = match answer {
            Ok(ToSupervisor::Resolved { result, .. }) => result,
            Ok(other) => Err(format!("the session answered {other:?}")),
            Err(_) => Err(format!("no answer within {WITHIN:?}")),
        };
        let addresses = addresses.unwrap_or_else(|why| {
            let text = format!(
                "network.outgoing.filter names {}, which does not resolve ({why}); until it does \
                 the filter speaks of no address",
                filter.name
            );
            let level = "warn".to_owned();
            self.session.event(EventKind::Notice { level, text });
            Vec::new()
        });
        self.filter_names.learn(filter.name, addresses);
    }
}

fn canonical(to: SocketAddr) -> IpAddr {
    to.ip().to_canonical()
}
