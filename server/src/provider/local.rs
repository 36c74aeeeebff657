//! Agents for processes of this machine: `mirrord-agent` beside our own executable, as our child.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{AgentOptions, StartedAgent, Via, child};
use mirrord_target::Target;

/// An agent that has not said its first line by then never will.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// The target process of a sandbox that runs.
pub fn sandbox_target(name: &str) -> Result<i32> {
    Ok(i32::try_from(
        crate::sandboxes::sandboxes()?.find(name)?.target_pid(),
    )?)
}

/// Starts the agent and reads its first line.
pub async fn start(target: &Target, pid: i32, options: &AgentOptions) -> Result<StartedAgent> {
    let path = beside_us("mirrord-agent")?;
    let listen = match &options.via {
        Via::Unix(path) => format!("unix:{}", path.display()),
        Via::Tcp(address) => format!("tcp:{address}"),
    };
    let mut command = tokio::process::Command::new(&path);
    command
        .arg("--target-pid")
        .arg(pid.to_string())
        .args(["--listen", &listen, "--session-key", &options.session_key])
        .arg("--grace-ms")
        .arg(options.grace.as_millis().to_string())
        .arg("--end-with-stdin")
        // A start that is given up must not leave an agent that waits for its link.
        .kill_on_drop(true);
    let log = options.log.as_deref();
    child::start(command, None, &target.to_string(), log, START_DEADLINE).await
}

/// A program that is installed in the same folder as this one.
pub fn beside_us(name: &str) -> Result<PathBuf> {
    let us = std::env::current_exe().context("could not find our own executable")?;
    let path = us.with_file_name(name);
    if !path.is_file() {
        bail!(
            "{name} is missing: it must lie beside {} (build it with `cargo xtask build`)",
            us.display()
        );
    }
    Ok(path)
}
