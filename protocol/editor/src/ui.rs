//! `mirrord/ui/*`: what the daemon asks the user through the editor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::targets::TargetRow;

/// `mirrord/ui/pickTarget`, only while a `mirrord/launch/prepare` with `interactive` is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PickTargetParams {
    /// What it is for.
    pub title: String,
    /// The folder (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Targets that are known already; `mirrord/targets/list` and `watch` give more.
    pub targets: Vec<TargetRow>,
}

/// What the user picked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PickTargetResult {
    /// The target; none when the user escaped, which cancels the launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The cluster context that it is in; the configuration's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace that it is in; the configuration's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
