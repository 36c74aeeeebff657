//! What can go wrong with a sandbox, said so that the reader knows the next step.

use std::io;
use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The name cannot be used.
    #[error(
        "{0:?} is no sandbox name: use lower-case letters, digits and '-', at most 40 characters"
    )]
    Name(String),
    /// The wishes contradict themselves or this machine.
    #[error("sandbox {name}: {message}")]
    Spec {
        /// The sandbox.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is one of that name.
    #[error(
        "sandbox {0} is running already; end it with `mirrord-server sandbox down {0}` or choose another name"
    )]
    AlreadyUp(String),
    /// Another command works on it.
    #[error("sandbox {0} is just being started or ended by another command; try again in a moment")]
    Busy(String),
    /// There is none of that name.
    #[error(
        "there is no sandbox {0}; start it with `mirrord-server sandbox up {0}`, or see `mirrord-server sandbox list`"
    )]
    NotFound(String),
    /// Its first process is gone.
    #[error(
        "sandbox {0} is dead: its first process was killed; start it again with `mirrord-server sandbox up {0}`"
    )]
    Dead(String),
    /// It did not start; nothing of it is left.
    #[error("sandbox {name} did not start: {message}")]
    Start {
        /// The sandbox.
        name: String,
        /// What happened and what to do.
        message: String,
    },
    /// Its processes do not end.
    #[error(
        "sandbox {name} did not end: process {pid} is still there after SIGKILL; see `cat /proc/{pid}/stack`"
    )]
    StillThere {
        /// The sandbox.
        name: String,
        /// Its first process.
        pid: u32,
    },
    /// A program could not be started in it.
    #[error("could not start {program:?} in sandbox {name}: {source}")]
    Exec {
        /// The sandbox.
        name: String,
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// An HTTP call from inside it got no answer.
    #[error("the HTTP call from inside sandbox {name} got no answer: {message}")]
    Http {
        /// The sandbox.
        name: String,
        /// What happened.
        message: String,
    },
    /// A file or folder of the sandboxes could not be used.
    #[error("could not {what} {path}: {source}")]
    Io {
        /// The attempt.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl SandboxError {
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| SandboxError::Io { what, path, source }
    }
}
