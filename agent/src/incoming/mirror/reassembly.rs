//! Puts the bytes of one direction of a TCP connection in order again.
//!
//! Segments come late, twice, overlapping or in another order; what the receiving program reads
//! is the same all the same. Bytes that are there already are kept, as Linux keeps them. What
//! waits for a gap to be filled is bounded.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Bytes that may wait behind a gap. Linux' own largest receive window is 6 MiB; a capture that
/// lost a packet never gets it again, so waiting longer would only cost memory.
pub(super) const WAITING_MAX: usize = 512 * 1024;

/// More bytes wait for a gap than are allowed: the stream cannot be completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuchWaiting;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Assembler {
    first_sequence: u32,
    /// Sequence number of the byte at offset `next`.
    next_sequence: u32,
    /// How many bytes are in order so far.
    next: u64,
    /// Out of order, by offset; they never overlap.
    waiting: BTreeMap<u64, Bytes>,
    waiting_bytes: usize,
    /// Offset of the end, once a FIN was seen.
    end: Option<u64>,
}

impl Assembler {
    /// For a connection whose first byte has this sequence number.
    pub(super) fn new(first_sequence: u32) -> Assembler {
        Assembler {
            first_sequence,
            next_sequence: first_sequence,
            next: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            end: None,
        }
    }

    /// Takes a segment; what is in order now goes to `out`.
    pub(super) fn push(
        &mut self,
        sequence: u32,
        payload: &[u8],
        fin: bool,
        mut out: impl FnMut(Bytes),
    ) -> Result<(), TooMuchWaiting> {
        // Sequence numbers wrap; within half their range before and after is unambiguous.
        let distance = i64::from(sequence.wrapping_sub(self.next_sequence) as i32);
        let start = self.next as i64 + distance;
        let last = start + payload.len() as i64;
        if fin && last >= 0 && self.end.is_none() {
            self.end = Some(last as u64);
        }
        let fresh_from = (self.next as i64 - start).max(0) as usize;
        if fresh_from < payload.len() {
            let fresh = &payload[fresh_from..];
            let start = (start + fresh_from as i64) as u64;
            if start == self.next && self.waiting.is_empty() {
                self.advance(Bytes::copy_from_slice(fresh), &mut out);
            } else {
                self.wait(start, fresh)?;
            }
        }
        while let Some(first) = self.waiting.first_entry() {
            if *first.key() != self.next {
                break;
            }
            let bytes = first.remove();
            self.waiting_bytes -= bytes.len();
            self.advance(bytes, &mut out);
        }
        Ok(())
    }

    /// Sequence number of the connection's first byte.
    pub(super) fn first_sequence(&self) -> u32 {
        self.first_sequence
    }

    /// All bytes up to the FIN were given out.
    pub(super) fn ended(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    /// Something is missing that later bytes, or the end, wait for.
    pub(super) fn has_gap(&self) -> bool {
        !self.waiting.is_empty() || self.end.is_some_and(|end| self.next < end)
    }

    /// A reset with this sequence number would be believed: it is the next one, or within what
    /// can be under way (RFC 5961, 3.2 in its loose form).
    pub(super) fn reset_counts(&self, sequence: u32) -> bool {
        let distance = sequence.wrapping_sub(self.next_sequence) as i32;
        (0..=6 * 1024 * 1024).contains(&distance)
    }

    fn advance(&mut self, bytes: Bytes, out: &mut impl FnMut(Bytes)) {
        self.next += bytes.len() as u64;
        self.next_sequence = self.next_sequence.wrapping_add(bytes.len() as u32);
        out(bytes);
    }

    /// Keeps the parts of `bytes` that are not waiting yet.
    fn wait(&mut self, mut start: u64, mut bytes: &[u8]) -> Result<(), TooMuchWaiting> {
        if let Some((&before, kept)) = self.waiting.range(..=start).next_back() {
            let covered = (before + kept.len() as u64).saturating_sub(start) as usize;
            bytes = &bytes[covered.min(bytes.len())..];
            start += covered as u64;
        }
        while !bytes.is_empty() {
            let next = self.waiting.range(start..).next();
            let (room, skip) = match next {
                Some((&after, kept)) => ((after - start) as usize, kept.len()),
                None => (bytes.len(), 0),
            };
            let room = room.min(bytes.len());
            if room > 0 {
                if self.waiting_bytes + room > WAITING_MAX {
                    return Err(TooMuchWaiting);
                }
                let part = Bytes::copy_from_slice(&bytes[..room]);
                self.waiting.insert(start, part);
                self.waiting_bytes += room;
            }
            let used = (room + skip).min(bytes.len());
            bytes = &bytes[used..];
            start += used as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
