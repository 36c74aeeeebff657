//! What can go wrong at the edges of this crate, in words for the person who runs the session.

use std::io;

use mirrord_link::LinkError;

/// A file server that could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// One of the two links to the agent could not be made.
    #[error("could not reach the agent for file calls: {0}")]
    Link(#[from] LinkError),
    /// `/dev/fuse` could not be opened, or the file system not be made.
    #[error("could not {action}: {source} ({advice})")]
    Mount {
        /// The step.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
        /// What to do about it.
        advice: &'static str,
    },
    /// The file server ended before it said anything.
    #[error("the file server did not come up: {0} (its log says more)")]
    Welcome(#[source] io::Error),
    /// The file server said why it could not begin.
    #[error("{0}")]
    Remote(String),
    /// Something on this machine failed.
    #[error("the file server could not {action}: {source}")]
    Local {
        /// The step.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}
