//! The two DNS messages that are needed: a question for addresses, and its answer (RFC 1035).

use std::net::IpAddr;

const HEADER_SIZE: usize = 12;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A = 1,
    Aaaa = 28,
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

/// A question with a random id, or `None` when the name cannot be asked for.
pub(super) fn query(name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut id = [0; 2];
    // A predictable id would only weaken one of two guards; the port is random as well.
    if getrandom::fill(&mut id).is_err() {
        id = (std::process::id() as u16).to_be_bytes();
    }
    // Recursion desired, one question.
    let mut message = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let size = u8::try_from(label.len())
            .ok()
            .filter(|size| (1..=63).contains(size))?;
        message.push(size);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, kind as u8, 0, 1]);
    (message.len() <= HEADER_SIZE + 255 + 4).then_some(message)
}

/// Reads an answer to `query`.
pub(super) fn parse(message: &[u8], query: &[u8], kind: Kind) -> Answer {
    let question = &query[HEADER_SIZE..];
    let same_question = message
        .get(HEADER_SIZE..HEADER_SIZE + question.len())
        .is_some_and(|theirs| theirs.eq_ignore_ascii_case(question));
    if !same_question || message[..2] != query[..2] || message[2] & 0x80 == 0 {
        return Answer::NotOurs;
    }
    if message[2] & 0x02 != 0 {
        return Answer::Truncated;
    }
    match message[3] & 0x0f {
        0 => {}
        3 => return Answer::Addresses(Vec::new()),
        code => return Answer::Refused(format!("the name server answered with code {code}")),
    }
    let count = u16::from_be_bytes([message[6], message[7]]);
    let mut rest = &message[HEADER_SIZE + question.len()..];
    let mut addresses = Vec::new();
    // The records of an alias come before those of its target; all address records are meant.
    for _ in 0..count {
        let Some((record, after)) = take_record(rest) else {
            return Answer::Refused("the answer is cut".to_owned());
        };
        rest = after;
        if record.kind == kind as u16 {
            addresses.extend(to_address(record.data));
        }
    }
    Answer::Addresses(addresses)
}

struct Record<'a> {
    kind: u16,
    data: &'a [u8],
}

fn take_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let bytes = skip_name(bytes)?;
    let kind = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
    let size = usize::from(u16::from_be_bytes([*bytes.get(8)?, *bytes.get(9)?]));
    let data = bytes.get(10..10 + size)?;
    Some((Record { kind, data }, &bytes[10 + size..]))
}

/// A name ends with an empty label, or with a pointer to where the rest of it is.
fn skip_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        match *bytes.first()? {
            0 => return bytes.get(1..),
            size if size & 0xc0 == 0xc0 => return bytes.get(2..),
            size => bytes = bytes.get(1 + usize::from(size)..)?,
        }
    }
}

fn to_address(data: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(data) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(data).ok().map(IpAddr::from)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A server's answer to a question: an alias, then its address.
    pub(crate) fn answer(query: &[u8], flags: u16, address: Option<[u8; 4]>) -> Vec<u8> {
        let mut message = query.to_vec();
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        let wanted = query[query.len() - 3];
        if let Some(address) = address.filter(|_| wanted == Kind::A as u8) {
            message[7] = 2;
            message.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x04\x01x\xc0\x0c");
            message.extend_from_slice(b"\x01x\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04");
            message.extend_from_slice(&address);
        }
        message
    }

    #[test]
    fn an_alias_leads_to_its_addresses() {
        let query = query("a.b", Kind::A).unwrap();
        let message = answer(&query, 0x8180, Some([1, 2, 3, 4]));
        let expected = Answer::Addresses(vec![[1, 2, 3, 4].into()]);
        assert_eq!(parse(&message, &query, Kind::A), expected);
    }

    #[test]
    fn no_cut_of_an_answer_is_taken_for_one() {
        let query = query("a.b", Kind::A).unwrap();
        let message = answer(&query, 0x8180, Some([1, 2, 3, 4]));
        for size in 0..message.len() {
            let parsed = parse(&message[..size], &query, Kind::A);
            assert!(
                !matches!(parsed, Answer::Addresses(_)),
                "{size}: {parsed:?}"
            );
        }
    }

    #[test]
    fn answers_to_other_questions_are_not_ours() {
        let ours = query("a.b", Kind::A).unwrap();
        let theirs = answer(&query("a.c", Kind::A).unwrap(), 0x8180, None);
        assert_eq!(parse(&theirs, &ours, Kind::A), Answer::NotOurs);
        let mut other_id = answer(&ours, 0x8180, None);
        other_id[0] ^= 1;
        assert_eq!(parse(&other_id, &ours, Kind::A), Answer::NotOurs);
        let refused = answer(&ours, 0x8185, None);
        assert!(matches!(
            parse(&refused, &ours, Kind::A),
            Answer::Refused(_)
        ));
    }

    #[test]
    fn names_that_cannot_be_asked_for_are_refused() {
        assert!(query("", Kind::A).is_none());
        assert!(query("a..b", Kind::A).is_none());
        assert!(query(&"x".repeat(64), Kind::A).is_none());
        assert!(query(&"abcdefg.".repeat(40), Kind::A).is_none());
    }
}
