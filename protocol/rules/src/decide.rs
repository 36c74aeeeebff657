//! Reading a rule block and deciding about paths.

use std::fmt;

use regex_automata::dfa::dense;

use crate::block::{Reader, Section, Table};
use crate::error::BlockError;
use crate::network::Network;
use crate::pattern::first_match;
use crate::program;
use crate::source::FsMode;

/// What a call wants from a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Content, attributes, listing.
    Read,
    /// Anything that changes the file or its directory; opening for writing.
    Write,
}

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathPlace {
    /// This machine; a symbolic link on the way may still lead to the pod.
    Local,
    /// This machine, below a system directory whose links stay on this machine: no further look
    /// is needed.
    LocalTrusted,
    /// The pod.
    Remote {
        /// Writing is allowed too.
        writable: bool,
    },
    /// Answer ENOENT.
    NotFound,
    /// The path is replaced first: see [`crate::Mapper`], then [`Rules::path_as_is`].
    Mapped,
}

/// A decision about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathDecision<'a> {
    /// Where it leads.
    pub place: PathPlace,
    /// Why.
    pub rule: Rule<'a>,
}

/// The rule behind a decision, as text for people: `fs.read_only ^/etc/app(/|$)`,
/// `fs.mode read`, `fs.local (default) ^/usr(/|$)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule<'a>(pub(crate) &'a [u8]);

impl<'a> Rule<'a> {
    /// The text.
    pub fn as_str(self) -> &'a str {
        // The compiler wrote UTF-8; a damaged block shows nothing.
        std::str::from_utf8(self.0).unwrap_or("")
    }

    pub(crate) const fn fixed(text: &'static str) -> Rule<'static> {
        Rule(text.as_bytes())
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a path pattern says; the numbers are the block's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Says {
    NotFound = 1,
    ReadWrite = 2,
    ReadOnly = 3,
    Local = 4,
    LocalTrusted = 5,
}

/// Automata of one list, and the first pattern of each. More than this many are refused when
/// compiling; a fixed number keeps [`Rules`] free of allocation.
pub(crate) const PATH_GROUPS: usize = 8;
pub(crate) const OTHER_GROUPS: usize = 2;

/// The number of its first pattern, and an automaton.
type Group<'a> = (usize, dense::DFA<&'a [u32]>);

#[derive(Clone)]
pub(crate) struct Automata<'a, const N: usize> {
    groups: [Option<Group<'a>>; N],
}

impl<'a, const N: usize> Automata<'a, N> {
    pub(crate) fn read(reader: &Reader<'a>, section: Section) -> Result<Self, BlockError> {
        let table: Table<'a, 3> = reader.table(section);
        if table.len() > N {
            return Err(BlockError::Cut);
        }
        let mut groups = [const { None }; N];
        for (index, group) in groups.iter_mut().enumerate().take(table.len()) {
            let [start, length, first] = table.get(index);
            let bytes = reader.automaton([start, length]).ok_or(BlockError::Cut)?;
            let (automaton, _) = dense::DFA::from_bytes(bytes)
                .map_err(|error| BlockError::Automaton(error.to_string()))?;
            *group = Some((first as usize, automaton));
        }
        Ok(Automata { groups })
    }

    /// The best pattern found in `text`.
    #[inline]
    pub(crate) fn first_match(&self, text: &[u8]) -> Option<usize> {
        self.groups.iter().flatten().find_map(|(first, automaton)| {
            first_match(automaton, text).map(|pattern| first + pattern)
        })
    }
}

/// Compiled rules, borrowed from a block.
#[derive(Clone)]
pub struct Rules<'a> {
    pub(crate) reader: Reader<'a>,
    pub(crate) network: Network<'a>,
    mode: FsMode,
    paths: Automata<'a, PATH_GROUPS>,
    path_patterns: Table<'a, 3>,
    /// The started program, and the text of its rule.
    executable: (&'a [u8], &'a [u8]),
    mapping: Automata<'a, OTHER_GROUPS>,
    pub(crate) mapping_patterns: Table<'a, 6>,
}

impl<'a> Rules<'a> {
    /// Checks a block once and borrows it. The bytes must begin at a multiple of eight, as a
    /// mapping does; see [`crate::AlignedBlock`] otherwise.
    pub fn from_bytes(block: &'a [u8]) -> Result<Self, BlockError> {
        let reader = Reader::new(block)?;
        let [mode, _, _, _, at, length, rule_at, rule_length] =
            reader.table::<8>(Section::Settings).get(0);
        Ok(Rules {
            reader,
            network: Network::read(&reader)?,
            mode: match mode {
                1 => FsMode::Local,
                2 => FsMode::LocalWithOverrides,
                3 => FsMode::Read,
                4 => FsMode::Write,
                _ => return Err(BlockError::Cut),
            },
            paths: Automata::read(&reader, Section::PathGroups)?,
            path_patterns: reader.table(Section::PathPatterns),
            executable: (
                reader.text([at, length]),
                reader.text([rule_at, rule_length]),
            ),
            mapping: Automata::read(&reader, Section::MappingGroups)?,
            mapping_patterns: reader.table(Section::MappingPatterns),
        })
    }

    /// `feature.fs.mode`; with [`FsMode::Local`] no path is ever remote.
    pub fn fs_mode(&self) -> FsMode {
        self.mode
    }

    /// Decides about an absolute path without `.`, `..` and empty components (see [`is_plain`]).
    pub fn path(&self, path: &[u8], access: Access) -> PathDecision<'a> {
        if self.mode != FsMode::Local
            && let Some(pattern) = self.mapping.first_match(path)
        {
            let [_, _, _, _, start, length] = self.mapping_patterns.get(pattern);
            let rule = Rule(self.reader.text([start, length]));
            return PathDecision {
                place: PathPlace::Mapped,
                rule,
            };
        }
        self.path_as_is(path, access)
    }

    /// As [`Rules::path`], for a path that was mapped already.
    pub fn path_as_is(&self, path: &[u8], access: Access) -> PathDecision<'a> {
        use Access::{Read, Write};
        let decided = |place, rule| PathDecision { place, rule };
        if self.mode == FsMode::Local {
            return decided(PathPlace::Local, Rule::fixed("fs.mode local"));
        }
        let Some(pattern) = self.paths.first_match(path) else {
            if let Some(rule) = program::matching(path) {
                return decided(PathPlace::Local, rule);
            }
            let (executable, rule) = self.executable;
            if !executable.is_empty() && program::ends_with(path, executable) {
                return decided(PathPlace::Local, Rule(rule));
            }
            return match (self.mode, access) {
                (FsMode::Write, _) => decided(
                    PathPlace::Remote { writable: true },
                    Rule::fixed("fs.mode write"),
                ),
                (FsMode::Read, Read) => decided(
                    PathPlace::Remote { writable: false },
                    Rule::fixed("fs.mode read"),
                ),
                (FsMode::Read, Write) => decided(
                    PathPlace::Local,
                    Rule::fixed("fs.mode read (writes are local)"),
                ),
                (FsMode::LocalWithOverrides | FsMode::Local, _) => {
                    decided(PathPlace::Local, Rule::fixed("fs.mode localwithoverrides"))
                }
            };
        };
        let [start, length, says] = self.path_patterns.get(pattern);
        let place = match (says, access) {
            (says, _) if says == Says::NotFound as u32 => PathPlace::NotFound,
            (says, _) if says == Says::ReadWrite as u32 => PathPlace::Remote { writable: true },
            (says, Read) if says == Says::ReadOnly as u32 => PathPlace::Remote { writable: false },
            (says, _) if says == Says::LocalTrusted as u32 => PathPlace::LocalTrusted,
            // `local`, and `read_only` opened for writing.
            _ => PathPlace::Local,
        };
        decided(place, Rule(self.reader.text([start, length])))
    }
}

impl fmt::Debug for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("mode", &self.mode)
            .field("path_patterns", &self.path_patterns.len())
            .finish_non_exhaustive()
    }
}

/// Whether a path can be decided as it stands: absolute, and without empty, `.` and `..`
/// components. Others must be resolved first, for `/usr/../data` is not below `/usr`.
pub fn is_plain(path: &[u8]) -> bool {
    if path == b"/" {
        return true;
    }
    let Some(rest) = path.strip_prefix(b"/") else {
        return false;
    };
    rest.split(|&byte| byte == b'/')
        .all(|component| !matches!(component, b"" | b"." | b".."))
}
