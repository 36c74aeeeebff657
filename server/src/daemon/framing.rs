//! LSP's framing with limits: `Content-Length`, an empty line, and JSON. Whoever sends something
//! that cannot be a frame is cut off, since nobody could tell where the next one begins; a whole
//! frame with wrong JSON in it only spoils itself.

use bytes::{Buf, BufMut, BytesMut};
use serde_json::Value;
use tokio_util::codec::{Decoder, Encoder};

/// The longest message that is read. A workspace's largest configuration is far below.
pub const LONGEST_BODY: usize = 32 << 20;

/// All headers of one message; there are two of them at most.
const LONGEST_HEADERS: usize = 8 << 10;

/// What arrives.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// A message.
    Json(Value),
    /// A frame whose content is no JSON, with what is wrong.
    Spoilt(String),
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Headers without end.
    #[error(
        "more than {LONGEST_HEADERS} bytes of headers; every message begins with Content-Length"
    )]
    Headers,
    /// No usable length.
    #[error("no usable Content-Length before a message: {0:?}")]
    Length(String),
    /// A length beyond the limit.
    #[error("a message of {0} bytes; the limit is {LONGEST_BODY}")]
    TooLong(u64),
    /// Half a message, then the end.
    #[error("the connection ended in the middle of a message")]
    Cut,
    /// The socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The framing of one direction of a connection.
#[derive(Debug, Default)]
pub struct Framing {
    body: Option<usize>,
}

impl Decoder for Framing {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let length = match self.body {
            Some(length) => length,
            None => {
                let Some(end) = end_of_headers(bytes)? else {
                    return Ok(None);
                };
                let length = content_length(&bytes[..end])?;
                bytes.advance(end);
                self.body = Some(length);
                length
            }
        };
        // Room grows with what arrives, not with what is announced.
        if bytes.len() < length {
            return Ok(None);
        }
        self.body = None;
        let body = bytes.split_to(length);
        Ok(Some(match serde_json::from_slice(&body) {
            Ok(value) => Frame::Json(value),
            Err(error) => Frame::Spoilt(error.to_string()),
        }))
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        match self.decode(bytes)? {
            Some(frame) => Ok(Some(frame)),
            None if bytes.is_empty() && self.body.is_none() => Ok(None),
            None => Err(FrameError::Cut),
        }
    }
}

impl Encoder<Vec<u8>> for Framing {
    type Error = FrameError;

    fn encode(&mut self, body: Vec<u8>, bytes: &mut BytesMut) -> Result<(), FrameError> {
        bytes.put_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.put_slice(&body);
        Ok(())
    }
}

/// Where the body begins, when all headers are there.
fn end_of_headers(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let searched = &bytes[..bytes.len().min(LONGEST_HEADERS)];
    // A terminal or an HTTP client: say so at once instead of waiting for 8 KiB of it.
    if let Some(line) = searched.split(|byte| *byte == b'\n').next()
        && line.len() < searched.len()
        && !line.contains(&b':')
    {
        return Err(FrameError::Length(
            String::from_utf8_lossy(line).into_owned(),
        ));
    }
    match searched.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if bytes.len() > LONGEST_HEADERS => Err(FrameError::Headers),
        None => Ok(None),
    }
}

fn content_length(headers: &[u8]) -> Result<usize, FrameError> {
    let text = String::from_utf8_lossy(headers);
    let value = text
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse::<u64>());
    match value {
        Some(Ok(length)) if length > LONGEST_BODY as u64 => Err(FrameError::TooLong(length)),
        Some(Ok(length)) => Ok(length as usize),
        _ => Err(FrameError::Length(text.trim().chars().take(100).collect())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(text: &str) -> Result<Option<Frame>, FrameError> {
        Framing::default().decode(&mut BytesMut::from(text.as_bytes()))
    }

    #[test]
    fn a_message_is_whole_only_with_its_last_byte() {
        let text = "Content-Type: x\r\ncontent-length: 8\r\n\r\n{\"a\": 1}";
        let mut framing = Framing::default();
        let mut bytes = BytesMut::new();
        for (index, byte) in text.bytes().enumerate() {
            bytes.put_u8(byte);
            let frame = framing.decode(&mut bytes).unwrap();
            let whole = index + 1 == text.len();
            assert_eq!(
                frame,
                whole.then(|| Frame::Json(json!({"a": 1}))),
                "{index}"
            );
        }
    }

    #[test]
    fn wrong_json_spoils_its_own_frame_only() {
        let mut bytes = BytesMut::from("Content-Length: 3\r\n\r\n{x}Content-Length: 2\r\n\r\n{}");
        let mut framing = Framing::default();
        assert!(matches!(
            framing.decode(&mut bytes),
            Ok(Some(Frame::Spoilt(_)))
        ));
        assert_eq!(
            framing.decode(&mut bytes).unwrap(),
            Some(Frame::Json(json!({})))
        );
    }

    #[test]
    fn what_cannot_be_a_frame_is_an_error_at_once() {
        assert!(matches!(
            decode("Content-Length: 1073741824\r\n\r\n"),
            Err(FrameError::TooLong(1_073_741_824))
        ));
        for text in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "hello\n",
            "Content-Length: -5\r\n\r\n",
            "X: 1\r\n\r\n",
        ] {
            assert!(matches!(decode(text), Err(FrameError::Length(_))), "{text}");
        }
        let endless = "X: ".to_owned() + &"y".repeat(10_000);
        assert!(matches!(decode(&endless), Err(FrameError::Headers)));
    }

    #[test]
    fn half_a_message_at_the_end_is_an_error() {
        let mut framing = Framing::default();
        let mut bytes = BytesMut::from("Content-Length: 9\r\n\r\n{");
        assert!(framing.decode(&mut bytes).unwrap().is_none());
        assert!(matches!(
            framing.decode_eof(&mut bytes),
            Err(FrameError::Cut)
        ));
    }
}
