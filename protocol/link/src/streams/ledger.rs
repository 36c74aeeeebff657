//! How each stream of a link ended, read off the yamux frames that pass through the link.
//!
//! yamux reports a reset, a broken link and a clean end all as "no more bytes", sends a clean end
//! when a stream is dropped half-way, and nothing at all when one is dropped after its own end.
//! Programs must see the difference (a truncated download is not a complete one), so the ledger
//! notes which ends really came, and which frames must be changed or added on the way out.

use std::{
    collections::{HashMap, VecDeque},
    task::Waker,
};

/// Size of yamux's frame header (<https://github.com/hashicorp/yamux/blob/master/spec.md>).
pub(super) const HEADER_SIZE: usize = 12;

const TYPE_DATA: u8 = 0;
const TYPE_WINDOW_UPDATE: u8 = 1;
const FLAG_SYN: u16 = 1;
const FLAG_ACK: u16 = 2;
const FLAG_FIN: u16 = 4;
const FLAG_RST: u16 = 8;

/// Streams that the other side opened and that nothing was sent on yet; with more of them they are
/// acknowledged by frames of their own. yamux opens at most 256 that nobody acknowledged, and some
/// are never answered (a mirror, a server that only reads). The usual acknowledgement rides with
/// the answer: by itself it would wake the other side once more for each connection.
const UNACKNOWLEDGED: usize = 64;

/// The streams of one link.
#[derive(Default)]
pub(super) struct Ledger {
    streams: HashMap<u32, Entry>,
    held: usize,
    /// Streams of the other side in the order in which they came, since the last were
    /// acknowledged together.
    came: VecDeque<u32>,
    /// Frames to add at the next frame boundary.
    pub(super) inject: Vec<u8>,
    /// A ping is due.
    pub(super) ping: bool,
    /// This side wants to end the link, for this reason.
    pub(super) close: Option<String>,
    /// What the other side gave as its reason when it ended the link.
    pub(super) closed_by_peer: Option<String>,
}

#[derive(Default)]
struct Entry {
    /// The other side opened it and has not heard that it was taken.
    unacknowledged: bool,
    /// The other side's end came.
    end_received: bool,
    /// The other side reset the stream.
    reset_received: bool,
    /// Our end is on its way.
    end_sent: bool,
    /// What the stream's owner left to be done when it dropped it.
    dropped: Option<Dropped>,
    /// Wants to know of a reset.
    waker: Option<Waker>,
}

enum Dropped {
    /// Without an end: whatever yamux says, the other side shall see a reset.
    Unfinished,
    /// After its own end, with the other side still sending: a reset follows the end.
    Deaf,
}

impl Ledger {
    /// Streams that somebody holds.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// A stream that we open.
    pub(super) fn opened(&mut self, id: u32) {
        self.streams.insert(id, Entry::default());
        self.held += 1;
    }

    /// Whether the other side ended the stream cleanly.
    pub(super) fn ended_cleanly(&self, id: u32) -> bool {
        self.streams
            .get(&id)
            .is_some_and(|entry| entry.end_received)
    }

    /// Whether the other side reset the stream; if not, `waker` is woken when it does.
    pub(super) fn was_reset(&mut self, id: u32, waker: &Waker) -> bool {
        match self.streams.get_mut(&id) {
            Some(entry) if !entry.reset_received => {
                entry.waker = Some(waker.clone());
                false
            }
            _ => true,
        }
    }

    /// The owner dropped the stream; `finished` when it had ended its side. Returns whether the
    /// driver has something to send now.
    pub(super) fn dropped(&mut self, id: u32, finished: bool) -> bool {
        let Some(entry) = self.streams.get_mut(&id) else {
            return false;
        };
        entry.waker = None;
        self.held -= 1;
        if entry.reset_received || (finished && entry.end_received) {
            self.streams.remove(&id);
        } else if !finished {
            entry.dropped = Some(Dropped::Unfinished);
        } else if entry.end_sent {
            self.streams.remove(&id);
            self.inject.extend_from_slice(&reset_frame(id));
            return true;
        } else {
            entry.dropped = Some(Dropped::Deaf);
        }
        false
    }

    /// A frame header came in. Returns the size of the body behind it.
    pub(super) fn received(&mut self, header: &[u8; HEADER_SIZE]) -> usize {
        let (kind, flags, id, length) = parse(header);
        if !matches!(kind, TYPE_DATA | TYPE_WINDOW_UPDATE) {
            return 0;
        }
        if flags & FLAG_SYN != 0 {
            self.streams.entry(id).or_insert_with(|| {
                self.held += 1;
                Entry {
                    unacknowledged: true,
                    ..Entry::default()
                }
            });
            self.came.push_back(id);
            if self.came.len() >= UNACKNOWLEDGED {
                self.acknowledge();
            }
        }
        if flags & (FLAG_FIN | FLAG_RST) != 0
            && let Some(entry) = self.streams.get_mut(&id)
        {
            entry.end_received |= flags & FLAG_FIN != 0;
            if flags & FLAG_RST != 0 {
                entry.reset_received = true;
                entry.waker.take().inspect(Waker::wake_by_ref);
                // yamux now holds the stream for closed and will not speak of it again.
                if entry.dropped.is_some() {
                    self.streams.remove(&id);
                }
            }
        }
        if kind == TYPE_DATA {
            length as usize
        } else {
            0
        }
    }

    /// A frame header goes out, and may be changed. Returns the size of the body behind it.
    pub(super) fn sending(&mut self, header: &mut [u8; HEADER_SIZE]) -> usize {
        let (kind, flags, id, length) = parse(header);
        if !matches!(kind, TYPE_DATA | TYPE_WINDOW_UPDATE) {
            return 0;
        }
        if flags & FLAG_ACK != 0
            && let Some(entry) = self.streams.get_mut(&id)
        {
            entry.unacknowledged = false;
        }
        if flags & (FLAG_FIN | FLAG_RST) != 0
            && let Some(entry) = self.streams.get_mut(&id)
        {
            entry.end_sent = true;
            match entry.dropped {
                Some(Dropped::Unfinished) => {
                    let flags = (flags & !FLAG_FIN) | FLAG_RST;
                    header[2..4].copy_from_slice(&flags.to_be_bytes());
                    self.streams.remove(&id);
                }
                Some(Dropped::Deaf) => {
                    self.streams.remove(&id);
                    self.inject.extend_from_slice(&reset_frame(id));
                }
                None => {}
            }
        }
        if kind == TYPE_DATA {
            length as usize
        } else {
            0
        }
    }

    /// Acknowledges what still waits for it.
    fn acknowledge(&mut self) {
        for id in self.came.drain(..) {
            if let Some(entry) = self.streams.get_mut(&id)
                && std::mem::take(&mut entry.unacknowledged)
            {
                let frame = frame(TYPE_WINDOW_UPDATE, FLAG_ACK, id);
                self.inject.extend_from_slice(&frame);
            }
        }
    }

    /// The link is over: whoever waits for a reset has one.
    pub(super) fn end(&mut self) {
        for entry in self.streams.values_mut() {
            entry.reset_received = true;
            entry.waker.take().inspect(Waker::wake_by_ref);
        }
    }
}

fn parse(header: &[u8; HEADER_SIZE]) -> (u8, u16, u32, u32) {
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    (
        header[1],
        u16::from_be_bytes([header[2], header[3]]),
        word(4),
        word(8),
    )
}

fn reset_frame(id: u32) -> [u8; HEADER_SIZE] {
    frame(TYPE_DATA, FLAG_RST, id)
}

/// A frame without a body.
fn frame(kind: u8, flags: u16, id: u32) -> [u8; HEADER_SIZE] {
    let mut frame = [0; HEADER_SIZE];
    frame[1] = kind;
    frame[2..4].copy_from_slice(&flags.to_be_bytes());
    frame[4..8].copy_from_slice(&id.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_streams_without_an_answer_are_acknowledged_by_themselves() {
        let mut ledger = Ledger::default();
        let comes = |ledger: &mut Ledger, id| ledger.received(&frame(TYPE_DATA, FLAG_SYN, id));
        for id in 1..UNACKNOWLEDGED as u32 {
            comes(&mut ledger, id);
        }
        // An answer carries it.
        ledger.sending(&mut frame(TYPE_DATA, FLAG_ACK, 1));
        assert!(ledger.inject.is_empty());
        comes(&mut ledger, 1000);
        let said: Vec<&[u8]> = ledger.inject.chunks(HEADER_SIZE).collect();
        assert_eq!(said.len(), UNACKNOWLEDGED - 1);
        assert_eq!(said[0], frame(TYPE_WINDOW_UPDATE, FLAG_ACK, 2));
        ledger.inject.clear();
        comes(&mut ledger, 1001);
        assert!(ledger.inject.is_empty());
    }
}
