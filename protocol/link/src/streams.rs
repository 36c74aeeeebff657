//! A link that carries many byte streams, each with its own flow control (`yamux`).
//!
//! One task drives a link: it gathers what the streams wrote and sends it as one WebSocket message
//! each time it has nothing more to do, so a burst of small writes on many streams costs one
//! system call. A stream's end is only clean when the other side said so: a reset, or a link that
//! broke, is an error and never looks like the end of the data.

mod driver;
mod ledger;
mod memory;
mod stream;
mod wire;

use std::{
    io,
    sync::{Arc, PoisonError},
};

use futures::{StreamExt, stream::FuturesUnordered};
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::sync::mpsc;

pub use stream::Stream;

use crate::{
    LinkError,
    frame::{read_frame, write_frame},
    socket::WebSocket,
};
use driver::Shared;

/// Streams that one side may have open at once. Beyond the sum of both sides' limits yamux would
/// end the whole link.
const MAX_OPEN: usize = 4096;

/// Which end of the link this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The session, which dialled.
    Session,
    /// The agent, which accepted.
    Agent,
}

/// Opens streams; cheap to clone. The link lives as long as one of these, its
/// [`IncomingStreams`], or a stream is there.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

/// The streams that the other side opens.
pub struct IncomingStreams {
    accepted_rx: mpsc::UnboundedReceiver<Stream>,
    headers: FuturesUnordered<HeaderFuture>,
    shared: Arc<Shared>,
}

type HeaderFuture = futures::future::BoxFuture<'static, io::Result<(StreamHeader, Stream)>>;

pub(crate) fn start(websocket: WebSocket, side: Side) -> (Streams, IncomingStreams) {
    let (shared, accepted_rx) = driver::start(websocket, side);
    let incoming = IncomingStreams {
        accepted_rx,
        headers: FuturesUnordered::new(),
        shared: shared.clone(),
    };
    (Streams { shared }, incoming)
}

impl Streams {
    /// Opens a stream. Its header is on its way when this returns; bytes may follow at once.
    pub async fn open(&self, header: &StreamHeader) -> io::Result<Stream> {
        let mut stream = self.shared.open().await?;
        write_frame(&mut stream, header).await?;
        Ok(stream)
    }

    /// Opens a stream and waits for the other side's reply: one round trip.
    pub async fn open_with_reply(
        &self,
        header: &StreamHeader,
    ) -> io::Result<(StreamReply, Stream)> {
        let mut stream = self.open(header).await?;
        let reply = read_frame(&mut stream).await?;
        Ok((reply, stream))
    }

    /// Ends the link on purpose, with a reason that the other side can read. Open streams are
    /// reset.
    pub fn close(&self, reason: &str) {
        self.shared.close(reason);
    }

    /// Completes when the link has ended.
    pub async fn ended(&self) {
        self.shared.ended().await;
    }

    /// Whether the link has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.has_ended()
    }
}

impl IncomingStreams {
    /// The next stream whose header has come; `None` once the link has ended, see
    /// [`IncomingStreams::end`]. A stream that breaks before its header is complete is left out.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(StreamHeader, Stream)> {
        loop {
            tokio::select! {
                accepted = self.accepted_rx.recv() => {
                    // Headers still under way when the link ends would never be complete.
                    let stream = accepted?;
                    self.headers.push(Box::pin(read_header(stream)));
                }
                Some(read) = self.headers.next() => match read {
                    Ok(opened) => return Some(opened),
                    Err(error) => tracing::debug!(%error, "a stream ended before its header"),
                },
            }
        }
    }

    /// How the link ended: `Closed` with the other side's words, or what broke. `None` while it
    /// lives or when this side closed it.
    pub fn end(&self) -> Option<LinkError> {
        self.shared
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

async fn read_header(mut stream: Stream) -> io::Result<(StreamHeader, Stream)> {
    let header = read_frame(&mut stream).await?;
    Ok((header, stream))
}
