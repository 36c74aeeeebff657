//! What is said when a program joins a session: the request on the supervisor's socket, the token
//! in the environment's text, and the changes to the environment that the layer uses in place.

use mirrord_filter::environment::{Changes, SET, Token};
use mirrord_filter::hand_over;

/// Tries the bytes as each of them.
pub fn run(bytes: &[u8]) {
    request(bytes);
    if let Some(token) = Token::from_hex(bytes) {
        let text: String = token.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(text.as_bytes().eq_ignore_ascii_case(bytes));
    }
    let (block, own) = bytes.split_at(bytes.len() / 2);
    changes(block, own);
}

/// Who has no token is never taken for one who has, and nothing but the whole token is its own.
fn request(bytes: &[u8]) {
    let secret = Token([0x5a; Token::LEN]);
    let asked = hand_over::asked(bytes);
    assert!(asked.is_none() || bytes.len() == hand_over::REQUEST);
    let shown = asked.is_some_and(|token| token.is_some_and(|token| secret.is(&token)));
    assert_eq!(shown, bytes == hand_over::request(Some(&secret)));
    for token in [None, Some(&secret)] {
        let read = hand_over::asked(&hand_over::request(token)).expect("our own request");
        assert_eq!(read.map(|token| token.0), token.map(|token| token.0));
    }
}

/// The token never stays, nothing is there twice that was there once, and what is set is there.
fn changes(block: &[u8], own: &[u8]) {
    let own: Vec<&[u8]> = own.split(|byte| *byte == 0).collect();
    let mut entries: Vec<&[u8]> = Vec::new();
    Changes::new(block).apply(own.iter().copied(), |entry| entries.push(entry));
    let set = block
        .split(|byte| *byte == 0)
        .filter_map(|record| match record {
            [SET, entry @ ..] => Some(entry),
            _ => None,
        });
    let token = b"MIRRORD_LAUNCH_TOKEN=";
    let given = set.clone().any(|entry| entry.starts_with(token));
    let kept = entries.iter().any(|entry| entry.starts_with(token));
    assert!(given || !kept, "the token is still there");
    assert!(entries.len() <= own.len() + set.count());
}
