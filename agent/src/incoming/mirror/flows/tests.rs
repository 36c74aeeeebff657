//! Whole connections as the capture might see them.

use std::sync::Arc;

use super::super::copies::{CopyReceiver, Held, copy};
use super::super::packet::Flags;
use super::*;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

#[derive(Default)]
struct Session {
    held: Arc<Held>,
    copies: Vec<CopyReceiver>,
    given_up: Vec<&'static str>,
}

impl Outside for Session {
    fn open(&mut self, _: AddressPair) -> Option<CopySender> {
        let (sender, receiver) = copy(&self.held);
        self.copies.push(receiver);
        Some(sender)
    }

    fn given_up(&mut self, _: AddressPair, reason: &'static str) {
        self.given_up.push(reason);
    }
}

struct Client {
    flows: Flows,
    session: Session,
    now: Instant,
    port: u16,
}

impl Client {
    fn new() -> Client {
        Client {
            flows: Flows::default(),
            session: Session::default(),
            now: Instant::now(),
            port: 40_000,
        }
    }

    fn sends(&mut self, flags: u8, sequence: u32, payload: &[u8]) {
        let segment = Segment {
            addresses: AddressPair {
                client: ([10, 0, 0, 1], self.port).into(),
                server: ([10, 0, 0, 2], 80).into(),
            },
            sequence,
            payload,
            flags: Flags(flags),
            cut: false,
        };
        self.flows.segment(segment, self.now, &mut self.session);
    }
}

#[test]
fn a_connection_is_copied_from_handshake_to_fin() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"");
    assert!(
        client.session.copies.is_empty(),
        "the pod may still refuse it"
    );
    client.sends(ACK, 100, b"");
    assert_eq!(client.session.copies.len(), 1, "servers may speak first");
    client.sends(ACK, 105, b"WORLD");
    client.sends(ACK, 100, b"HELLO");
    client.sends(ACK | FIN, 110, b"");
    assert_eq!(
        client.session.copies[0].drain(),
        (b"HELLOWORLD".to_vec(), true)
    );
    assert!(client.flows.flows.is_empty());
}

#[test]
fn a_refused_connection_is_never_copied() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"");
    client.now += HANDSHAKE_TIME;
    client.flows.sweep(client.now, &mut client.session);
    assert!(client.session.copies.is_empty() && client.flows.flows.is_empty());
}

#[test]
fn bytes_of_a_fast_open_are_not_lost() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"GET");
    client.sends(ACK | FIN, 103, b" /");
    assert_eq!(client.session.copies[0].drain(), (b"GET /".to_vec(), true));
}

#[test]
fn a_reset_of_the_client_resets_the_copy() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"");
    client.sends(ACK, 100, b"ab");
    client.sends(RST, 50, b"");
    assert_eq!(client.flows.flows.len(), 1, "a made-up reset");
    client.sends(RST, 102, b"");
    assert!(client.flows.flows.is_empty());
    assert_eq!(client.session.copies[0].drain(), (b"ab".to_vec(), false));
}

#[test]
fn a_lost_packet_ends_the_copy_with_words() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"");
    client.sends(ACK, 102, b"cd");
    client.now += GAP_TIME;
    client.flows.sweep(client.now, &mut client.session);
    assert_eq!(client.session.given_up, [LOST]);
    assert_eq!(client.session.copies[0].drain(), (vec![], false));
}

#[test]
fn a_slow_link_ends_the_copy_with_words() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"");
    let chunk = vec![7; 60_000];
    for at in 0..200 {
        client.sends(ACK, 100 + at * 60_000, &chunk);
    }
    assert_eq!(client.session.given_up, [TOO_SLOW]);
}

#[test]
fn the_same_addresses_can_be_used_again() {
    let mut client = Client::new();
    client.sends(SYN, 99, b"");
    client.sends(ACK, 100, b"old");
    client.sends(SYN, 5000, b"");
    client.sends(SYN, 5000, b"");
    client.sends(ACK | FIN, 5001, b"new");
    assert_eq!(client.session.copies.len(), 2);
    assert_eq!(client.session.copies[0].drain(), (b"old".to_vec(), false));
    assert_eq!(client.session.copies[1].drain(), (b"new".to_vec(), true));
}

#[test]
fn too_many_connections_push_out_the_one_that_was_silent_for_longest() {
    let mut client = Client::new();
    for port in 1..=FLOWS_MAX as u16 + 1 {
        client.port = port;
        client.now += Duration::from_millis(1);
        client.sends(SYN, 0, b"");
        client.sends(ACK, 1, b"");
    }
    assert_eq!(client.flows.flows.len(), FLOWS_MAX);
    assert_eq!(client.session.given_up, [TOO_MANY]);
    client.flows.keep_ports(|port| port != 80);
    assert!(client.flows.flows.is_empty());
}
