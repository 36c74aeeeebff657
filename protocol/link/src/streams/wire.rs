//! What yamux reads from and writes to: a WebSocket that gathers.
//!
//! yamux flushes after every frame. Here a flush does nothing; what was written is sent as one
//! message when yamux asks for input and there is none, for that is the last thing it does before
//! it goes to sleep, or earlier when much has gathered. Frame headers are shown to the
//! [`Ledger`] in both directions.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use futures::{AsyncRead, AsyncWrite, Sink, Stream as _};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::ledger::{HEADER_SIZE, Ledger};
use crate::{
    KEEPALIVE_DEADLINE,
    messages::{close_message, reason_of},
    socket::WebSocket,
};

/// Gathered bytes that are sent without waiting for the end of the round.
const GATHER_LIMIT: usize = 128 << 10;

/// The WebSocket as a byte stream.
pub(super) struct Wire {
    websocket: WebSocket,
    ledger: Arc<Mutex<Ledger>>,
    /// The rest of the message that is being read.
    incoming: Bytes,
    in_header: [u8; HEADER_SIZE],
    in_header_filled: usize,
    in_body_left: usize,
    /// What goes out with the next message.
    outgoing: BytesMut,
    out_body_left: usize,
    heard: Instant,
    closing: bool,
}

impl Wire {
    pub(super) fn new(websocket: WebSocket, ledger: Arc<Mutex<Ledger>>) -> Self {
        Wire {
            websocket,
            ledger,
            incoming: Bytes::new(),
            in_header: [0; HEADER_SIZE],
            in_header_filled: 0,
            in_body_left: 0,
            outgoing: BytesMut::new(),
            out_body_left: 0,
            heard: Instant::now(),
            closing: false,
        }
    }

    /// Shows the frame headers in `bytes`, which yamux is about to read, to the ledger.
    fn scan_incoming(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.in_body_left > 0 {
                let skipped = self.in_body_left.min(bytes.len());
                self.in_body_left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER_SIZE - self.in_header_filled).min(bytes.len());
            self.in_header[self.in_header_filled..][..taken].copy_from_slice(&bytes[..taken]);
            self.in_header_filled += taken;
            bytes = &bytes[taken..];
            if self.in_header_filled == HEADER_SIZE {
                self.in_header_filled = 0;
                self.in_body_left = lock(&self.ledger).received(&self.in_header);
            }
        }
    }

    /// Hands what has gathered to the WebSocket; pending while an earlier message is stuck.
    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.websocket).poll_ready(cx)).map_err(to_io)?;
        let message = Message::Binary(self.outgoing.split().freeze());
        Poll::Ready(
            Pin::new(&mut self.websocket)
                .start_send(message)
                .map_err(to_io),
        )
    }

    /// The end of a round: adds what the ledger wants said, and sends everything.
    fn end_round(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut control = None;
        {
            let mut ledger = lock(&self.ledger);
            if self.out_body_left == 0 && !ledger.inject.is_empty() {
                self.outgoing.extend_from_slice(&ledger.inject);
                ledger.inject.clear();
            }
            if ledger.ping {
                ledger.ping = false;
                control = Some(Message::Ping(Bytes::new()));
            }
            if let Some(reason) = ledger.close.take() {
                self.closing = true;
                control = Some(close_message(&reason));
            }
        }
        if self.poll_hand_over(cx)?.is_pending() && !self.closing {
            return Ok(());
        }
        if let Some(message) = control {
            Pin::new(&mut self.websocket)
                .start_send(message)
                .map_err(to_io)?;
        }
        match Pin::new(&mut self.websocket).poll_flush(cx) {
            Poll::Ready(result) => result.map_err(to_io),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while this.incoming.is_empty() {
            // Dropped before the next read, so that tungstenite can use its buffer again.
            this.incoming = Bytes::new();
            match Pin::new(&mut this.websocket).poll_next(cx) {
                Poll::Pending => {
                    this.end_round(cx)?;
                    if this.closing {
                        return Poll::Ready(Ok(0));
                    }
                    if this.heard.elapsed() > KEEPALIVE_DEADLINE {
                        return Poll::Ready(Err(silent(KEEPALIVE_DEADLINE)));
                    }
                    return Poll::Pending;
                }
                Poll::Ready(None) => return Poll::Ready(Ok(0)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(to_io(error))),
                Poll::Ready(Some(Ok(message))) => {
                    this.heard = Instant::now();
                    match message {
                        Message::Binary(bytes) => this.incoming = bytes,
                        Message::Close(frame) => {
                            lock(&this.ledger).closed_by_peer = Some(reason_of(frame));
                            // Our goodbye leaves with the flush; a peer that is gone already
                            // needs none.
                            let _ = Pin::new(&mut this.websocket).poll_flush(cx);
                            return Poll::Ready(Ok(0));
                        }
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                        Message::Text(_) => {
                            let text = "a text message came where only binary ones are sent";
                            let error = io::Error::new(io::ErrorKind::InvalidData, text);
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
        }
        let size = buffer.len().min(this.incoming.len());
        buffer[..size].copy_from_slice(&this.incoming[..size]);
        this.scan_incoming(&buffer[..size]);
        this.incoming.advance(size);
        Poll::Ready(Ok(size))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outgoing.len() >= GATHER_LIMIT {
            ready!(this.poll_hand_over(cx))?;
        }
        if this.out_body_left > 0 {
            let size = bytes.len().min(this.out_body_left);
            this.outgoing.extend_from_slice(&bytes[..size]);
            this.out_body_left -= size;
            return Poll::Ready(Ok(size));
        }
        // yamux writes a header in one call when all of it is accepted, as it always is here.
        let mut header: [u8; HEADER_SIZE] = bytes
            .try_into()
            .map_err(|_| io::Error::other("yamux wrote something else than a frame header"))?;
        let mut ledger = lock(&this.ledger);
        this.outgoing
            .extend_from_slice(&std::mem::take(&mut ledger.inject));
        this.out_body_left = ledger.sending(&mut header);
        this.outgoing.extend_from_slice(&header);
        Poll::Ready(Ok(HEADER_SIZE))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().end_round(cx))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silent(after: Duration) -> io::Error {
    let text = format!("nothing was heard from the other side for {after:?}");
    io::Error::new(io::ErrorKind::TimedOut, text)
}

fn to_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::NotConnected.into(),
        other => io::Error::other(other),
    }
}
