//! Bytes that begin at a multiple of eight, for who holds a block on the heap instead of in a
//! mapping: a `Vec<u8>` promises no alignment, and the automata are read in place as `u32`.

use crate::{BlockError, Rules};

/// An owned copy of a rule block, aligned.
#[derive(Debug)]
pub struct AlignedBlock {
    storage: Vec<u8>,
    start: usize,
}

impl AlignedBlock {
    /// Copies a block.
    pub fn new(block: &[u8]) -> Self {
        let mut storage = vec![0; block.len() + 7];
        // The buffer of a Vec does not move while the Vec does not grow, and this one never does.
        let start = storage.as_ptr().align_offset(8).min(7);
        storage[start..start + block.len()].copy_from_slice(block);
        storage.truncate(start + block.len());
        AlignedBlock { storage, start }
    }

    /// The block.
    pub fn as_bytes(&self) -> &[u8] {
        &self.storage[self.start..]
    }

    /// The rules in it.
    pub fn rules(&self) -> Result<Rules<'_>, BlockError> {
        Rules::from_bytes(self.as_bytes())
    }
}
