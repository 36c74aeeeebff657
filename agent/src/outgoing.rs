//! Outgoing sockets of the program, made for real in the target's network namespace.
//!
//! The control part hands each stream that the session opened to [`serve`]; the whole process
//! already is in that namespace. The promise: every errno and address that goes back is the one
//! the program would have seen in the pod, and nothing outlives its stream.

use std::io;
use std::sync::Arc;

use mirrord_link::{Stream, write_frame};
use mirrord_protocol::control::RemoteError;
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::target::Target;

mod as_target;
mod tcp;
mod udp;
mod unix;

/// Serves one stream until it ends. An error is the stream's or the socket's after it stood, and
/// has been passed on by a reset; it is of interest for the log only.
pub async fn serve(header: StreamHeader, stream: Stream, target: Arc<Target>) -> io::Result<()> {
    match header {
        StreamHeader::ConnectTcp { to } => tcp::serve(to, stream).await,
        StreamHeader::ConnectUnix { path } => unix::serve(path, stream, target).await,
        StreamHeader::Udp { peer, ipv6 } => udp::serve(peer, ipv6, stream).await,
        StreamHeader::Incoming { .. } => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a session cannot open an incoming stream (do both sides have the same version?)",
        )),
    }
}

/// Says that the socket does not stand and ends the stream cleanly, so that the words arrive.
async fn refuse(mut stream: Stream, error: RemoteError) -> io::Result<()> {
    write_frame(&mut stream, &StreamReply::Failed(error)).await?;
    stream.shutdown().await
}

/// Completes when the session drops the stream; it has nothing to say before our reply.
async fn given_up(stream: &mut Stream) -> io::Error {
    match stream.read(&mut [0]).await {
        Ok(0) => io::ErrorKind::ConnectionAborted.into(),
        Ok(_) => io::Error::new(io::ErrorKind::InvalidData, "bytes before the socket stood"),
        Err(error) => error,
    }
}

/// The errno of a failed socket call, with words.
fn remote_error(error: &io::Error, tried: impl std::fmt::Display) -> RemoteError {
    RemoteError {
        errno: error.raw_os_error().unwrap_or(libc::EIO),
        message: format!("could not {tried} in the pod: {error}"),
    }
}
