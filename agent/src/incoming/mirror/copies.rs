//! The way of a mirrored connection's bytes from the capture thread to its stream.
//!
//! The capture never waits: what a slow link has not taken yet is held here up to a limit for
//! the connection and one for all, and beyond that the copy is given up, for the pod's clients
//! must not feel that they are watched.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use mirrord_link::Streams;
use mirrord_protocol::streams::StreamHeader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// Bytes that one connection may have waiting, and all together.
const HELD_BY_ONE: usize = 6 << 20;
const HELD_BY_ALL: usize = 8 << 20;
/// Pieces of one connection; small ones cost more than their bytes.
const PIECES: usize = 8192;

/// What all copies hold together.
#[derive(Debug, Default)]
pub(super) struct Held(AtomicUsize);

impl Held {
    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The capture's end of a copy. Dropping it without [`CopySender::end`] resets the copy.
#[derive(Debug)]
pub(super) struct CopySender {
    piece_tx: mpsc::Sender<Piece>,
    by_all: Arc<Held>,
    by_this: Arc<Held>,
}

/// The stream's end of a copy.
#[derive(Debug)]
pub(super) struct CopyReceiver {
    piece_rx: mpsc::Receiver<Piece>,
}

/// The copy cannot take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The link is slower than the client.
    TooSlow,
    /// Nobody wants the copy any more.
    Closed,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes, [Share; 2]),
    End,
}

/// A part of what is held, given back when the piece is gone, wherever that happens.
#[derive(Debug)]
struct Share {
    held: Arc<Held>,
    size: usize,
}

impl Share {
    fn take(held: &Arc<Held>, size: usize, limit: usize) -> Option<Share> {
        let before = held.0.fetch_add(size, Ordering::Relaxed);
        let share = Share {
            held: held.clone(),
            size,
        };
        (before + size <= limit).then_some(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// Makes both ends of a copy.
pub(super) fn copy(by_all: &Arc<Held>) -> (CopySender, CopyReceiver) {
    let (piece_tx, piece_rx) = mpsc::channel(PIECES);
    let sender = CopySender {
        piece_tx,
        by_all: by_all.clone(),
        by_this: Arc::default(),
    };
    (sender, CopyReceiver { piece_rx })
}

impl CopySender {
    /// Hands on the next bytes.
    pub(super) fn send(&self, bytes: Bytes) -> Result<(), Broken> {
        let size = bytes.len();
        let of_all = Share::take(&self.by_all, size, HELD_BY_ALL).ok_or(Broken::TooSlow)?;
        let of_this = Share::take(&self.by_this, size, HELD_BY_ONE).ok_or(Broken::TooSlow)?;
        self.put(Piece::Bytes(bytes, [of_all, of_this]))
    }

    /// The client has ended its direction; nothing follows.
    pub(super) fn end(&self) -> Result<(), Broken> {
        self.put(Piece::End)
    }

    fn put(&self, piece: Piece) -> Result<(), Broken> {
        self.piece_tx.try_send(piece).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Broken::TooSlow,
            mpsc::error::TrySendError::Closed(_) => Broken::Closed,
        })
    }
}

impl CopyReceiver {
    /// Everything sent so far, and whether the end came. Only where no session is: in tests.
    pub(super) fn drain(&mut self) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        while let Ok(piece) = self.piece_rx.try_recv() {
            match piece {
                Piece::Bytes(bytes, _) => all.extend(bytes),
                Piece::End => return (all, true),
            }
        }
        (all, false)
    }

    /// Sends the copy to the session, until it ends or is given up.
    pub(super) async fn forward(
        mut self,
        streams: Streams,
        header: StreamHeader,
    ) -> io::Result<()> {
        let mut stream = streams.open(&header).await?;
        while let Some(piece) = self.piece_rx.recv().await {
            match piece {
                Piece::Bytes(bytes, _shares) => {
                    stream.write_all(&bytes).await?;
                    if self.piece_rx.is_empty() {
                        stream.flush().await?;
                    }
                }
                Piece::End => {
                    stream.shutdown().await?;
                    // Dropping a stream whose other direction stands would be a reset, which may
                    // overtake what was sent; the session ends its direction at the start.
                    return match stream.read_u8().await {
                        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
                        Err(error) => Err(error),
                        Ok(_) => Err(ErrorKind::InvalidData.into()),
                    };
                }
            }
        }
        // Given up: the stream is dropped unfinished, which resets it.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_makes_room_and_what_is_too_much_is_refused() {
        let all = Arc::default();
        let (sender, mut receiver) = copy(&all);
        let chunk = Bytes::from(vec![1; HELD_BY_ONE / 2]);
        sender.send(chunk.clone()).unwrap();
        sender.send(chunk.clone()).unwrap();
        assert_eq!(sender.send(chunk.clone()), Err(Broken::TooSlow));
        assert_eq!(receiver.drain().0.len(), 2 * chunk.len());
        sender.send(chunk.clone()).unwrap();

        let (other, _keep) = copy(&all);
        assert_eq!(
            other.send(Bytes::from(vec![1; HELD_BY_ONE])),
            Err(Broken::TooSlow),
            "the limit for all"
        );
        drop(receiver);
        assert_eq!(sender.send(Bytes::new()), Err(Broken::Closed));
        assert_eq!(all.bytes(), 0, "everything given back");
    }
}
