//! `mirrord/kube/*` and `mirrord/rbac`: what a cluster would answer.

use mirrord_editor_protocol::kube::{
    ContextsParams, ContextsResult, NamespacesParams, NamespacesResult, RbacParams, RbacResult,
};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;

const NO_CLUSTER: &str = "this version serves targets of this machine only; clusters are not \
                          reached yet";

/// The contexts: none, with the reason, so that pickers stay usable.
pub async fn contexts(_: &Client, _: ContextsParams) -> Outcome<ContextsResult> {
    Ok(ContextsResult {
        contexts: Vec::new(),
        reason: Some(NO_CLUSTER.to_owned()),
    })
}

/// The namespaces: none, with the reason.
pub async fn namespaces(_: &Client, _: NamespacesParams) -> Outcome<NamespacesResult> {
    Ok(NamespacesResult {
        namespaces: Vec::new(),
        reason: Some(NO_CLUSTER.to_owned()),
    })
}

/// The least role.
pub async fn rbac(_: &Client, _: RbacParams) -> Outcome<RbacResult> {
    Err(Failure::needs_cluster("a role for Kubernetes"))
}
