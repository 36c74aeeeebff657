//! Where agents come from. A provider starts an agent for a target, tells how to reach it, and
//! removes it. Here: targets on this machine; Kubernetes fills the same shape.

pub mod container;
pub mod list;
pub mod local;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use mirrord_link::{Endpoint, Fingerprint};

use crate::target::Target;

/// A started agent.
pub struct StartedAgent {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// The key it printed first; whoever cannot prove it is not our agent.
    pub fingerprint: Fingerprint,
    /// The agent's process; it ends with its link, this is only to be sure.
    pub process: Option<tokio::process::Child>,
}

/// How the session will reach the agent.
pub enum Via {
    /// A Unix socket at this path.
    Unix(PathBuf),
    /// A TCP address of this machine.
    Tcp(SocketAddr),
}

/// Starts an agent for `target`. `session_key` is the public key (hex) of the only session that
/// the agent will serve. Fails before anything runs when the target cannot be used.
pub async fn start_agent(target: &Target, session_key: &str, via: Via) -> Result<StartedAgent> {
    let pid = match target {
        Target::Process(pid) => *pid,
        Target::Sandbox(name) => local::sandbox_target(name)?,
        Target::Container(name) => container::main_process(name).await?,
    };
    local::start(target, pid, session_key, via).await
}
