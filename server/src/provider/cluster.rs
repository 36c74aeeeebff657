//! Agents in a cluster. For the session such an agent is a process of this machine like any other:
//! our role [`super::cluster_agent`], which starts the agent's Job, carries its links through the
//! API server, and ends with it.

use std::time::Duration;

use anyhow::{Result, bail};
use mirrord_protocol::codec;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::agent_folder::AgentFolder;
use super::{AgentOptions, StartedAgent, Via, child};
use crate::roles::Role;

/// Options of the role.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClusterAgentOptions {
    /// The target, as users write it, or `targetless`.
    pub target: String,
    /// `kubeconfig`, `kube_context`, `target.namespace`, `accept_invalid_certificates`.
    pub kubeconfig: Option<std::path::PathBuf>,
    /// See above.
    pub context: Option<String>,
    /// See above.
    pub namespace: Option<String>,
    /// See above.
    pub accept_invalid_certificates: bool,
    /// The session's id.
    pub session: String,
    /// The public key (hex) of the only session that the agent serves.
    pub session_key: String,
    /// How long the agent waits for a session whose link was lost, in milliseconds.
    pub grace_ms: u64,
    /// How it is started: [`mirrord_kubernetes::AgentSettings`] as JSON, since parts of it are the
    /// cluster's own.
    pub settings: String,
    /// What it is started for.
    pub needs: mirrord_kubernetes::Needs,
    /// Its form, where that is known already.
    pub form: Option<mirrord_kubernetes::Form>,
    /// The folder that it shall be held in.
    pub folder: std::path::PathBuf,
}

impl ClusterAgentOptions {
    /// Which cluster, and where in it.
    pub fn access(&self) -> mirrord_kubernetes::Access {
        mirrord_kubernetes::Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: self.namespace.clone(),
            accept_invalid_certificates: self.accept_invalid_certificates,
        }
    }
}

/// Starts the role and waits for the agent's first line.
pub async fn start(
    target: &mirrord_target::Target,
    options: &AgentOptions,
) -> Result<StartedAgent> {
    if let Via::Tcp(_) = options.via {
        bail!(
            "--agent-tcp is for targets of this machine; {target} is reached through its cluster"
        );
    }
    let access = &options.cluster.access;
    let settings = &options.cluster.settings;
    let grace = settings.communication_timeout.map(Duration::from_secs);
    let grace = grace.unwrap_or(options.grace);
    let role = ClusterAgentOptions {
        target: target.to_string(),
        kubeconfig: access.kubeconfig.clone(),
        context: access.context.clone(),
        namespace: access.namespace.clone(),
        accept_invalid_certificates: access.accept_invalid_certificates,
        session: options.session.clone(),
        session_key: options.session_key.clone(),
        grace_ms: grace.as_millis().try_into().unwrap_or(u64::MAX),
        settings: serde_json::to_string(settings)?,
        needs: options.cluster.needs.clone(),
        form: options.cluster.form,
        folder: AgentFolder::path_for(&options.session)?,
    };
    let mut command = Command::new(std::env::current_exe()?);
    // Not killed with a start that is given up: it notices, and removes what it made.
    command.arg(Role::ClusterAgent.argument());
    let input = codec::encode(&role)?;
    // Both of its waits may take that long: for the container, and for its first line.
    let deadline = 2 * settings.start_timeout() + Duration::from_secs(5);
    let log = options.log.as_deref();
    child::start(command, Some(input), &target.to_string(), log, deadline).await
}
