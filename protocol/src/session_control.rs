//! Between a session's process and those who control it (the daemon, the command line, the next
//! session that wants its agent): JSON messages on the session's Unix socket, each after its
//! length as four bytes, big end first.
//!
//! A connection asks by [`ToSession`] and hears [`FromSession`]: one answer for each question, in
//! any order, and events from the moment of a [`SessionRequest::Subscribe`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// Name of the socket in the session's folder.
pub const CONTROL_SOCKET: &str = "control";

/// No message is longer; who announces more is cut off.
pub const LONGEST: usize = 4 << 20;

/// A question and its number, which the answer repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToSession {
    /// Chosen by who asks, unique on the connection.
    pub id: u64,
    /// The question.
    pub request: SessionRequest,
}

/// The closed list of questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SessionRequest {
    /// Answered by [`SessionAnswer::Status`].
    Status,
    /// Send events from `since_seq` on, as far as they are kept. Answered by
    /// [`SessionAnswer::Subscribed`], then [`FromSession::Event`].
    Subscribe {
        /// The first event that is wanted; 0 for all that are kept.
        since_seq: u64,
        /// Also every decision "local", for as long as this connection lives. It makes local
        /// calls of the program as slow as remote ones, so it is for looking closely.
        local: bool,
    },
    /// The debuggee runs: the session lives at least as long as it does. Idempotent.
    Bind {
        /// Its process id.
        pid: i32,
        /// Port that its debugger listens on, which is never taken in the pod.
        debugger_port: Option<u16>,
    },
    /// The debugger stopped the debuggee, or let it go on.
    DebugState {
        /// Its process id.
        pid: i32,
        /// Stopped.
        paused: bool,
    },
    /// The launch takes longer: the session expires later. Answered by [`SessionAnswer::Status`].
    Keep {
        /// From now.
        expires_ms: u64,
    },
    /// Nothing will be launched: undo everything. Answered after the clean-up.
    Abort,
    /// End the session. Answered after the clean-up.
    Stop {
        /// How long the processes have to end by themselves.
        grace_ms: u64,
        /// Ask them to end (SIGTERM) at once; otherwise whoever launched them does. After the
        /// grace time they are killed either way: they could not go on without the session.
        kill_debuggee: bool,
    },
    /// Decide otherwise from now on. Answered by [`SessionAnswer::Rule`].
    Rule(RuleChange),
    /// The last lines of the session's and its agent's log. Answered by [`SessionAnswer::Logs`].
    Logs {
        /// How many of each.
        lines: u32,
    },
    /// The least configuration that does what the session's programs needed so far. Answered by
    /// [`SessionAnswer::Least`].
    Least,
    /// Answered by [`SessionAnswer::Agent`].
    AgentStatus,
    /// Call a port of the target from inside it and say who answered. Answered by
    /// [`SessionAnswer::Proof`].
    ProveIncoming {
        /// The port in the pod.
        port: u16,
    },
    /// A new session of the same user and target takes over the agent that this ended session
    /// keeps warm. Answered by [`SessionAnswer::AgentTaken`]; the process ends then.
    TakeAgent {
        /// The new session's public key (64 hex digits); the agent serves nobody else from now on.
        session_key: String,
        /// The new session's folder, where the agent's socket and log are put.
        folder: PathBuf,
    },
    /// Let a warm agent go. Answered when it is gone.
    StopAgent,
}

/// One rule to change in a running session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RuleChange {
    /// This path and all below it.
    Path {
        /// Absolute.
        path: String,
        /// Where it is from now on.
        place: PathPlace,
    },
    /// Outgoing connections to a host (name, address or subnet), or to one port of it.
    Host {
        /// As in `feature.network.outgoing.filter`, without the port.
        host: String,
        /// One port only.
        port: Option<u16>,
        /// Out from the pod; otherwise from this machine.
        remote: bool,
    },
    /// A port that the program listens on.
    Port {
        /// As the program asks for it.
        port: u16,
        /// What happens with the pod's.
        mode: PortMode,
    },
}

/// Where a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathPlace {
    /// On this machine.
    Local,
    /// In the pod, for reading; for writing on this machine.
    Remote,
    /// In the pod, for writing too.
    RemoteWrite,
    /// Nowhere.
    NotFound,
}

/// What happens with the pod's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PortMode {
    /// The local program answers.
    Steal,
    /// The local program gets a copy.
    Mirror,
    /// Left alone.
    Off,
}

/// Session → who controls it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FromSession {
    /// The answer to the question of that number.
    Answer {
        /// The question's number.
        id: u64,
        /// The answer.
        result: Result<SessionAnswer, SessionError>,
    },
    /// An event; only after a subscription.
    Event(Event),
    /// The reader was too slow, or asked for events that are no longer kept.
    Dropped {
        /// How many are missing here.
        count: u64,
    },
}

/// The closed list of answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SessionAnswer {
    /// It is done.
    Done,
    /// What is known of the session.
    Status(Box<SessionStatus>),
    /// Events follow.
    Subscribed {
        /// The number that the next new event will have.
        next_seq: u64,
    },
    /// The rule is changed.
    Rule {
        /// What would keep it in the configuration file.
        edit: ConfigEdit,
        /// What stays as it was, in words: connections and files that are open, and the like.
        note: Option<String>,
    },
    /// The ends of the logs.
    Logs {
        /// The session's own and those of its processes.
        session: Vec<String>,
        /// The agent's.
        agent: Vec<String>,
    },
    /// The least configuration.
    Least(Least),
    /// The agent.
    Agent(AgentStatus),
    /// Who answered.
    Proof {
        /// One for each request that was made.
        requests: Vec<Proof>,
    },
    /// The agent is the new session's.
    AgentTaken {
        /// Where it listens now (`unix:…` or `tcp:…`).
        endpoint: String,
        /// Its key.
        fingerprint: String,
        /// Its process, when it is one of this machine.
        pid: Option<i32>,
    },
}

/// Why something could not be done; the same shape as an error of the editor's protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct SessionError {
    /// One word: `config`, `target`, `agent`, `files`, `supervisor`, `cancelled`, `ended`,
    /// `request`, `internal`.
    pub kind: String,
    /// What was tried and what went wrong.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
    /// What it came from, the nearest cause first.
    pub causes: Vec<String>,
    /// The same may work when it is tried again.
    pub retryable: bool,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SessionState {
    /// Its parts are being started.
    Preparing,
    /// Everything stands; no process has joined.
    Ready {
        /// When it ends by itself unless one does (RFC 3339, UTC); `None`: not by itself.
        expires_at: Option<String>,
    },
    /// Processes run in it.
    Running,
    /// The agent's link is lost; files and connections wait.
    Reconnecting {
        /// How it was lost, in words.
        reason: String,
    },
    /// It puts everything away.
    Draining,
    /// It is over.
    Ended {
        /// Why, in words.
        reason: String,
    },
}

impl SessionState {
    /// The state's name, as events say it.
    pub fn name(&self) -> &'static str {
        match self {
            SessionState::Preparing => "preparing",
            SessionState::Ready { .. } => "ready",
            SessionState::Running => "running",
            SessionState::Reconnecting { .. } => "reconnecting",
            SessionState::Draining => "draining",
            SessionState::Ended { .. } => "ended",
        }
    }
}

/// What is known of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// Its id.
    pub id: String,
    /// Name for people: the launch configuration's, or the program's.
    pub name: String,
    /// Where it stands.
    pub state: SessionState,
    /// Its target, as `--target` takes it.
    pub target: String,
    /// The folder that owns the launch.
    pub workspace: Option<PathBuf>,
    /// Whose end ends it.
    pub owned_by: OwnedBy,
    /// Its process.
    pub pid: i32,
    /// When it began (RFC 3339, UTC).
    pub started_at: String,
    /// The configuration file.
    pub config_file: Option<PathBuf>,
    /// What chose it.
    pub config_chosen: Chosen,
    /// Processes that run in it.
    pub processes: Vec<Process>,
    /// Ports that its programs listen on.
    pub ports: Vec<Port>,
    /// The debugger stopped one of its processes.
    pub paused: bool,
    /// The number that the next event will have.
    pub next_seq: u64,
    /// The session is over and its agent kept for the next one until then (RFC 3339, UTC).
    pub warm_until: Option<String>,
    /// Its agents, where they are in a cluster: the primary one first.
    #[serde(default)]
    pub agents: Vec<PodAgent>,
}

/// An agent of a session, in a pod of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodAgent {
    /// The target's pod that it serves.
    pub pod: String,
    /// That pod's node.
    pub node: String,
    /// Files, environment, names and outgoing connections are this pod's.
    pub primary: bool,
    /// `starting`, `linked`, `reconnecting`, `failed` (another try follows) or `warm`.
    pub phase: String,
    /// Why it is in this phase, in words.
    pub reason: Option<String>,
    /// How often its link was lost and made again.
    pub reconnects: u32,
    /// The last ping's round trip, where it was asked for.
    pub round_trip_us: Option<u64>,
}

/// What chose a configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// `explicit`, `environment`, `active`, `default` or `none`.
    pub source: String,
    /// The same in a sentence.
    pub why: String,
}

/// Whose end ends a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnedBy {
    /// Nobody's; it ends with its processes.
    #[default]
    User,
    /// The connection's that prepared it; its daemon sees to that.
    Connection,
}

/// A process of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its id on this machine.
    pub pid: i32,
    /// Its executable, when known.
    pub exe: Option<String>,
    /// An editor announced it as its debuggee.
    #[serde(default)]
    pub bound: bool,
    /// A debugger holds it.
    #[serde(default)]
    pub paused: bool,
}

/// A port that a program of the session listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// The port in the pod.
    pub port: u16,
    /// The port that the program asked for.
    pub asked: u16,
    /// The port on this machine.
    pub local: u16,
    /// What happens with the pod's.
    pub mode: PortMode,
}

/// What is known of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// `linked`, `reconnecting`, `warm` or `gone`.
    pub phase: String,
    /// Its target.
    pub target: String,
    /// Its version.
    pub version: String,
    /// Where it listens.
    pub endpoint: String,
    /// Its process, when it is one of this machine.
    pub pid: Option<i32>,
    /// The last ping's round trip.
    pub round_trip_us: Option<u64>,
    /// How often the link was lost and made again.
    pub reconnects: u32,
    /// It served another session before this one.
    pub was_warm: bool,
    /// All agents of the session, where they are in a cluster: this one first.
    #[serde(default)]
    pub agents: Vec<PodAgent>,
}

/// Who answered a request that was made to prove that traffic arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The request, for people.
    pub request: String,
    /// The session's rules mean it for the local program.
    pub matches: bool,
    /// `local`, `pod`, `both` or `nobody`.
    pub answered_by: String,
    /// What came back, shortened, or what went wrong.
    pub detail: String,
}

/// A change of a configuration file: the value at a path of keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigEdit {
    /// The keys, from the outermost: `["feature", "fs", "local"]`.
    pub path: Vec<String>,
    /// The whole new value.
    pub value: serde_json::Value,
}

/// The least configuration that does what a session's programs needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Least {
    /// The keys that have a part in it, in the order of a file.
    pub keys: Vec<LeastKey>,
    /// What cannot be said by keys, in words.
    pub notes: Vec<String>,
}

/// A key of [`Least`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeastKey {
    /// The keys, from the outermost.
    pub path: Vec<String>,
    /// Its value; null: the key must not be there.
    pub value: serde_json::Value,
    /// What asks for it, in a sentence.
    pub why: String,
    /// The same for each value of a list.
    pub items: Vec<String>,
    /// It is as the session's configuration file has it.
    pub in_file: bool,
}

/// What a session's process is started with, on its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionOptions {
    /// Name for people.
    pub name: String,
    /// The folder that owns the launch.
    pub workspace: Option<PathBuf>,
    /// Whose end ends it.
    #[serde(default)]
    pub owned_by: OwnedBy,
    /// The configuration, which the session resolves in its own environment: that is the
    /// environment that its starter gave to its process.
    pub config: ConfigSource,
    /// Where the program will be started.
    pub working_directory: PathBuf,
    /// The program, when it is known; its own folder is this machine's.
    pub program: Option<PathBuf>,
    /// Folders of the debugger, which are this machine's.
    #[serde(default)]
    pub tools: Vec<PathBuf>,
    /// How long it waits for a process.
    pub expires_ms: u64,
    /// How long its agent is kept for the next session after its end; 0: not at all.
    pub keep_agent_ms: u64,
    /// What is logged into its folder, as a `tracing` filter.
    pub log: String,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigSource {
    /// The file; `None`: the one found in `folder`, or none.
    pub file: Option<PathBuf>,
    /// What chose `file`, when that was not the user's own word.
    #[serde(default)]
    pub chosen: Option<Chosen>,
    /// Where it is looked for, and what relative paths in it mean.
    pub folder: PathBuf,
    /// Beats the configuration's target.
    pub target: Option<String>,
    /// Beats the configuration's incoming mode.
    pub incoming: Option<PortMode>,
}

/// What a starting session tells its starter, one JSON object a line. The starter cancels it by
/// closing its end before the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StartNews {
    /// A step begins.
    Step {
        /// The step, for people.
        text: String,
    },
    /// Everything stands. The last line.
    Ready(Box<Prepared>),
    /// It could not be started, and nothing is left of it. The last line.
    Failed(SessionError),
}

/// What a program needs to be launched into a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// The session's id.
    pub session_id: String,
    /// Its folder, with its control socket.
    pub folder: PathBuf,
    /// When it expires (RFC 3339, UTC).
    pub expires_at: String,
    /// The layer, for `LD_PRELOAD`.
    pub layer: PathBuf,
    /// The supervisor's socket, for `MIRRORD_SUPERVISOR`.
    pub socket: PathBuf,
    /// What admits a process to the session, for `MIRRORD_LAUNCH_TOKEN`; 64 hex digits.
    pub token: String,
    /// The program and the arguments to put before a command line that a preload cannot reach;
    /// the environment is needed there too.
    pub launcher: Vec<String>,
    /// The target.
    pub target: String,
    /// The configuration file.
    pub config_file: Option<PathBuf>,
    /// What the configuration's author should know.
    pub warnings: Vec<String>,
    /// The agent had served an earlier session.
    pub was_warm: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn messages_survive_json() {
        let asked = ToSession {
            id: 7,
            request: SessionRequest::Rule(RuleChange::Path {
                path: "/etc".into(),
                place: PathPlace::NotFound,
            }),
        };
        let text = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<ToSession>(&text).unwrap(), asked);
        let told = [
            FromSession::Answer {
                id: 7,
                result: Err(SessionError {
                    kind: "ended".into(),
                    message: "it is over".into(),
                    help: None,
                    causes: vec![],
                    retryable: false,
                }),
            },
            FromSession::Event(Event {
                seq: 3,
                ts: "2000-02-29T12:34:56.789Z".into(),
                kind: EventKind::Dropped { count: 1 },
            }),
        ];
        for told in told {
            let text = serde_json::to_string(&told).unwrap();
            assert_eq!(serde_json::from_str::<FromSession>(&text).unwrap(), told);
        }
    }

    #[test]
    fn states_are_tagged_with_their_name() {
        let state = SessionState::Ended {
            reason: "so".into(),
        };
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["state"], state.name());
        assert_eq!(serde_json::from_value::<SessionState>(json).unwrap(), state);
    }
}
