//! `mirrord/notify`: something the user should know, at most once if muted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

open_enum! {
    /// How loud.
    Level {
        /// Good to know.
        Info = "info",
        /// Something may be wrong.
        Warn = "warn",
        /// Something is wrong.
        Error = "error",
    }
}

/// `mirrord/notify`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotifyParams {
    /// A stable name for this kind of message; what `mirrord/notify/mute` takes.
    pub id: String,
    /// How loud.
    pub level: Level,
    /// One sentence.
    pub text: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Buttons.
    #[serde(default)]
    pub actions: Vec<Action>,
}

/// A button: a command for `workspace/executeCommand` or one of the editor's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Its label.
    pub title: String,
    /// The command.
    pub command: String,
    /// The command's arguments.
    #[serde(default)]
    pub arguments: Vec<Value>,
}

/// `mirrord/notify/mute`: the daemon remembers it for this user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MuteParams {
    /// The kind of message.
    pub id: String,
    /// Whether to be silent about it.
    pub muted: bool,
}
