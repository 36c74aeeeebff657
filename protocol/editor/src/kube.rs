//! `mirrord/kube/*` and `mirrord/rbac`: contexts, namespaces and rights of clusters. What the
//! cluster refuses is a partial result with its reason, never a failed picker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `mirrord/kube/contexts`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextsParams {}

/// The contexts of the client's kubeconfig.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextsResult {
    /// The contexts.
    pub contexts: Vec<Context>,
    /// Why there are not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Its default namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// It is kubectl's current one.
    pub current: bool,
}

/// `mirrord/kube/namespaces`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacesParams {
    /// The current context when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Only names that contain this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Namespaces of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacesResult {
    /// Their names.
    pub namespaces: Vec<String>,
    /// Why there are not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `mirrord/rbac`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RbacParams {
    /// What shall be possible: how agents may be started (`job`, `ephemeral`, `restricted`,
    /// `targetless`; none: all of them), `replicas` (sessions over every pod of a workload), and
    /// features (`steal`, `mirror`, `files`, …), which take no rights of their own.
    #[serde(default)]
    pub modes: Vec<String>,
    /// One namespace; else a cluster role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// The least role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RbacResult {
    /// As YAML.
    pub yaml: String,
}
