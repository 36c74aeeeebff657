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
