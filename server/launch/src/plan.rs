//! The answer: what an editor applies, in three forms of which it uses one.

use mirrord_editor_protocol::launch::{ArgvChange, Decision, EnvChanges, LocalParts, Patch};

/// What to do with a launch; the daemon adds the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whether anything is to be changed.
    pub decision: Decision,
    /// Why, in one sentence.
    pub reason: String,
    /// Variables, for a client that starts the program itself.
    pub env: EnvChanges,
    /// Changes to its command line.
    pub argv: Option<ArgvChange>,
    /// The same for the two editors.
    pub patch: Patch,
    /// What stays on this machine.
    pub local: LocalParts,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// A launch that cannot be served, and must not run plain in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub help: String,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Refusal {
            message: message.into(),
            help: help.into(),
        }
    }
}

impl Plan {
    /// A launch that is started as it is.
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Plan {
            decision: Decision::Skip,
            reason: reason.into(),
            env: EnvChanges::default(),
            argv: None,
            patch: Patch::default(),
            local: LocalParts::default(),
            warnings: Vec::new(),
        }
    }
}
