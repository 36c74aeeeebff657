//! What name servers answer and the pod's files about names say, for the fuzzer (`fuzz/`).

use std::time::Duration;

use super::config::{Config, in_hosts};
use super::message::{Answer, Kind, Query};

/// Bytes of a header behind its id and before its counts (RFC 1035, 4.1.1).
const FLAGS: std::ops::Range<usize> = 2..4;
const COUNTS: std::ops::Range<usize> = 6..12;

/// Tries them as a whole answer, as flags, counts and records behind our question, and as a file.
pub fn any_answer(bytes: &[u8]) {
    for kind in [Kind::A, Kind::Aaaa] {
        let query = Query::new("db.shop.svc", kind).expect("a name");
        let mut whole = bytes.to_vec();
        if let Some(id) = whole.first_chunk_mut() {
            *id = [query.bytes[0], query.bytes[1]];
        }
        heard(&query, &whole);
        if let Some((head, records)) = bytes.split_at_checked(FLAGS.len() + COUNTS.len()) {
            let mut behind = [&query.bytes[..], records].concat();
            behind[FLAGS].copy_from_slice(&head[..FLAGS.len()]);
            behind[COUNTS].copy_from_slice(&head[FLAGS.len()..]);
            heard(&query, &behind);
        }
    }
    file(&String::from_utf8_lossy(bytes));
}

fn heard(query: &Query, message: &[u8]) {
    match query.parse(message) {
        // A record is at least eleven bytes and its address (RFC 1035, 4.1.3).
        Answer::Addresses(found) => assert!(found.len() * 15 <= message.len()),
        Answer::Refused(why) => assert!(!why.is_empty()),
        Answer::Truncated | Answer::NotOurs => {}
    }
}

fn file(text: &str) {
    let config = Config::parse(text);
    assert!((1..=3).contains(&config.servers.len()));
    assert!((1..=5).contains(&config.attempts));
    assert!(config.timeout >= Duration::from_secs(1) && config.timeout <= Duration::from_secs(30));
    for host in ["db", "db.", "a.b.c"] {
        let names = config.candidates(host);
        assert!(names.iter().any(|name| name == host.trim_end_matches('.')));
        for name in names {
            Query::new(&name, Kind::A);
        }
    }
    in_hosts(text, "db");
}
