//! Answers the system calls of supervised programs (see `docs/architecture.md`).
//!
//! This crate owns the seccomp listeners of one session. The core receives calls and carries out
//! plans; [`paths`] and [`net`] make the plans. It knows no async runtime: every thread of it
//! waits in the kernel for one thing.

pub mod call;
pub mod context;
pub mod error;
pub mod handler;
mod listener;
mod memory;
pub mod net;
pub mod paths;
pub mod session_link;
pub mod status;
pub mod tracee;

use std::os::fd::OwnedFd;

pub use error::SupervisorError;

/// What a supervisor process is started with. All descriptors are inherited.
pub struct SupervisorConfig {
    /// `SOCK_SEQPACKET` to the session (`mirrord_protocol::local`).
    pub session: OwnedFd,
    /// Stream socket to the file server (`mirrord_files`), when the session serves files.
    pub files: Option<OwnedFd>,
    /// A listening Unix stream socket in the session's directory, where the layer and the
    /// launcher hand their listeners over.
    pub hand_over: OwnedFd,
    /// Shared memory with the compiled rules (`mirrord_rules`).
    pub rules: OwnedFd,
    /// Shared memory of the peer table (`mirrord_net`).
    pub peers: OwnedFd,
    /// The only user whose listeners are taken.
    pub owner: u32,
    /// Whether somebody wants an event for every local/remote decision.
    pub report_all: bool,
    /// The pod's host name when `uname(2)` shall answer it.
    pub hostname: Option<Vec<u8>>,
}

/// Supervises until the last process is gone or the session ends.
pub fn run(_config: SupervisorConfig) -> Result<(), SupervisorError> {
    Ok(())
}
