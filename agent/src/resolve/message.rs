//! The two DNS messages that are needed: a question for addresses, and its answer (RFC 1035).

use std::net::IpAddr;

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
}

/// A question and how its answer is known.
#[derive(Debug)]
pub(super) struct Query {
    id: u16,
    name: String,
    /// What is sent.
    pub(super) bytes: Vec<u8>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Possibly none: the name is unknown, or has none of this kind.
    Addresses(Vec<IpAddr>),
    /// It did not fit; ask over TCP.
    Truncated,
    /// The server will not or cannot say.
    Refused(String),
    /// Not an answer to this question.
    NotOurs,
}

impl Query {
    /// A question with a random id, or `None` when the name cannot be asked for.
    pub(super) fn new(name: &str, kind: Kind) -> Option<Self> {
        // Empty labels would be left out in silence.
        if name.split('.').any(str::is_empty) {
            return None;
        }
        let mut id = [0; 2];
        // Without randomness there still are the random port and the connected socket.
        let id =
            getrandom::fill(&mut id).map_or(std::process::id() as u16, |()| u16::from_be_bytes(id));
        let kind = match kind {
            Kind::A => TYPE::A,
            Kind::Aaaa => TYPE::AAAA,
        };
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let asked = Name::new(name).ok()?;
        packet.questions.push(Question::new(
            asked,
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        let bytes = packet.build_bytes_vec().ok()?;
        Some(Query {
            id,
            name: name.to_owned(),
            bytes,
        })
    }

    /// Reads an answer to it.
    pub(super) fn parse(&self, message: &[u8]) -> Answer {
        let Ok(packet) = Packet::parse(message) else {
            return Answer::NotOurs;
        };
        let same_name = packet
            .questions
            .first()
            .is_some_and(|question| question.qname.to_string().eq_ignore_ascii_case(&self.name));
        if packet.id() != self.id || !packet.has_flags(PacketFlag::RESPONSE) || !same_name {
            return Answer::NotOurs;
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return Answer::Truncated;
        }
        match packet.rcode() {
            RCODE::NoError => {}
            RCODE::NameError => return Answer::Addresses(Vec::new()),
            code => return Answer::Refused(format!("the name server answered {code:?}")),
        }
        // The records of an alias come before those of its target; all address records are meant.
        let addresses = packet
            .answers
            .iter()
            .filter_map(|record| match &record.rdata {
                RData::A(four) => Some(IpAddr::from(four.address.to_be_bytes())),
                RData::AAAA(six) => Some(IpAddr::from(six.address.to_be_bytes())),
                _ => None,
            });
        Answer::Addresses(addresses.collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A server's answer to a question: an alias, then its address.
    pub(crate) fn answer(query: &[u8], flags: u16, address: Option<[u8; 4]>) -> Vec<u8> {
        let mut message = query.to_vec();
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        let wanted = query[query.len() - 3];
        if let Some(address) = address.filter(|_| wanted == 1) {
            message[7] = 2;
            message.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x04\x01x\xc0\x0c");
            message.extend_from_slice(b"\x01x\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04");
            message.extend_from_slice(&address);
        }
        message
    }

    #[test]
    fn an_alias_leads_to_its_addresses() {
        let query = Query::new("a.b", Kind::A).unwrap();
        let message = answer(&query.bytes, 0x8180, Some([1, 2, 3, 4]));
        assert_eq!(
            query.parse(&message),
            Answer::Addresses(vec![[1, 2, 3, 4].into()])
        );
    }

    #[test]
    fn no_cut_of_an_answer_is_taken_for_one() {
        let query = Query::new("a.b", Kind::A).unwrap();
        let message = answer(&query.bytes, 0x8180, Some([1, 2, 3, 4]));
        for size in 0..message.len() {
            let parsed = query.parse(&message[..size]);
            assert!(
                !matches!(parsed, Answer::Addresses(_)),
                "{size}: {parsed:?}"
            );
        }
    }

    #[test]
    fn answers_to_other_questions_are_not_ours() {
        let ours = Query::new("a.b", Kind::A).unwrap();
        let mut other_name = answer(&Query::new("a.c", Kind::A).unwrap().bytes, 0x8180, None);
        other_name[..2].copy_from_slice(&ours.bytes[..2]);
        assert_eq!(ours.parse(&other_name), Answer::NotOurs);
        let mut other_id = answer(&ours.bytes, 0x8180, None);
        other_id[0] ^= 1;
        assert_eq!(ours.parse(&other_id), Answer::NotOurs);
        let refused = answer(&ours.bytes, 0x8185, None);
        assert!(matches!(ours.parse(&refused), Answer::Refused(_)));
    }

    #[test]
    fn names_that_cannot_be_asked_for_are_refused() {
        assert!(Query::new("", Kind::A).is_none());
        assert!(Query::new("a..b", Kind::A).is_none());
        assert!(Query::new(&"x".repeat(64), Kind::A).is_none());
        assert!(Query::new(&["abcdefg"; 40].join("."), Kind::A).is_none());
    }
}
