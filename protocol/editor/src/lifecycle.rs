//! What `initialize` carries beside plain LSP, and the one status item.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `initializationOptions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InitializationOptions {
    /// Who speaks.
    pub editor: Editor,
    /// The workspace is trusted; without trust nothing of it is executed or injected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_trust: Option<bool>,
    /// What the client can show and tell.
    pub capabilities: ClientCapabilities,
    /// The login shell's environment. Cluster access and templates use it, overridden by a
    /// launch's own; the daemon's environment never decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// The editor's settings, as `workspace/didChangeConfiguration` sends them.
    pub settings: Value,
}

/// An editor's name and version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Editor {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a client can do beside plain LSP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientCapabilities {
    /// It answers `mirrord/ui/pickTarget`.
    pub target_picker: bool,
    /// It shows sessions, and wants `mirrord/session/changed`.
    pub sessions_view: bool,
    /// It sends `mirrord/debug/state`.
    pub debug_state: bool,
    /// It shows `mirrord/notify`; others get `window/showMessage`.
    pub notifications: bool,
}

/// `capabilities.experimental.mirrord` of the answer to `initialize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerCapabilities {
    /// See [`crate::PROTOCOL_VERSION`].
    pub protocol_version: u32,
    /// The daemon's version.
    pub server_version: String,
    /// Kinds of targets it can serve here.
    pub target_types: Vec<String>,
    /// Debug adapters whose launches it can patch.
    pub debug_adapters: Vec<String>,
    /// Every `mirrord/*` method it answers.
    pub features: Vec<String>,
}

open_enum! {
    /// The whole in one word.
    StatusState {
        /// All works.
        Ready = "ready",
        /// Works with something missing; `message` and `mirrord/doctor` say what.
        Degraded = "degraded",
        /// Nothing can be run.
        Error = "error",
    }
}

/// `mirrord/status`: feeds the one status item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// In one word.
    pub state: StatusState,
    /// The cluster context in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Sessions that live, of all clients.
    pub sessions: u32,
    /// What is missing, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
