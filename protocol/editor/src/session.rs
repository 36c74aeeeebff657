//! `mirrord/session/*`: what runs, what happens in it, and changing it.

use mirrord_protocol::event::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProgressToken;
use crate::agent::PodAgent;
use crate::config::ConfigChoice;
use crate::text::WorkspaceEdit;

open_enum! {
    /// Where a session is in its life.
    SessionState {
        /// Agent, supervisor and files are being started.
        Preparing = "preparing",
        /// Waiting for its first process.
        Ready = "ready",
        /// A process runs in it.
        Running = "running",
        /// The link to the agent is lost and sought.
        Reconnecting = "reconnecting",
        /// Ending: programs first, then its parts.
        Draining = "draining",
        /// Over; the reason says why.
        Ended = "ended",
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// The launch's name, or the command.
    pub name: String,
    /// Where it is in its life.
    pub state: SessionState,
    /// Why it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its target.
    pub target: String,
    /// The folder that owns it (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigChoice>,
    /// When it began.
    pub started_at: String,
    /// When it ends if no process appears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Its processes.
    pub processes: Vec<Process>,
    /// Ports that its programs listen on.
    pub ports: Vec<Port>,
    /// Its agents, where they are in a cluster: the primary one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<PodAgent>,
    /// The number of its last event.
    pub last_seq: u64,
}

/// A process in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its pid on this machine.
    pub pid: i32,
    /// Its executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// It is a debuggee that an editor named.
    #[serde(default)]
    pub bound: bool,
    /// It stands at a breakpoint.
    #[serde(default)]
    pub paused: bool,
}

/// A port that a program of a session listens on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// The port it asked for.
    pub port: u16,
    /// `steal`, `mirror` or `off`.
    pub mode: String,
}

/// `mirrord/session/list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SessionListParams")]
pub struct ListParams {
    /// Only sessions of this folder (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// This user's sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SessionListResult")]
pub struct ListResult {
    /// The newest first.
    pub sessions: Vec<Session>,
}

/// `mirrord/session/get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SessionGetParams")]
pub struct GetParams {
    /// The session.
    pub session_id: String,
}

/// `mirrord/session/stop`; answered when all is cleaned up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SessionStopParams")]
pub struct StopParams {
    /// The session.
    pub session_id: String,
    /// How long its programs may take to end by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// End its programs too; true when absent. A program cannot go on without its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_debuggee: Option<bool>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SessionStopResult")]
pub struct StopResult {
    /// The reason that its last event gives.
    pub reason: String,
}

/// `mirrord/session/restart`: the same launch again, with the configuration read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestartParams {
    /// The session.
    pub session_id: String,
    /// Progress is told under this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_done_token: Option<ProgressToken>,
}

/// `mirrord/session/subscribe`: events follow as `mirrord/session/event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeParams {
    /// The session.
    pub session_id: String,
    /// The first event that is wanted: one more than the last that the client has, 0 for all. Those
    /// that are kept come first. Without it only new ones come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_seq: Option<u64>,
    /// Also every decision "local", as long as the subscription lasts. It makes the program's local
    /// calls as slow as remote ones, so it is for looking closely.
    #[serde(default)]
    pub local: bool,
}

/// A subscription, which lasts until `mirrord/session/unsubscribe`, the session's end, or the
/// connection's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeResult {
    /// The session as it is now.
    pub session: Session,
}

/// `mirrord/session/event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEvent {
    /// The session.
    pub session_id: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// `mirrord/session/changed`: a session began, ended or changed its state, for views of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SessionChanged")]
pub struct Changed {
    /// The session; with the state `ended` it leaves the list.
    pub session: Session,
}

open_enum! {
    /// What a rule is about.
    RuleSubject {
        /// A path.
        Path = "path",
        /// A host, address or subnet.
        Host = "host",
        /// A port that the program listens on.
        Port = "port",
    }
}

open_enum! {
    /// What is to happen.
    RuleAction {
        /// On this machine.
        Local = "local",
        /// In the pod.
        Remote = "remote",
        /// In the pod, for reading only.
        ReadOnly = "readOnly",
        /// Answered with "no such file".
        NotFound = "notFound",
        /// The pod's traffic on this port comes here.
        Steal = "steal",
        /// A copy of the pod's traffic on this port comes here.
        Mirror = "mirror",
        /// The pod's traffic stays in the pod.
        Off = "off",
    }
}

/// `mirrord/session/rule`: one rule of a running session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleParams {
    /// The session.
    pub session_id: String,
    /// What the rule is about.
    pub subject: RuleSubject,
    /// The path (this very one and all below), the host, or the port.
    pub value: String,
    /// What is to happen.
    pub action: RuleAction,
}

/// The rule is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleResult {
    /// The rule as events will name it.
    pub rule: String,
    /// The configuration key that would keep it.
    pub key: Vec<String>,
    /// Its value.
    pub value: Value,
    /// Puts it into the session's configuration file, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<WorkspaceEdit>,
}

open_enum! {
    /// Whose log.
    LogSource {
        /// The session's own.
        Server = "server",
        /// The agent's.
        Agent = "agent",
        /// The layer's, in the program.
        Layer = "layer",
    }
}

/// `mirrord/session/logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogsParams {
    /// The session.
    pub session_id: String,
    /// Only this one's; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<LogSource>,
    /// At most so many lines, the last ones; 1,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Log lines, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogsResult {
    /// The lines.
    pub lines: Vec<LogLine>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Whose.
    pub source: LogSource,
    /// What it says.
    pub text: String,
}

/// `mirrord/session/proveIncoming`: real requests through the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProveIncomingParams {
    /// The session.
    pub session_id: String,
    /// Only this port; all the session's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The user agreed that requests are sent. Without it nothing is sent, and the request fails.
    #[serde(default)]
    pub confirmed: bool,
}

/// Who answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProveIncomingResult {
    /// One for each request.
    pub requests: Vec<ProvenRequest>,
    /// What could not be proven, and why; for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

open_enum! {
    /// Who answered a request.
    Answerer {
        /// The program on this machine.
        Local = "local",
        /// The pod's own.
        Pod = "pod",
        /// Nobody.
        Nobody = "nobody",
    }
}

/// One request and who answered it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvenRequest {
    /// The port in the pod.
    pub port: u16,
    /// It was made to match the session's filter (always true without a filter).
    pub matching: bool,
    /// Who answered.
    pub answered_by: Answerer,
    /// What was sent and what came back, one sentence.
    pub detail: String,
}
