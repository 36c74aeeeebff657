//! `mirrord/targets/*`: what a program can be run in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProgressToken;

/// `mirrord/targets/list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TargetListParams")]
pub struct ListParams {
    /// The cluster context; the current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace; the context's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only these kinds: `sandbox`, `process`, `container`, `pod`, `deployment`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// A label selector, for targets that have labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// Only targets whose path or name contains this, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// At most so many rows; 1,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Rows come as partial results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_result_token: Option<ProgressToken>,
    /// Progress is told under this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_done_token: Option<ProgressToken>,
}

/// The targets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TargetListResult")]
pub struct ListResult {
    /// Last used ones first, then by path.
    pub targets: Vec<TargetRow>,
    /// There are more than `limit`.
    #[serde(default)]
    pub truncated: bool,
    /// What could not be listed, and why.
    #[serde(default)]
    pub problems: Vec<ListProblem>,
}

/// A part of a list that could not be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListProblem {
    /// Which part: a kind, a namespace, a provider.
    pub scope: String,
    /// Why.
    pub message: String,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetRow {
    /// As configurations and `--target` take it: `sandbox/default`.
    pub path: String,
    /// `sandbox`, `process`, `container`, `pod`, …
    pub kind: String,
    /// Name for people.
    pub name: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its containers.
    #[serde(default)]
    pub containers: Vec<String>,
    /// Ports that something listens on, as far as known.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Its pods, where it says how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<Pods>,
    /// A program can be run in it now.
    pub ready: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When this user last ran a program in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

/// How many pods a target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pods {
    /// Pods that get traffic.
    pub ready: u32,
    /// Pods that there shall be.
    pub wanted: u32,
}

/// `mirrord/targets/watch`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchParams {
    /// As for the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// As for the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// As for the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// As for the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// As for the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// A watch that runs until `mirrord/targets/unwatch`, or the connection's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchResult {
    /// Its id.
    pub watch_id: String,
    /// The targets of this machine now; those of a cluster, and all changes, follow.
    pub targets: Vec<TargetRow>,
}

/// `mirrord/targets/unwatch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnwatchParams {
    /// The watch.
    pub watch_id: String,
}

/// `mirrord/targets/changed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TargetChanged")]
pub struct Changed {
    /// The watch.
    pub watch_id: String,
    /// New rows and rows that are different now.
    pub updated: Vec<TargetRow>,
    /// Paths of rows that are gone.
    pub removed: Vec<String>,
    /// What cannot be followed, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ListProblem>,
}

/// `mirrord/targets/describe`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DescribeParams {
    /// The target.
    pub path: String,
    /// The cluster context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a target is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DescribeResult {
    /// Its row.
    pub target: TargetRow,
    /// Its containers.
    pub containers: Vec<Container>,
    /// How many pods are behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Sessions of this user on it.
    pub sessions: Vec<String>,
}

/// A container of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Ports that something listens on.
    pub ports: Vec<u16>,
    /// Names of its environment variables; never the values.
    pub env_names: Vec<String>,
    /// Its health probes.
    pub probes: Vec<Probe>,
}

/// A health probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// `liveness`, `readiness` or `startup`.
    pub kind: String,
    /// The port it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
