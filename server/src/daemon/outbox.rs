//! What goes out to one client: a bounded queue and the task that writes it. A client that does
//! not read is dropped, so that neither memory nor anybody else has to wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::codec::Encoder;
use tokio_util::sync::CancellationToken;

use super::framing::Framing;

/// Bytes that may wait for one client.
const MOST_BYTES: usize = 64 << 20;

/// Messages that may wait for one client.
const MOST_MESSAGES: usize = 16_384;

/// A client that takes nothing for that long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// The queue of one client.
#[derive(Clone)]
pub struct Outbox {
    message_tx: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    dead: CancellationToken,
    finish: CancellationToken,
}

impl Outbox {
    /// A queue, and the task that empties it into `writer`. The task ends when all is written
    /// after [`Outbox::finish`], or when the client is dropped.
    pub fn new<W>(writer: W) -> (Outbox, impl Future<Output = ()> + Send)
    where
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (message_tx, message_rx) = mpsc::channel(MOST_MESSAGES);
        let outbox = Outbox {
            message_tx,
            waiting: Arc::new(AtomicUsize::new(0)),
            dead: CancellationToken::new(),
            finish: CancellationToken::new(),
        };
        let task = write(
            writer,
            message_rx,
            Arc::clone(&outbox.waiting),
            outbox.dead.clone(),
            outbox.finish.clone(),
        );
        (outbox, task)
    }

    /// Nothing comes after what is in the queue now.
    pub fn finish(&self) {
        self.finish.cancel();
    }

    /// Puts a message into the queue. Never waits.
    pub fn send(&self, message: &impl Serialize) {
        let body = match serde_json::to_vec(message) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!("a message could not be written as JSON: {error}");
                return;
            }
        };
        let before = self.waiting.fetch_add(body.len(), Ordering::Relaxed);
        // One message may be as long as it likes; a heap of them may not.
        let full = before > 0 && before + body.len() > MOST_BYTES;
        if full || self.message_tx.try_send(body).is_err() {
            if !self.dead.is_cancelled() {
                tracing::warn!("dropped a client that does not read ({before} bytes wait for it)");
            }
            self.dead.cancel();
        }
    }

    /// Told when the client cannot be written to any more.
    pub fn dead(&self) -> CancellationToken {
        self.dead.clone()
    }
}

async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut message_rx: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    dead: CancellationToken,
    finish: CancellationToken,
) {
    let mut bytes = BytesMut::new();
    let mut framing = Framing::default();
    loop {
        let body = tokio::select! {
            biased;
            body = message_rx.recv() => body,
            () = finish.cancelled() => None,
        };
        let Some(body) = body else {
            break;
        };
        let length = body.len();
        if framing.encode(body, &mut bytes).is_err() {
            break;
        }
        while !bytes.is_empty() {
            let written = tokio::select! {
                written = tokio::time::timeout(WRITE_DEADLINE, writer.write_buf(&mut bytes)) => written,
                () = dead.cancelled() => return,
            };
            match written {
                Ok(Ok(count)) if count > 0 => {}
                Ok(Ok(_)) => return dead.cancel(),
                Ok(Err(error)) => {
                    tracing::debug!("a client can no longer be written to: {error}");
                    return dead.cancel();
                }
                Err(_) => {
                    tracing::warn!(
                        "dropped a client that took nothing for {} s",
                        WRITE_DEADLINE.as_secs()
                    );
                    return dead.cancel();
                }
            }
        }
        waiting.fetch_sub(length, Ordering::Relaxed);
        if message_rx.is_empty() && writer.flush().await.is_err() {
            return dead.cancel();
        }
        // A large message must not keep its room for ever.
        if bytes.capacity() > 1 << 20 {
            bytes = BytesMut::new();
        }
    }
    let _ = writer.shutdown().await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn messages_come_out_framed_and_in_order() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (outbox, task) = Outbox::new(ours);
        let writing = tokio::spawn(task);
        outbox.send(&json!({"a": 1}));
        outbox.send(&json!([]));
        outbox.finish();
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        writing.await.unwrap();
        assert_eq!(
            text,
            "Content-Length: 7\r\n\r\n{\"a\":1}Content-Length: 2\r\n\r\n[]"
        );
    }

    #[tokio::test]
    async fn who_does_not_read_is_dropped_before_it_fills_the_memory() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let (outbox, task) = Outbox::new(ours);
        let writing = tokio::spawn(task);
        let text = "x".repeat(1 << 20);
        for _ in 0..63 {
            outbox.send(&text);
        }
        assert!(!outbox.dead().is_cancelled());
        for _ in 0..3 {
            outbox.send(&text);
        }
        assert!(outbox.dead().is_cancelled());
        writing.await.unwrap();
    }
}
