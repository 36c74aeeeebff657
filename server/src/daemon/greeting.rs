//! What is said on the daemon's socket before LSP: one line of JSON each way. A forwarder says its
//! version; `mirrord-server daemon status|stop` ask. A client that begins with LSP's headers at
//! once is served too.

use serde::{Deserialize, Serialize};

/// No line is longer.
pub const LONGEST_LINE: u64 = 4096;

/// This build's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first line of who connects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Ask {
    /// LSP follows.
    Serve {
        /// The forwarder's version.
        version: String,
    },
    /// How the daemon is.
    Status,
    /// End.
    Stop,
}

/// The daemon's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase")]
pub enum Answer {
    /// LSP may begin.
    Welcome,
    /// The versions differ; the daemon was idle and has given up its socket.
    HandedOver {
        /// The daemon's version.
        version: String,
    },
    /// The versions differ, and somebody uses the daemon.
    OtherVersion {
        /// The daemon's version.
        version: String,
        /// Who uses it: `2 clients and 1 session`.
        busy: String,
    },
    /// How the daemon is.
    Status(Status),
    /// It ends; the connection is closed when it is done.
    Stopping,
}

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub started_at: String,
    /// Clients that are connected.
    pub clients: usize,
    /// Sessions of this user.
    pub sessions: usize,
    /// The folder with its logs.
    pub logs: String,
}
