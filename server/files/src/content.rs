//! Content read ahead of the kernel, so that reading on costs no round trip.
//!
//! A file's content is held in blocks from when it arrives until the kernel has taken it into its
//! page cache. When reads follow each other, a window ahead of them is asked for, which grows with
//! what was read, up to a bound for one file and another for all. Blocks are only good for the
//! version (length and times) of the file that they were read from.

use std::{collections::BTreeMap, rc::Rc, time::Instant};

use bytes::Bytes;
use mirrord_protocol::files::{Attr, Time};
use tokio::sync::Notify;

use crate::tree::BELIEVED;

/// Length of a block.
pub(crate) const BLOCK: u64 = 128 * 1024;
/// What is asked for at once while reading ahead.
pub(crate) const REQUEST: u64 = 2 * BLOCK;
/// The window when a second read follows a first.
const FIRST_WINDOW: u64 = 512 * 1024;
/// The widest window.
const WIDEST_WINDOW: u64 = 4 * 1024 * 1024;
/// Reads of the kernel overtake each other; within this distance they still follow each other.
const NEAR: u64 = 512 * 1024;

/// One file's blocks.
#[derive(Default)]
pub(crate) struct Content {
    version: Option<Version>,
    blocks: BTreeMap<u64, Block>,
    /// Where the last read ended.
    next: u64,
    /// How much was read in one go until there.
    run: u64,
    /// Counts up when blocks on their way must not be taken in any more.
    epoch: u64,
}

/// What changes when content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    size: u64,
    modified: Time,
    changed: Time,
}

enum Block {
    Coming(Rc<Notify>),
    Here { bytes: Bytes, since: Instant },
}

/// What of a read is there.
pub(crate) enum Gathered {
    /// All of it.
    All(Vec<Bytes>),
    /// A part is on its way.
    Wait(Rc<Notify>),
    /// A part is neither here nor on its way.
    Missing,
}

impl From<&Attr> for Version {
    fn from(attr: &Attr) -> Self {
        Version {
            size: attr.size,
            modified: attr.modified,
            changed: attr.changed,
        }
    }
}

impl Content {
    /// Forgets everything, what is on its way too.
    pub(crate) fn clear(&mut self) {
        for block in std::mem::take(&mut self.blocks).into_values() {
            if let Block::Coming(notify) = block {
                notify.notify_waiters();
            }
        }
        self.version = None;
        self.epoch += 1;
    }

    /// The first bytes of a file, which a walk brought along.
    pub(crate) fn take_start(&mut self, bytes: Bytes, attr: &Attr) {
        if self
            .version
            .is_some_and(|known| known != Version::from(attr))
        {
            self.clear();
        }
        if bytes.len() as u64 <= BLOCK && !self.blocks.contains_key(&0) {
            self.version = Some(Version::from(attr));
            self.blocks.insert(
                0,
                Block::Here {
                    bytes,
                    since: Instant::now(),
                },
            );
        }
    }

    /// Collects `size` bytes from `offset` on. `attr` is what the file is known to be, if that is
    /// believed still.
    pub(crate) fn gather(&mut self, offset: u64, size: u64, attr: Option<&Attr>) -> Gathered {
        if let (Some(attr), Some(version)) = (attr, self.version)
            && version != Version::from(attr)
        {
            self.clear();
        }
        let mut parts = Vec::new();
        let mut at = offset;
        while at < offset + size {
            let start = at / BLOCK * BLOCK;
            match self.blocks.get(&start) {
                None => return Gathered::Missing,
                Some(Block::Coming(notify)) => return Gathered::Wait(notify.clone()),
                Some(Block::Here { since, .. }) if attr.is_none() && since.elapsed() > BELIEVED => {
                    self.blocks.remove(&start);
                    return Gathered::Missing;
                }
                Some(Block::Here { bytes, .. }) => {
                    let from = (at - start).min(bytes.len() as u64);
                    let to = (offset + size - start).min(bytes.len() as u64);
                    if from < to {
                        parts.push(bytes.slice(from as usize..to as usize));
                    }
                    if (bytes.len() as u64) < BLOCK {
                        // The file's end.
                        break;
                    }
                    at = start + BLOCK;
                }
            }
        }
        // The kernel has them now.
        let done = offset + size;
        while let Some(first) = self.blocks.first_entry()
            && let Block::Here { bytes, .. } = first.get()
            && first.key() + bytes.len() as u64 <= done
        {
            first.remove();
        }
        Gathered::All(parts)
    }

    /// Notes a read and says up to where the file shall be read ahead, if it shall.
    pub(crate) fn follow(&mut self, offset: u64, size: u64) -> Option<u64> {
        let follows = offset > 0 && offset.abs_diff(self.next) <= NEAR;
        self.run = if follows { self.run + size } else { size };
        self.next = if follows {
            self.next.max(offset + size)
        } else {
            offset + size
        };
        let window = (FIRST_WINDOW + 4 * self.run).min(WIDEST_WINDOW);
        (follows || offset == 0 && size >= BLOCK).then_some(self.next + window)
    }

    /// Whether a read would follow the last one, or begin at the start.
    pub(crate) fn would_follow(&self, offset: u64) -> bool {
        offset.abs_diff(self.next) <= NEAR
    }

    /// Claims the blocks from `from` to `to` that nobody asked for yet, as requests of bounded
    /// length: (offset, length).
    pub(crate) fn claim(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut requests: Vec<(u64, u64)> = Vec::new();
        let mut start = from / BLOCK * BLOCK;
        while start < to {
            if !self.blocks.contains_key(&start) {
                match requests.last_mut() {
                    Some((offset, len)) if *offset + *len == start && *len < REQUEST => {
                        *len += BLOCK;
                    }
                    _ => requests.push((start, BLOCK)),
                }
                let notify = match requests.last() {
                    // Blocks of one request come together.
                    Some((_, len)) if *len > BLOCK => match self.blocks.get(&(start - BLOCK)) {
                        Some(Block::Coming(notify)) => notify.clone(),
                        _ => Rc::default(),
                    },
                    _ => Rc::default(),
                };
                self.blocks.insert(start, Block::Coming(notify));
            }
            start += BLOCK;
        }
        requests
    }

    /// Where no block is here or coming, from `from` on.
    pub(crate) fn first_gap(&self, from: u64) -> u64 {
        let mut start = from / BLOCK * BLOCK;
        while self.blocks.contains_key(&start) {
            start += BLOCK;
        }
        start
    }

    /// For [`Content::fill`]: what comes now belongs to this epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A request was answered, or failed (`None`).
    pub(crate) fn fill(
        &mut self,
        epoch: u64,
        (offset, len): (u64, u64),
        answer: Option<(Bytes, &Attr)>,
    ) {
        if epoch != self.epoch {
            return;
        }
        if let Some((_, attr)) = &answer {
            let version = Version::from(*attr);
            if self.version.is_some_and(|known| known != version) {
                // What lies here is of another version; what is coming may be of either.
                self.clear();
            }
            self.version = Some(version);
        }
        let since = Instant::now();
        for start in (offset..offset + len).step_by(BLOCK as usize) {
            if let Some(Block::Coming(notify)) = self.blocks.remove(&start) {
                notify.notify_waiters();
            }
            if let Some((bytes, _)) = &answer {
                let from = ((start - offset) as usize).min(bytes.len());
                let to = (from + BLOCK as usize).min(bytes.len());
                let bytes = bytes.slice(from..to);
                self.blocks.insert(start, Block::Here { bytes, since });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attr(size: u64) -> Attr {
        Attr {
            size,
            ..Attr::default()
        }
    }

    #[test]
    fn what_was_claimed_is_gathered_when_it_came() {
        let mut content = Content::default();
        let attr = attr(BLOCK + 10);
        assert!(matches!(
            content.gather(0, 100, Some(&attr)),
            Gathered::Missing
        ));
        assert_eq!(content.claim(0, BLOCK + 10), [(0, 2 * BLOCK)]);
        assert!(matches!(
            content.gather(0, 100, Some(&attr)),
            Gathered::Wait(_)
        ));
        let bytes = Bytes::from(vec![7; BLOCK as usize + 10]);
        content.fill(content.epoch(), (0, 2 * BLOCK), Some((bytes, &attr)));
        let Gathered::All(parts) = content.gather(BLOCK - 5, 100, Some(&attr)) else {
            panic!()
        };
        assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [5, 10]);
    }

    #[test]
    fn another_version_of_the_file_is_never_mixed_in() {
        let mut content = Content::default();
        content.claim(0, BLOCK);
        let bytes = Bytes::from(vec![7; BLOCK as usize]);
        content.fill(content.epoch(), (0, BLOCK), Some((bytes, &attr(2 * BLOCK))));
        assert!(matches!(
            content.gather(0, 10, Some(&attr(BLOCK))),
            Gathered::Missing
        ));
    }

    #[test]
    fn a_cleared_request_is_not_taken_in() {
        let mut content = Content::default();
        content.claim(0, BLOCK);
        let epoch = content.epoch();
        content.clear();
        content.fill(
            epoch,
            (0, BLOCK),
            Some((Bytes::from_static(b"old"), &attr(3))),
        );
        assert!(matches!(content.gather(0, 3, None), Gathered::Missing));
    }
}
