//! The connections that a capture sees, from first packet to last.
//!
//! A copy begins when the client acknowledged the pod's answer to its SYN, so that the local
//! program never sees a connection that the pod refused or never got; it ends with the client's
//! FIN, and is reset when the client resets or when bytes were lost. It runs on the capture
//! thread and never waits.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mirrord_protocol::control::AddressPair;

use super::copies::{Broken, CopySender};
use super::packet::Segment;
use super::reassembly::Assembler;

/// Connections followed at one time.
const FLOWS_MAX: usize = 4096;
/// A SYN whose handshake nobody finished (Linux gives up after about 130 s).
const HANDSHAKE_TIME: Duration = Duration::from_secs(130);
/// Bytes that are missing for so long were lost by the capture, not by the network.
const GAP_TIME: Duration = Duration::from_secs(15);

/// What the flows need from outside.
pub(super) trait Outside {
    /// Begins a copy; `None` when this connection is not wanted.
    fn open(&mut self, addresses: AddressPair) -> Option<CopySender>;
    /// A copy was given up; for the user.
    fn given_up(&mut self, addresses: AddressPair, reason: &'static str);
}

/// All connections of the capture.
#[derive(Default)]
pub(super) struct Flows {
    flows: HashMap<(SocketAddr, SocketAddr), Flow>,
}

struct Flow {
    assembler: Assembler,
    state: State,
    last_seen: Instant,
    gap_since: Option<Instant>,
}

enum State {
    /// SYN seen; bytes that came with it (TCP fast open) wait here.
    Handshake(Vec<Bytes>),
    /// The local program has a connection of its own.
    Copied(CopySender),
}

/// What became of a flow after a segment.
enum Next {
    GoesOn,
    Over,
    GivenUp(&'static str),
}

const TOO_SLOW: &str = "the link to the session is slower than the client";
const LOST: &str = "packets were lost by the capture";
const TOO_MANY: &str = "too many connections are mirrored at one time";

impl Flows {
    /// Takes the next packet of the capture.
    pub(super) fn segment(
        &mut self,
        segment: Segment<'_>,
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let addresses = segment.addresses;
        let key = (addresses.client, addresses.server);
        if segment.flags.syn() && !segment.flags.ack() {
            self.begin(key, &segment, now, outside);
            return;
        }
        // A connection that was there before the capture is left alone.
        let Some(flow) = self.flows.get_mut(&key) else {
            return;
        };
        flow.last_seen = now;
        match flow.take(&segment, now, outside) {
            Next::GoesOn => {}
            Next::Over => {
                self.flows.remove(&key);
            }
            Next::GivenUp(reason) => {
                self.flows.remove(&key);
                outside.given_up(addresses, reason);
            }
        }
    }

    /// Forgets what will not go on; call it about every second.
    pub(super) fn sweep(&mut self, now: Instant, outside: &mut impl Outside) {
        self.flows.retain(|&(client, server), flow| {
            if matches!(flow.state, State::Handshake(_)) {
                return now.duration_since(flow.last_seen) < HANDSHAKE_TIME;
            }
            let lost = flow
                .gap_since
                .is_some_and(|since| now.duration_since(since) >= GAP_TIME);
            if lost {
                outside.given_up(AddressPair { client, server }, LOST);
            }
            !lost
        });
    }

    /// Ends the copies of ports that are not mirrored any more.
    pub(super) fn keep_ports(&mut self, mirrored: impl Fn(u16) -> bool) {
        self.flows.retain(|(_, server), _| mirrored(server.port()));
    }

    fn begin(
        &mut self,
        key: (SocketAddr, SocketAddr),
        syn: &Segment<'_>,
        now: Instant,
        outside: &mut impl Outside,
    ) {
        let first = syn.sequence.wrapping_add(1);
        if let Some(flow) = self.flows.get(&key)
            && flow.assembler.first_sequence() == first
        {
            return; // sent again
        }
        if self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&key) {
            self.evict(outside);
        }
        let mut flow = Flow {
            assembler: Assembler::new(first),
            state: State::Handshake(Vec::new()),
            last_seen: now,
            gap_since: None,
        };
        let mut early = Vec::new();
        let pushed = flow
            .assembler
            .push(first, syn.payload, false, |bytes| early.push(bytes));
        if pushed.is_ok() {
            flow.state = State::Handshake(early);
            self.flows.insert(key, flow);
        }
    }

    /// Makes room by forgetting the connection that was silent for longest.
    fn evict(&mut self, outside: &mut impl Outside) {
        let oldest = self
            .flows
            .iter()
            .min_by_key(|(_, flow)| flow.last_seen)
            .map(|(&key, _)| key);
        if let Some((client, server)) = oldest {
            let flow = self.flows.remove(&(client, server));
            if flow.is_some_and(|flow| matches!(flow.state, State::Copied(_))) {
                outside.given_up(AddressPair { client, server }, TOO_MANY);
            }
        }
    }
}

impl Flow {
    fn take(&mut self, segment: &Segment<'_>, now: Instant, outside: &mut impl Outside) -> Next {
        if segment.flags.rst() {
            let believed = self.assembler.reset_counts(segment.sequence);
            return if believed { Next::Over } else { Next::GoesOn };
        }
        if !segment.flags.ack() {
            return Next::GoesOn;
        }
        if let State::Handshake(early) = &mut self.state {
            let early = std::mem::take(early);
            let Some(copy) = outside.open(segment.addresses) else {
                return Next::Over;
            };
            for bytes in early {
                if copy.send(bytes).is_err() {
                    return Next::GivenUp(TOO_SLOW);
                }
            }
            self.state = State::Copied(copy);
        }
        let State::Copied(copy) = &self.state else {
            return Next::Over;
        };
        if segment.cut {
            return Next::GivenUp(LOST);
        }
        let mut sent = Ok(());
        let pushed = self.assembler.push(
            segment.sequence,
            segment.payload,
            segment.flags.fin(),
            |bytes| {
                if sent.is_ok() {
                    sent = copy.send(bytes);
                }
            },
        );
        match (pushed, sent) {
            (Err(_), _) => return Next::GivenUp(LOST),
            (_, Err(Broken::TooSlow)) => return Next::GivenUp(TOO_SLOW),
            (_, Err(Broken::Closed)) => return Next::Over,
            (Ok(()), Ok(())) => {}
        }
        self.gap_since = match (self.assembler.has_gap(), self.gap_since) {
            (false, _) => None,
            (true, since) => Some(since.unwrap_or(now)),
        };
        if !self.assembler.ended() {
            return Next::GoesOn;
        }
        match copy.end() {
            Err(Broken::TooSlow) => Next::GivenUp(TOO_SLOW),
            Ok(()) | Err(Broken::Closed) => Next::Over,
        }
    }
}

#[cfg(test)]
mod tests;
