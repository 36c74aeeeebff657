//! Agents for processes of this machine: `mirrord-agent` beside our own executable, as our child.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout};

use super::{AgentOptions, AgentProcess, StartedAgent, Via};
use crate::target::Target;

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
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log(options.log.as_deref())?)
        // A start that is given up must not leave an agent that waits for its link.
        .kill_on_drop(true);
    // SAFETY: setsid(2) is async-signal-safe; it keeps the terminal's Ctrl-C from the agent,
    // which must outlive the program that it serves.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            crate::session::signals::unblock_apart()
        });
    }
    let mut process = command
        .spawn()
        .with_context(|| format!("could not start the agent {}", path.display()))?;
    // Waiting for a child closes what it still holds of it.
    let lifeline = process.stdin.take();
    let stdout = process.stdout.take().context("the agent has no stdout")?;
    match tokio::time::timeout(START_DEADLINE, first_line(stdout)).await {
        Ok(Ok(Some(line))) => {
            let (endpoint, fingerprint) = read_first_line(&line)?;
            forward_log(&mut process);
            Ok(StartedAgent {
                endpoint,
                fingerprint,
                process: Some(AgentProcess::Child {
                    child: process,
                    lifeline,
                }),
            })
        }
        Ok(Ok(None)) => bail!(
            "could not use the target {target}: {}",
            last_words(process, options.log.as_deref()).await
        ),
        Ok(Err(error)) => {
            process.kill().await.ok();
            Err(error).context("could not read the agent's first line")
        }
        Err(_) => {
            process.kill().await.ok();
            bail!(
                "the agent for {target} said nothing for {} s: {}",
                START_DEADLINE.as_secs(),
                last_words(process, options.log.as_deref()).await
            )
        }
    }
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

async fn first_line(stdout: ChildStdout) -> Result<Option<String>> {
    let mut lines = BufReader::new(stdout).lines();
    Ok(lines.next_line().await?)
}

/// `mirrord-agent VERSION fingerprint HEX listening ENDPOINT`
fn read_first_line(line: &str) -> Result<(mirrord_link::Endpoint, mirrord_link::Fingerprint)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [
        "mirrord-agent",
        _version,
        "fingerprint",
        fingerprint,
        "listening",
        endpoint,
    ] = words[..]
    else {
        bail!("the agent's first line is not one of ours: {line:?} (is it of the same version?)");
    };
    let endpoint = endpoint
        .parse()
        .context("the agent's first line has no usable address")?;
    let fingerprint = fingerprint
        .parse()
        .context("the agent's first line has no fingerprint")?;
    Ok((endpoint, fingerprint))
}

/// What the agent wrote to stderr before it ended, as one sentence.
async fn last_words(mut process: Child, log: Option<&Path>) -> String {
    let mut text = String::new();
    if let Some(log) = log {
        let _ = process.wait().await;
        text = std::fs::read_to_string(log).unwrap_or_default();
    }
    if let Some(stderr) = process.stderr.as_mut() {
        let reading = stderr.read_to_string(&mut text);
        let _ = tokio::time::timeout(Duration::from_secs(1), reading).await;
    }
    let _ = process.wait().await;
    let text = text.trim();
    let text = text.strip_prefix("mirrord-agent: ").unwrap_or(text);
    if text.is_empty() {
        "the agent ended without a word".to_owned()
    } else {
        text.to_owned()
    }
}

/// Where the agent's log goes.
fn log(file: Option<&Path>) -> Result<Stdio> {
    let Some(path) = file else {
        return Ok(Stdio::piped());
    };
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("could not make the agent's log {}", path.display()))?;
    Ok(file.into())
}

/// The agent's log becomes ours.
fn forward_log(process: &mut Child) {
    let Some(stderr) = process.stderr.take() else {
        return;
    };
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            tracing::info!(target: "agent", "{line}");
        }
    });
}
