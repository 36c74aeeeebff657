//! Encoding of every wire type: one pair of functions, one error.

use serde::{Serialize, de::DeserializeOwned};

/// A message that could not be encoded or decoded: the peer speaks another protocol, or a frame
/// was cut.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} a {type_name}: {source} (do both sides have the same version?)")]
pub struct CodecError {
    action: &'static str,
    type_name: &'static str,
    source: postcard::Error,
}

/// Encodes one message.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_stdvec(message).map_err(|source| CodecError {
        action: "encode",
        type_name: std::any::type_name::<T>(),
        source,
    })
}

/// Decodes one message; bytes after it are an error, for they would be lost in silence.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (message, rest) = decode_prefix(bytes)?;
    if rest.is_empty() {
        return Ok(message);
    }
    Err(CodecError {
        action: "decode all of",
        type_name: std::any::type_name::<T>(),
        source: postcard::Error::DeserializeBadEncoding,
    })
}

/// Decodes a message at the front of `bytes` and returns what follows it (raw payload).
pub fn decode_prefix<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError> {
    postcard::take_from_bytes(bytes).map_err(|source| CodecError {
        action: "decode",
        type_name: std::any::type_name::<T>(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_an_error() {
        let mut bytes = encode(&7u32).unwrap();
        assert_eq!(decode::<u32>(&bytes).unwrap(), 7);
        bytes.push(0);
        assert!(decode::<u32>(&bytes).is_err());
        assert_eq!(decode_prefix::<u32>(&bytes).unwrap(), (7, &[0u8][..]));
    }
}
