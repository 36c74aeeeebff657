//! Small messages inside a stream: a `u16` little-endian length, then postcard.

use std::io;

use mirrord_protocol::codec;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Writes one message in one piece.
pub async fn write_frame<W, T>(writer: &mut W, message: &T) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize,
{
    writer.write_all(&encode_frame(message)?).await
}

/// Reads one message. A stream that ends before its first byte is `UnexpectedEof` too.
pub async fn read_frame<R, T>(reader: &mut R) -> io::Result<T>
where
    R: AsyncRead + Unpin,
    T: DeserializeOwned,
{
    let size = reader.read_u16_le().await?;
    let mut bytes = vec![0; size.into()];
    reader.read_exact(&mut bytes).await?;
    codec::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The bytes of one message with its length.
pub(crate) fn encode_frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = codec::encode(message)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let size = u16::try_from(body.len()).map_err(|_| {
        let text = format!(
            "a message of {} bytes does not fit into a frame of 65535",
            body.len()
        );
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    let mut bytes = Vec::with_capacity(body.len() + 2);
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}
