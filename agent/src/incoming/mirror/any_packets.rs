//! Packets of strangers, for the fuzzer (`fuzz/`): whatever arrives in the pod and in whatever
//! order, what is copied is what the client sent, without a gap.
//!
//! Each byte of a client's stream is a function of its sequence number, so that any copy can be
//! checked without keeping what was sent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mirrord_protocol::control::AddressPair;

use super::copies::{CopyReceiver, CopySender, Held, copy};
use super::flows::{Flows, Outside};
use super::packet::{Flags, Segment, parse};
use super::reassembly::Assembler;

/// Close to where sequence numbers wrap.
const FIRST: u32 = u32::MAX - 1000;

/// Tries them: the first byte says as what.
pub fn any_packets(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, rest)) => one_packet(rest),
        Some((1, rest)) => one_stream(rest),
        Some((_, rest)) => capture(rest),
        None => {}
    }
}

fn one_packet(packet: &[u8]) {
    for verified in [true, false] {
        let Some(segment) = parse(packet, verified) else {
            continue;
        };
        assert!(segment.payload.len() + 40 <= packet.len(), "two headers");
        let mut pod = Pod::default();
        let mut flows = Flows::default();
        flows.segment(segment, Instant::now(), &mut pod);
    }
}

/// Records of an offset (two bytes), a length, and whether it is the end.
fn one_stream(bytes: &[u8]) {
    let mut assembler = Assembler::new(FIRST);
    let mut got = Vec::new();
    let mut sent = vec![false; usize::from(u16::MAX) + 256];
    let mut end = None;
    for [low, high, length, fin] in bytes.as_chunks().0 {
        let start = usize::from(u16::from_le_bytes([*low, *high]));
        let last = start + usize::from(*length);
        let fin = fin % 8 == 1;
        sent[start..last].fill(true);
        if fin {
            end.get_or_insert(last);
        }
        let sequence = FIRST.wrapping_add(start as u32);
        let payload = stream(sequence, usize::from(*length));
        let pushed = assembler.push(sequence, &payload, fin, |bytes| got.extend(bytes));
        pushed.expect("less than may wait");

        let whole = sent.iter().take_while(|sent| **sent).count();
        assert_eq!(got.len(), whole, "all up to the first gap");
        assert_eq!(assembler.ended(), end.is_some_and(|end| whole >= end));
        let behind = sent[whole..].contains(&true) || end.is_some_and(|end| end > whole);
        assert_eq!(assembler.has_gap(), behind);
    }
    assert_eq!(got, stream(FIRST, got.len()));
}

/// Records of a client, flags, a sequence number (two bytes around the wrap), a length, and how
/// many seconds passed.
fn capture(bytes: &[u8]) {
    let mut pod = Pod::default();
    let mut flows = Flows::default();
    let mut now = Instant::now();
    for [who, flags, low, high, length, seconds] in bytes.as_chunks().0 {
        now += Duration::from_secs((seconds % 32).into());
        if *seconds >= 128 {
            flows.sweep(now, &mut pod);
        }
        let addresses = AddressPair {
            client: ([10, 0, 0, 1], 40_000 + u16::from(who % 4)).into(),
            server: ([10, 0, 0, 2], 80).into(),
        };
        let sequence = FIRST.wrapping_add(u16::from_le_bytes([*low, *high]).into());
        let flags = Flags(*flags);
        if flags.syn() && !flags.ack() {
            pod.firsts
                .insert(addresses.client, sequence.wrapping_add(1));
        }
        // The bytes of a SYN come behind its own sequence number.
        let from = sequence.wrapping_add((flags.syn() && !flags.ack()).into());
        let segment = Segment {
            addresses,
            sequence,
            payload: &stream(from, (*length).into()),
            flags,
            cut: *who >= 250,
        };
        flows.segment(segment, now, &mut pod);
    }
    flows.keep_ports(|port| port != 80);
    for (first, mut copied) in pod.copies {
        let (got, _) = copied.drain();
        assert_eq!(got, stream(first, got.len()));
    }
    assert_eq!(pod.held.bytes(), 0, "everything is given back");
}

fn stream(first: u32, length: usize) -> Vec<u8> {
    let byte = |at: u32| (at ^ (at >> 8)) as u8;
    (0..length as u32)
        .map(|at| byte(first.wrapping_add(at)))
        .collect()
}

#[derive(Default)]
struct Pod {
    held: Arc<Held>,
    /// The first byte's sequence number of each client's latest connection.
    firsts: HashMap<SocketAddr, u32>,
    copies: Vec<(u32, CopyReceiver)>,
}

impl Outside for Pod {
    fn open(&mut self, addresses: AddressPair) -> Option<CopySender> {
        let first = *self.firsts.get(&addresses.client)?;
        let (sender, receiver) = copy(&self.held);
        self.copies.push((first, receiver));
        Some(sender)
    }

    fn given_up(&mut self, _: AddressPair, reason: &'static str) {
        assert!(!reason.is_empty());
    }
}
