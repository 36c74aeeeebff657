//! The two ways rules can be wrong: a pattern that cannot be compiled, a block that is not one.

/// A pattern or filter that cannot be used, with the place it stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// The list, by its name in the configuration: `feature.fs.read_only`.
    pub list: &'static str,
    /// Place in that list, counted from zero.
    pub index: usize,
    /// The text that is wrong.
    pub pattern: String,
    /// What is wrong with it and what to do.
    pub reason: String,
    /// Bytes of `pattern` that are wrong, when known.
    pub range: Option<std::ops::Range<usize>>,
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}[{}] `{}`: {}",
            self.list, self.index, self.pattern, self.reason
        )
    }
}

impl std::error::Error for CompileError {}

/// A block that [`crate::Rules::from_bytes`] refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockError {
    /// The bytes do not begin like a block of this build: session and layer are of two versions.
    NotRules,
    /// Shorter than it says, or an offset leads outside.
    Cut,
    /// The bytes do not begin at a multiple of eight; see [`crate::AlignedBlock`].
    Unaligned,
    /// An automaton inside is damaged.
    Automaton(String),
}

impl std::fmt::Display for BlockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BlockError::NotRules => f.write_str(
                "could not read the rules: not a rule block of this version \
                 (are all parts of the same build?)",
            ),
            BlockError::Cut => f.write_str("could not read the rules: the block is cut or damaged"),
            BlockError::Unaligned => {
                f.write_str("could not read the rules: the block is not aligned to 8 bytes")
            }
            BlockError::Automaton(why) => write!(f, "could not read the rules: {why}"),
        }
    }
}

impl std::error::Error for BlockError {}
