//! The state of one association, in one task.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mirrord_protocol::control::AddressPair;
use mirrord_protocol::local::{Loopback, Relay, Ticket, ToSupervisor};
use mirrord_protocol::streams::{Datagram, StreamHeader};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::pod::{PodEvent, PodSocket};
use super::relay::RelaySocket;
use super::{Key, Open};
use crate::outgoing::{Shared, meeting::mapped};
use crate::peers::{Kind, relay_tag};
use crate::sockets::{self, Transport};

/// How often the kernel is asked whether the program's socket is still there. An idle socket must
/// keep its relays for as long as it lives: a connected one could not be connected anew.
const CHECK: Duration = Duration::from_secs(20);

/// All that can happen to an association.
pub(super) enum Input {
    /// The program wants another destination.
    Open(Open),
    /// The program sent a datagram.
    FromProgram { to: SocketAddr, payload: Vec<u8> },
    /// A datagram of ours found no socket.
    NobodyThere,
    /// News of the socket in the pod.
    Pod(PodEvent),
}

pub(super) struct Association {
    shared: Arc<Shared>,
    key: Key,
    program: SocketAddr,
    input_tx: mpsc::Sender<Input>,
    relays: HashMap<SocketAddr, RelaySocket>,
    pod: Option<PodSocket>,
    /// Set when the socket in the pod stands.
    stands: Option<Option<SocketAddr>>,
    /// Answers that wait until it does.
    waiting: Vec<(Ticket, Relay)>,
    /// The tag of our entry for the program's own address.
    entered: Option<u64>,
}

impl Association {
    pub(super) fn new(
        shared: Arc<Shared>,
        key: Key,
        program: SocketAddr,
        input_tx: mpsc::Sender<Input>,
    ) -> Self {
        Association {
            shared,
            key,
            program,
            input_tx,
            relays: HashMap::new(),
            pod: None,
            stands: None,
            waiting: Vec::new(),
            entered: None,
        }
    }

    pub(super) async fn run(mut self, mut input_rx: mpsc::Receiver<Input>) {
        let mut check = tokio::time::interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let goes_on = tokio::select! {
                input = input_rx.recv() => match input {
                    Some(input) => self.act(input),
                    None => false,
                },
                _ = check.tick() => self.program_lives(),
            };
            if !goes_on {
                break;
            }
        }
        self.shared.associations.forget(self.key, &self.input_tx);
        for (ticket, _) in std::mem::take(&mut self.waiting) {
            self.shared.connected(ticket, Err(libc::ENETDOWN));
        }
        if let Some(tag) = self.entered {
            self.shared
                .peers
                .remove(Kind::UdpProgram, self.program, tag);
        }
    }

    /// One step; `false` ends the association.
    fn act(&mut self, input: Input) -> bool {
        match input {
            Input::Open(open) => self.open(open),
            Input::FromProgram { to, payload } => self.forward(to, payload),
            Input::NobodyThere => return self.program_lives(),
            Input::Pod(PodEvent::Stands(local)) => self.stands(local),
            Input::Pod(PodEvent::Datagram(Datagram::Data { peer, payload })) => {
                self.deliver(peer, &payload);
            }
            Input::Pod(PodEvent::Datagram(Datagram::Ask { .. })) => {
                tracing::warn!("the agent asked a question, which only a session does");
            }
            Input::Pod(PodEvent::Datagram(Datagram::Error(error))) => {
                tracing::debug!(%error, "an error in the pod");
                if self.key.peer.is_some() && error.errno == libc::ECONNREFUSED {
                    let socket = self.key.socket;
                    self.shared.answer(ToSupervisor::Refused { socket });
                }
            }
            Input::Pod(PodEvent::Failed(error)) => {
                for (ticket, _) in std::mem::take(&mut self.waiting) {
                    self.shared.connected(ticket, Err(error.errno));
                }
                // Closing the relays refuses the program's next datagram (ICMP, udp(7)).
                return false;
            }
            Input::Pod(PodEvent::Ended) => {
                // Opened again when the program speaks again.
                self.pod = None;
                self.stands = None;
            }
        }
        true
    }

    fn open(&mut self, open: Open) {
        let Open {
            ticket,
            to,
            loopback,
            wait,
        } = open;
        let via = match self.relay(to) {
            Ok(relay) => {
                let tag = relay_tag(ticket, relay.via);
                relay.announce(to, tag);
                relay.via
            }
            Err(error) => {
                tracing::warn!(%error, "could not make a UDP relay (check the limit of open files)");
                let errno = error.raw_os_error().unwrap_or(libc::ENOBUFS);
                return self.shared.connected(ticket, Err(errno));
            }
        };
        let shown = if loopback == Loopback::Mapped {
            mapped(via)
        } else {
            via
        };
        let relay = Relay {
            via: shown,
            local: None,
            peer: Some(to),
        };
        self.pod();
        match self.stands {
            None if wait => self.waiting.push((ticket, relay)),
            None => self.shared.connected(ticket, Ok(relay)),
            Some(local) => self.answer(ticket, relay, local),
        }
    }

    fn answer(&mut self, ticket: Ticket, relay: Relay, local: Option<SocketAddr>) {
        if let (Some(client), Some(server)) = (local, self.key.peer) {
            let tag = relay_tag(ticket, relay.via);
            self.entered = Some(tag);
            let pair = AddressPair { client, server };
            self.shared
                .peers
                .enter(Kind::UdpProgram, self.program, pair, tag);
        }
        self.shared.connected(ticket, Ok(Relay { local, ..relay }));
    }

    fn stands(&mut self, local: Option<SocketAddr>) {
        self.stands = Some(local);
        for (ticket, relay) in std::mem::take(&mut self.waiting) {
            self.answer(ticket, relay, local);
        }
    }

    fn relay(&mut self, peer: SocketAddr) -> std::io::Result<&mut RelaySocket> {
        match self.relays.entry(peer) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let peers = self.shared.peers.clone();
                let relay = RelaySocket::open(peers, self.program, peer, self.input_tx.clone())?;
                Ok(entry.insert(relay))
            }
        }
    }

    fn pod(&mut self) -> &PodSocket {
        let (key, program) = (self.key, self.program);
        self.pod.get_or_insert_with(|| {
            // Families are the pod's business: a mapped destination was made IPv4 before.
            let ipv6 = self.relays.keys().next().unwrap_or(&program).is_ipv6();
            let header = StreamHeader::Udp {
                peer: key.peer,
                ipv6,
            };
            PodSocket::open(self.shared.clone(), header, self.input_tx.clone())
        })
    }

    fn forward(&mut self, to: SocketAddr, payload: Vec<u8>) {
        self.pod().send(to, payload);
    }

    fn deliver(&mut self, peer: SocketAddr, payload: &[u8]) {
        let known = self.relays.contains_key(&peer);
        match self.relay(peer) {
            Ok(relay) => {
                if !known {
                    let tag = relay_tag(0, relay.via);
                    relay.announce(peer, tag);
                }
                // A full buffer of the program drops it, as it would in the pod; a closed socket
                // is noticed by the relay's reader.
                if let Err(error) = relay.send(payload) {
                    tracing::debug!(%error, %peer, "a datagram did not reach the program");
                }
            }
            Err(error) => tracing::warn!(%error, "could not make a UDP relay for an answer"),
        }
    }

    fn program_lives(&self) -> bool {
        let Some(relay) = self.relays.values().next() else {
            return true;
        };
        match sockets::find(Transport::Udp, self.program, relay.via) {
            Ok(found) => found.is_some_and(|found| found.cookie == self.key.socket),
            Err(error) => {
                tracing::debug!(%error, "could not ask for a UDP socket; its relays stay");
                true
            }
        }
    }
}
