//! `mirrord/explain`: where something would go, and by which rule, without a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigChoice, Origin};

/// `mirrord/explain`: exactly one of path, host, port (alone or with host) and env.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainParams {
    /// A path that a program would open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A host name or address that it would connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// With `host` the port it would connect to; alone the port that it would listen on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A variable's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The configuration file; else the one that the workspace's launches use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_uri: Option<String>,
    /// The folder (URI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// Where it would go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainResult {
    /// `local`, `remote`, `notFound`, `refused`; for ports `steal`, `mirror`, `off`.
    pub place: String,
    /// The rule, as events name it.
    pub rule: String,
    /// The same in a sentence.
    pub detail: String,
    /// Where the rule comes from, when it is written somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigChoice>,
}
