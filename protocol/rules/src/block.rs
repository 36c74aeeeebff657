//! The flat block: a header, a table of sections, the sections. Numbers are of this machine's
//! byte order, for a block never leaves the machine it was made on.
//!
//! Tables hold records of `u32` words; text is a (start, length) pair into the text section.

use crate::BlockError;

/// First bytes of a block; the digit is the version of the layout.
const MAGIC: &[u8; 8] = b"mirrul01";
/// Sections begin at multiples of this, which is more than any automaton asks for.
const ALIGN: usize = 8;
/// Magic, then for each section its start and length.
const HEADER: usize = 8 + Section::COUNT * 8;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Section {
    /// Fixed words, see [`crate::decide`] and [`crate::network`].
    Settings,
    /// Records: an automaton's start and length in `Automata`, and its first pattern.
    PathGroups,
    /// Records of path patterns, best first.
    PathPatterns,
    /// As `PathGroups`, for `feature.fs.mapping`.
    MappingGroups,
    /// Records of mapping patterns and replacements.
    MappingPatterns,
    /// As `PathGroups`, for `unix_streams`.
    UnixGroups,
    /// Records of Unix socket patterns.
    UnixPatterns,
    /// Records of `outgoing.filter`.
    OutgoingFilters,
    /// Records of `dns.filter`.
    DnsFilters,
    /// Records of port rules.
    Ports,
    /// All automata.
    Automata,
    /// All text.
    Text,
}

impl Section {
    const COUNT: usize = Section::Text as usize + 1;
}

/// A reference into the text section.
pub(crate) type TextRef = [u32; 2];

/// Builds a block.
pub(crate) struct Writer {
    sections: Vec<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Writer {
            sections: vec![Vec::new(); Section::COUNT],
        }
    }

    pub(crate) fn words(&mut self, section: Section, words: &[u32]) {
        let bytes = &mut self.sections[section as usize];
        words
            .iter()
            .for_each(|word| bytes.extend(word.to_ne_bytes()));
    }

    pub(crate) fn text(&mut self, text: &[u8]) -> TextRef {
        let bytes = &mut self.sections[Section::Text as usize];
        let start = bytes.len();
        bytes.extend(text);
        [start as u32, text.len() as u32]
    }

    /// Adds an automaton and returns its start and length in its section.
    pub(crate) fn automaton(&mut self, automaton: &[u8]) -> [u32; 2] {
        let bytes = &mut self.sections[Section::Automata as usize];
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        let start = bytes.len();
        bytes.extend(automaton);
        [start as u32, automaton.len() as u32]
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut block = vec![0; HEADER];
        block[..8].copy_from_slice(MAGIC);
        for (index, section) in self.sections.iter().enumerate() {
            block.resize(block.len().next_multiple_of(ALIGN), 0);
            let start = block.len() as u32;
            let entry = 8 + index * 8;
            block[entry..entry + 4].copy_from_slice(&start.to_ne_bytes());
            block[entry + 4..entry + 8].copy_from_slice(&(section.len() as u32).to_ne_bytes());
            block.extend(section);
        }
        block
    }
}

/// Reads a block in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    block: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks the header and that each section lies inside.
    pub(crate) fn new(block: &'a [u8]) -> Result<Self, BlockError> {
        if block.len() < HEADER || &block[..8] != MAGIC {
            return Err(BlockError::NotRules);
        }
        if block.as_ptr().align_offset(ALIGN) != 0 {
            return Err(BlockError::Unaligned);
        }
        let reader = Reader { block };
        for index in 0..Section::COUNT {
            let (start, length) = reader.bounds(index);
            if start
                .checked_add(length)
                .is_none_or(|end| end > block.len())
            {
                return Err(BlockError::Cut);
            }
        }
        Ok(reader)
    }

    fn bounds(&self, index: usize) -> (usize, usize) {
        let entry = 8 + index * 8;
        (
            word(self.block, entry) as usize,
            word(self.block, entry + 4) as usize,
        )
    }

    /// A section's bytes.
    pub(crate) fn bytes(&self, section: Section) -> &'a [u8] {
        let (start, length) = self.bounds(section as usize);
        &self.block[start..start + length]
    }

    /// A section as records of `N` words.
    pub(crate) fn table<const N: usize>(&self, section: Section) -> Table<'a, N> {
        Table {
            bytes: self.bytes(section),
        }
    }

    /// The text that a record refers to; empty when the reference leads outside.
    pub(crate) fn text(&self, [start, length]: TextRef) -> &'a [u8] {
        let text = self.bytes(Section::Text);
        text.get(start as usize..(start as usize).saturating_add(length as usize))
            .unwrap_or(b"")
    }

    /// Part of the automata section.
    pub(crate) fn automaton(&self, [start, length]: [u32; 2]) -> Option<&'a [u8]> {
        let all = self.bytes(Section::Automata);
        all.get(start as usize..(start as usize).checked_add(length as usize)?)
    }
}

/// Records of `N` words each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a, const N: usize> {
    bytes: &'a [u8],
}

impl<const N: usize> Table<'_, N> {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / (N * 4)
    }

    /// A record; all zero when there is none of that number.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> [u32; N] {
        let mut record = [0; N];
        if index < self.len() {
            for (place, value) in record.iter_mut().enumerate() {
                *value = word(self.bytes, (index * N + place) * 4);
            }
        }
        record
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}
