//! Messages on a session's control socket: JSON, each after its length.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use mirrord_protocol::session_control::{CONTROL_SOCKET, LONGEST};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// The receiving half.
pub struct Receiver(FramedRead<OwnedReadHalf, LengthDelimitedCodec>);

/// The sending half.
pub struct Sender(FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>);

/// Calls the session of this folder.
pub async fn connect(folder: &Path) -> Result<(Sender, Receiver)> {
    let path = folder.join(CONTROL_SOCKET);
    let socket = UnixStream::connect(&path)
        .await
        .with_context(|| format!("could not call the session at {}", path.display()))?;
    Ok(split(socket))
}

/// Both halves of a connection.
pub fn split(socket: UnixStream) -> (Sender, Receiver) {
    let (read, write) = socket.into_split();
    let codec = || {
        LengthDelimitedCodec::builder()
            .max_frame_length(LONGEST)
            .new_codec()
    };
    (
        Sender(FramedWrite::new(write, codec())),
        Receiver(FramedRead::new(read, codec())),
    )
}

impl Sender {
    /// Sends one message.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<()> {
        let text = serde_json::to_vec(message).context("could not write a message as JSON")?;
        self.0
            .send(Bytes::from(text))
            .await
            .context("could not send on a session's control socket")
    }
}

impl Receiver {
    /// The next message; `None` when the other side is gone.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let Some(frame) = self.0.next().await else {
            return Ok(None);
        };
        let frame = frame.context("could not read from a session's control socket")?;
        serde_json::from_slice(&frame)
            .map(Some)
            .context("a message on a session's control socket is not one of ours")
    }
}
