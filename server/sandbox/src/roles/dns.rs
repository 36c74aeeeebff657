//! `sandbox-dns`: the pod's name server, over UDP and TCP. It knows the names of its zone (a
//! JSON list of names and addresses in [`ZONE`]) and answers NXDOMAIN, with authority, to all others: nothing
//! is ever asked outside.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use simple_dns::rdata::{OPT, RData, SOA};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use super::{Role, sockets};
use crate::addresses::*;
use crate::report::{self, Ready};

/// The variable with the zone.
pub(super) const ZONE: &str = "SANDBOX_ZONE";
const ADDRESSES: [IpAddr; 2] = [IpAddr::V4(DNS_V4), IpAddr::V6(DNS_V6)];
/// What fits into a UDP answer for a client that does not say (RFC 1035), and at most (RFC 9715).
const PLAIN_UDP: u16 = 512;
const LARGEST_UDP: u16 = 1232;
const TTL: u32 = 5;
const IDLE: Duration = Duration::from_secs(30);

pub(super) fn run() -> Result<i32> {
    let zone =
        std::env::var(ZONE).with_context(|| format!("could not read the variable {ZONE}"))?;
    let zone: Vec<(String, Vec<IpAddr>)> =
        serde_json::from_str(&zone).context("could not understand the zone")?;
    let zone: &'static Zone = Box::leak(Box::new(Zone { names: zone }));
    for socket in sockets::receive_on(ADDRESSES, DNS_PORT)? {
        thread::Builder::new()
            .name("dns-udp".into())
            .spawn(move || serve_udp(&socket, zone))?;
    }
    for listener in sockets::listen_on(ADDRESSES, DNS_PORT)? {
        thread::Builder::new()
            .name("dns-tcp".into())
            .spawn(move || serve_tcp(&listener, zone))?;
    }
    report::ready(Ready::of(Role::Dns))?;
    loop {
        thread::park();
    }
}

fn serve_udp(socket: &UdpSocket, zone: &Zone) {
    let mut bytes = [0; 4096];
    loop {
        let result = socket.recv_from(&mut bytes).and_then(|(length, peer)| {
            let Some(answer) = zone.answer(&bytes[..length], true) else {
                return Ok(0);
            };
            socket.send_to(&answer, peer)
        });
        if let Err(error) = result {
            eprintln!("a question over UDP could not be answered: {error}");
        }
    }
}

fn serve_tcp(listener: &TcpListener, zone: &'static Zone) {
    loop {
        let spawned = listener.accept().and_then(|(stream, _)| {
            thread::Builder::new()
                .name("dns-client".into())
                .spawn(move || {
                    // A client that breaks off is its own affair.
                    let _ = answer_stream(stream, zone);
                })
        });
        if let Err(error) = spawned {
            eprintln!("a question over TCP could not be taken: {error}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Messages with their length before each (RFC 1035, 4.2.2), until the client closes.
fn answer_stream(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question)?;
        let Some(answer) = zone.answer(&question, false) else {
            return Ok(());
        };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let mut message = length.to_be_bytes().to_vec();
        message.extend_from_slice(&answer);
        stream.write_all(&message)?;
    }
}

/// All that this server knows.
struct Zone {
    names: Vec<(String, Vec<IpAddr>)>,
}

impl Zone {
    /// The answer to a message; `None` to what is no question, which gets none.
    fn answer(&self, question: &[u8], udp: bool) -> Option<Vec<u8>> {
        let asked = Packet::parse(question).ok()?;
        if asked.has_flags(PacketFlag::RESPONSE) {
            return None;
        }
        let mut reply = Packet::new_reply(asked.id());
        *reply.opcode_mut() = asked.opcode();
        if asked.has_flags(PacketFlag::RECURSION_DESIRED) {
            reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        }
        let room = asked.opt().map_or(PLAIN_UDP, |opt| {
            opt.udp_packet_size.clamp(PLAIN_UDP, LARGEST_UDP)
        });
        if asked.opt().is_some() {
            *reply.opt_mut() = Some(OPT {
                opt_codes: Vec::new(),
                udp_packet_size: LARGEST_UDP,
                version: 0,
            });
        }
        reply.questions = asked.questions.clone();
        match (asked.opcode(), asked.questions.as_slice()) {
            (OPCODE::StandardQuery, [one]) => self.fill(&mut reply, &one.qname, one.qtype),
            (OPCODE::StandardQuery, _) => *reply.rcode_mut() = RCODE::FormatError,
            _ => *reply.rcode_mut() = RCODE::NotImplemented,
        }
        let whole = reply.build_bytes_vec_compressed().ok()?;
        if !udp || whole.len() <= usize::from(room) {
            return Some(whole);
        }
        // The client asks again over TCP.
        reply.answers.clear();
        reply.name_servers.clear();
        reply.set_flags(PacketFlag::TRUNCATION);
        reply.build_bytes_vec_compressed().ok()
    }

    fn fill<'a>(&self, reply: &mut Packet<'a>, name: &Name<'a>, kind: QTYPE) {
        reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
        let text = name.to_string().to_ascii_lowercase();
        let known = self.names.iter().find(|(known, _)| *known == text);
        let wanted = |address: &&IpAddr| match kind {
            QTYPE::TYPE(TYPE::A) => address.is_ipv4(),
            QTYPE::TYPE(TYPE::AAAA) => address.is_ipv6(),
            QTYPE::ANY => true,
            _ => false,
        };
        for address in known
            .iter()
            .flat_map(|(_, addresses)| addresses)
            .filter(wanted)
        {
            let data = match address {
                IpAddr::V4(address) => RData::A((*address).into()),
                IpAddr::V6(address) => RData::AAAA((*address).into()),
            };
            reply
                .answers
                .push(ResourceRecord::new(name.clone(), CLASS::IN, TTL, data));
        }
        // A name that only has others below it is there too, without data (RFC 8020).
        let below = format!(".{text}");
        if known.is_none() && !self.names.iter().any(|(known, _)| known.ends_with(&below)) {
            *reply.rcode_mut() = RCODE::NameError;
        }
        if reply.answers.is_empty() {
            reply.name_servers.push(authority());
        }
    }
}

/// Tells clients that "no" is the last word, and for how long (RFC 2308).
fn authority<'a>() -> ResourceRecord<'a> {
    let soa = SOA {
        mname: Name::new_unchecked("dns.kube-system.svc.cluster.local"),
        rname: Name::new_unchecked("sandbox.cluster.local"),
        serial: 1,
        refresh: 3600,
        retry: 600,
        expire: 86400,
        minimum: TTL,
    };
    ResourceRecord::new(
        Name::new_unchecked("cluster.local"),
        CLASS::IN,
        TTL,
        RData::SOA(soa),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::{QCLASS, Question};

    fn zone() -> Zone {
        Zone {
            names: crate::pod::names::zone(&crate::SandboxSpec::new("x"), true),
        }
    }

    fn ask(name: &str, kind: TYPE, udp: bool) -> (RCODE, usize, bool, usize) {
        let mut query = Packet::new_query(7);
        query.questions.push(Question::new(
            Name::new_unchecked(name),
            kind.into(),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        let answer = zone()
            .answer(&query.build_bytes_vec().unwrap(), udp)
            .unwrap();
        let parsed = Packet::parse(&answer).unwrap();
        assert_eq!(parsed.id(), 7);
        let truncated = parsed.has_flags(PacketFlag::TRUNCATION);
        (
            parsed.rcode(),
            parsed.answers.len(),
            truncated,
            parsed.name_servers.len(),
        )
    }

    #[test]
    fn known_names_have_addresses_in_any_case() {
        assert_eq!(
            ask("Orders.Shop.svc.cluster.local", TYPE::A, true),
            (RCODE::NoError, 1, false, 0)
        );
        assert_eq!(
            ask("orders.shop.svc.cluster.local", TYPE::AAAA, true),
            (RCODE::NoError, 1, false, 0)
        );
    }

    #[test]
    fn a_missing_name_and_a_missing_type_are_different_answers() {
        assert_eq!(
            ask("nobody.example.com", TYPE::A, true),
            (RCODE::NameError, 0, false, 1)
        );
        assert_eq!(
            ask("orders.shop.svc.cluster.local", TYPE::MX, true),
            (RCODE::NoError, 0, false, 1)
        );
        assert_eq!(
            ask("shop.svc.cluster.local", TYPE::A, true),
            (RCODE::NoError, 0, false, 1)
        );
    }

    #[test]
    fn a_long_answer_is_cut_over_udp_only() {
        assert_eq!(
            ask("many.shop.svc.cluster.local", TYPE::A, true),
            (RCODE::NoError, 0, true, 0)
        );
        assert_eq!(
            ask("many.shop.svc.cluster.local", TYPE::A, false),
            (RCODE::NoError, 40, false, 0)
        );
    }

    #[test]
    fn nonsense_gets_no_answer() {
        assert_eq!(zone().answer(b"hello", true), None);
        assert!(zone().answer(&[0; 12], true).is_some());
    }
}
