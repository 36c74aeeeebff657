//! Where agents come from. A provider starts an agent for a target, tells how to reach it, and
//! removes it. Here: targets on this machine; Kubernetes fills the same shape.

mod agent_folder;
mod child;
mod cluster;
pub mod cluster_agent;
mod cluster_terms;
pub mod container;
mod first_line;
pub mod list;
pub mod local;
mod place;
mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use mirrord_link::{Endpoint, Fingerprint};

pub use agent_folder::SESSION_KEY;
pub use cluster_terms::ClusterTerms;
use mirrord_target::Target;
pub use place::Place;
pub use process::AgentProcess;

/// A started agent.
pub struct StartedAgent {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// The key it printed first; whoever cannot prove it is not our agent.
    pub fingerprint: Fingerprint,
    /// The agent's process; it ends with its link, this is only to be sure.
    pub process: Option<AgentProcess>,
    /// What the user should know of it: sentences.
    pub notes: Vec<String>,
}

/// What an agent is started with.
pub struct AgentOptions {
    /// The public key (hex) of the only session that it will serve.
    pub session_key: String,
    /// How it is reached.
    pub via: Via,
    /// How long it waits for a session whose link was lost.
    pub grace: Duration,
    /// The file that its log goes to; otherwise it becomes part of ours.
    pub log: Option<PathBuf>,
    /// The session's id.
    pub session: String,
    /// For targets in a cluster.
    pub cluster: ClusterTerms,
}

/// How the session will reach the agent.
pub enum Via {
    /// A Unix socket at this path.
    Unix(PathBuf),
    /// A TCP address of this machine.
    Tcp(SocketAddr),
}

/// The cluster of targets that are in one.
pub fn access(config: &mirrord_config::LoadedConfig) -> mirrord_kubernetes::Access {
    let config = &config.config;
    mirrord_kubernetes::Access {
        kubeconfig: config.kubeconfig.value.clone().map(Into::into),
        context: config.kube_context.value.clone(),
        namespace: config.target.namespace.value.clone(),
        accept_invalid_certificates: config.accept_invalid_certificates.value,
    }
}

/// Starts an agent for `target`. Fails before anything runs when the target cannot be used.
pub async fn start_agent(target: &Target, options: &AgentOptions) -> Result<StartedAgent> {
    let pid = match target {
        Target::Process(pid) => *pid,
        Target::Sandbox(name) => local::sandbox_target(name)?,
        Target::Container(name) => container::main_process(name).await?,
        Target::Targetless | Target::Kubernetes(_) => return cluster::start(target, options).await,
    };
    local::start(target, pid, options).await
}
