//! LSP's framing, as an editor's pipe and the daemon's socket have it: the same frames and the
//! same end come out however the bytes were cut into reads, and a whole message is always read.

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::daemon_framing::{Frame, Framing};

/// Tries them: the first says in which steps the others arrive.
pub fn run(bytes: &[u8]) {
    let Some((step, bytes)) = bytes.split_first() else {
        return;
    };
    let in_steps = decoded(bytes, usize::from(*step) + 1);
    let at_once = decoded(bytes, usize::MAX);
    assert_eq!(in_steps, at_once);

    let mut framed = BytesMut::new();
    let body = serde_json::to_vec(&String::from_utf8_lossy(bytes)).expect("text is JSON");
    Framing::default()
        .encode(body.clone(), &mut framed)
        .expect("memory takes everything");
    let (frames, end) = decoded(&framed, usize::from(*step) + 1);
    assert!(matches!(&frames[..], [Frame::Json(_)]), "{frames:?}");
    assert_eq!(end, None);
}

/// The frames, and the error that ended them.
fn decoded(bytes: &[u8], step: usize) -> (Vec<Frame>, Option<String>) {
    let mut framing = Framing::default();
    let mut arrived = BytesMut::new();
    let mut frames = Vec::new();
    for part in bytes.chunks(step.min(bytes.len().max(1))) {
        arrived.extend_from_slice(part);
        loop {
            match framing.decode(&mut arrived) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    let end = framing.decode_eof(&mut arrived);
    match end {
        Ok(None) => (frames, None),
        Ok(Some(frame)) => panic!("{frame:?} was there before the end"),
        Err(error) => (frames, Some(error.to_string())),
    }
}
