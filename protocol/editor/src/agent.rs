//! `mirrord/agent/*`: the part of a session that works inside the target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `mirrord/agent/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AgentStatusParams")]
pub struct StatusParams {
    /// The session.
    pub session_id: String,
}

open_enum! {
    /// What an agent does.
    AgentPhase {
        /// Not linked yet.
        Starting = "starting",
        /// Serves a session.
        Serving = "serving",
        /// Waits for this user's next session on its target.
        Warm = "warm",
        /// Its link is lost.
        Lost = "lost",
        /// It could not be started; another try follows.
        Failed = "failed",
    }
}

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// What it does.
    pub phase: AgentPhase,
    /// The machine it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: u32,
    /// The link's last round trip in microseconds (a local one is far below a millisecond).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// All agents of the session, where they are in a cluster: this one first, then those of the
    /// other pods that it covers (`agent.replicas`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<PodAgent>,
}

/// An agent of a session, in a pod of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodAgent {
    /// The target's pod that it serves.
    pub pod: String,
    /// That pod's node.
    pub node: String,
    /// Files, environment, names and outgoing connections are this pod's.
    #[serde(default)]
    pub primary: bool,
    /// What it does.
    pub phase: AgentPhase,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often its link was lost and made again.
    #[serde(default)]
    pub restarts: u32,
    /// The link's last round trip in microseconds, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
}

/// `mirrord/agent/list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AgentListParams")]
pub struct ListParams {}

/// This user's agents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AgentListResult")]
pub struct ListResult {
    /// The agents.
    pub agents: Vec<Agent>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// Its id.
    pub agent_id: String,
    /// Its target.
    pub target: String,
    /// The pod that it serves, where it is in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// What it does.
    pub phase: AgentPhase,
    /// The session it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When it ends if no session wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// `mirrord/agent/stop`: ends a warm agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AgentStopParams")]
pub struct StopParams {
    /// The agent.
    pub agent_id: String,
}
