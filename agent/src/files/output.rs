//! What a call gives back: an answer, and bytes that are read once and never copied again.

use bytes::Bytes;
use mirrord_protocol::{
    codec,
    files::{Answer, Reply},
};
use rustix::io::Errno;

/// Room in front of a payload for the encoded reply; one that is longer costs a copy.
const HEADROOM: usize = 512;

/// Bytes for the end of a reply, with room in front.
pub(super) struct Payload {
    buffer: Vec<u8>,
}

/// The result of a call.
pub(super) struct Output {
    result: Result<Answer, i32>,
    payload: Option<Payload>,
    /// More outputs follow for the same call.
    pub(super) more: bool,
}

impl Payload {
    /// An empty payload with room for `len` bytes.
    pub(super) fn with_capacity(len: usize) -> Payload {
        let mut buffer = Vec::with_capacity(HEADROOM + len);
        buffer.resize(HEADROOM, 0);
        Payload { buffer }
    }

    /// To append to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// How many bytes it holds.
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - HEADROOM
    }
}

impl Output {
    /// An answer with bytes behind it.
    pub(super) fn with_payload(answer: Answer, payload: Option<Payload>) -> Output {
        Output {
            result: Ok(answer),
            payload,
            more: false,
        }
    }

    /// The message for the link.
    pub(super) fn into_message(self, id: u64) -> Result<Bytes, codec::CodecError> {
        let header = codec::encode(&Reply {
            id,
            more: self.more,
            result: self.result,
        })?;
        let Some(Payload { mut buffer }) = self.payload else {
            return Ok(header.into());
        };
        if let Some(start) = HEADROOM.checked_sub(header.len()) {
            buffer[start..HEADROOM].copy_from_slice(&header);
            return Ok(Bytes::from(buffer).slice(start..));
        }
        let mut message = header;
        message.extend_from_slice(&buffer[HEADROOM..]);
        Ok(message.into())
    }
}

impl From<Answer> for Output {
    fn from(answer: Answer) -> Output {
        Output {
            result: Ok(answer),
            payload: None,
            more: false,
        }
    }
}

impl From<Errno> for Output {
    fn from(errno: Errno) -> Output {
        Output {
            result: Err(errno.raw_os_error()),
            payload: None,
            more: false,
        }
    }
}

impl From<Result<Answer, Errno>> for Output {
    fn from(result: Result<Answer, Errno>) -> Output {
        result.map_or_else(Output::from, Output::from)
    }
}
