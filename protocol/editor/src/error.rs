//! The `data` of every error: one renderer in each editor shows them all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

open_enum! {
    /// What kind of failure it is, for the client to act on.
    ErrorKind {
        /// A configuration has errors; `diagnosticsUri` says where.
        ConfigInvalid = "configInvalid",
        /// No target was given, and the client has no picker.
        TargetRequired = "targetRequired",
        /// The target is not there or cannot be used.
        TargetUnavailable = "targetUnavailable",
        /// This launch cannot be served, and must not run plain in silence.
        LaunchRefused = "launchRefused",
        /// No such session, file, agent or watch.
        NotFound = "notFound",
        /// Another session holds what this one wants.
        Conflict = "conflict",
        /// The session is not in a state that allows this.
        WrongState = "wrongState",
        /// The user may not do this.
        Forbidden = "forbidden",
        /// It needs a cluster, which is not reachable or not served.
        NeedsCluster = "needsCluster",
        /// Params that cannot be understood.
        InvalidParams = "invalidParams",
        /// Daemon and client, or daemon and session, are of different versions.
        VersionMismatch = "versionMismatch",
        /// The client or the user cancelled; all that was begun is undone.
        Cancelled = "cancelled",
        /// The daemon ends.
        ShuttingDown = "shuttingDown",
        /// It took too long.
        TimedOut = "timedOut",
        /// A fault of ours.
        Internal = "internal",
    }
}

/// JSON-RPC error codes of our own, beside LSP's.
pub mod code {
    /// A `mirrord/*` request failed; `data.kind` says how.
    pub const FAILED: i64 = -32803;
    /// The client cancelled.
    pub const CANCELLED: i64 = -32800;
    /// The server cancelled (it ends).
    pub const SERVER_CANCELLED: i64 = -32802;
    /// Params that cannot be understood.
    pub const INVALID_PARAMS: i64 = -32602;
    /// A fault of ours.
    pub const INTERNAL: i64 = -32603;
}

/// An error's `data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What was tried and what is wrong, one sentence.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What caused it, outermost first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Trying again may succeed without a change.
    #[serde(default)]
    pub retryable: bool,
    /// The file whose diagnostics tell more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics_uri: Option<String>,
}
