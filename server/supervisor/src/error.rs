//! Why the supervisor could not start or go on.

use std::io;

/// An error that ends the supervisor, told to the session and the user.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// An inherited part does not work.
    #[error("the supervisor could not {action}: {source}")]
    Setup {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The shared rules block is not ours.
    #[error(
        "the supervisor could not read the session's rules: {0} (are all parts of mirrord-server of one version?)"
    )]
    Rules(String),
    /// The worker cannot be kept alive.
    #[error("the process that answers system calls died {times} times in a row")]
    WorkerDies {
        /// How often.
        times: usize,
    },
    /// We run under a supervisor ourselves.
    #[error(
        "mirrord-server was started inside a session of its own ({how}); start it outside the supervised program, or without {how}"
    )]
    Supervised {
        /// `LD_PRELOAD` or the filter.
        how: &'static str,
    },
}

impl SupervisorError {
    /// Wraps an I/O error with what was tried: `.map_err(SupervisorError::setup("map the rules"))`.
    pub fn setup<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> SupervisorError {
        move |source| SupervisorError::Setup {
            action,
            source: source.into(),
        }
    }
}
