//! What a session tells about itself: one JSON object a line in `--events`, the same objects in
//! the editors. Every local/remote decision carries the rule that made it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One event with its place in the session's sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Counts up by one; a gap means events were dropped (see [`EventKind::Dropped`]).
    pub seq: u64,
    /// RFC 3339, UTC, with milliseconds.
    pub ts: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Where a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// This machine.
    Local,
    /// The pod.
    Remote,
    /// Answered with "no such file".
    NotFound,
    /// Refused by a rule.
    Refused,
}

/// The closed list of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// The session's state changed.
    Session {
        /// `preparing`, `ready`, `running`, `reconnecting`, `draining`, `ended`.
        state: String,
        /// Why, in words.
        reason: String,
    },
    /// A process joined or left the session. None of these is ever dropped.
    Process {
        /// Its pid on this machine.
        pid: i32,
        /// `started`, again when it executed another program, or `ended`.
        state: String,
        /// Executable, when known.
        exe: Option<String>,
    },
    /// A path was resolved.
    File {
        /// Thread that called.
        pid: i32,
        /// System call name.
        call: String,
        /// Path after normalising.
        path: String,
        /// The call changes the file or its folder, or opens it for writing.
        #[serde(default)]
        writes: bool,
        /// Where it went.
        place: Place,
        /// The rule: `fs.local ^/usr(/|$)`, `fs.mode read`, …
        rule: String,
    },
    /// An outgoing connection or datagram.
    Outgoing {
        /// Thread that called.
        pid: i32,
        /// `tcp`, `udp` or `unix`.
        protocol: String,
        /// Destination as the program gave it.
        to: String,
        /// Where it went.
        place: Place,
        /// The rule.
        rule: String,
        /// errno when the pod refused it.
        errno: Option<i32>,
    },
    /// A name was looked up, and the configuration tells names apart.
    Name {
        /// As it was asked for.
        name: String,
        /// Whose resolver answers.
        place: Place,
        /// The rule.
        rule: String,
    },
    /// A local listener, and whether the pod's port was taken for it.
    Listen {
        /// Thread that called.
        pid: i32,
        /// Port the program asked for.
        port: u16,
        /// `steal`, `mirror`, or `off`.
        mode: String,
        /// The rule.
        rule: String,
        /// How the agent does it, or why it could not.
        detail: String,
    },
    /// A client's connection was handed to the local program.
    Incoming {
        /// Port in the pod.
        port: u16,
        /// `steal` or `mirror`.
        mode: String,
        /// The real client.
        client: SocketAddr,
        /// The pod that it came through, where the target is in a cluster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pod: Option<String>,
    },
    /// A pod came under the session, or left it, where it covers all of a workload's.
    Pod {
        /// Its name.
        pod: String,
        /// `joined`, `taken` (a port of it), `lost` (its agent is out of reach), `found`, `failed` (it
        /// has no agent; another try follows) or `left`.
        state: String,
        /// Which port, or why.
        detail: String,
    },
    /// Something the user should know.
    Notice {
        /// `info`, `warn` or `error`.
        level: String,
        /// One sentence, with the next step when there is one.
        text: String,
    },
    /// The reader was too slow; this many events are missing before this one.
    Dropped {
        /// How many.
        count: u64,
    },
}
