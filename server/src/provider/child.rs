//! An agent's process as our child: starting it and reading its first line.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_supervisor::tell;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::first_line::{FirstLine, NOTE, WAITS};
use super::{AgentProcess, StartedAgent};

/// Starts `command`, gives it `input` (without any, its standard input stays open as long as we hold
/// it), and waits `deadline` for its first line, which says where
/// the agent listens. `target` is for messages.
pub async fn start(
    mut command: Command,
    input: Option<Vec<u8>>,
    target: &str,
    log_file: Option<&Path>,
    deadline: Duration,
) -> Result<StartedAgent> {
    let has_input = input.is_some();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log(log_file)?);
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
        .with_context(|| format!("could not start the agent {:?}", command.as_std()))?;
    // Waiting for a child closes what it still holds of it.
    let mut lifeline = process.stdin.take();
    if let (Some(input), Some(mut stdin)) = (input, lifeline.take_if(|_| has_input)) {
        stdin
            .write_all(&input)
            .await
            .context("could not give the agent its options")?;
    }
    let stdout = process.stdout.take().context("the agent has no stdout")?;
    match tokio::time::timeout(deadline, first_line(stdout)).await {
        Ok(Ok(Some((notes, line)))) => {
            let FirstLine {
                fingerprint,
                endpoint,
                ..
            } = FirstLine::read(&line)?;
            let holds = endpoint.is_held();
            forward_log(&mut process);
            Ok(StartedAgent {
                endpoint,
                fingerprint,
                process: Some(AgentProcess::Child {
                    child: process,
                    lifeline,
                    holds,
                }),
                notes,
            })
        }
        Ok(Ok(None)) => bail!(
            "could not use the target {target}: {}",
            last_words(process, log_file).await
        ),
        Ok(Err(error)) => {
            process.kill().await.ok();
            Err(error).context("could not read the agent's first line")
        }
        Err(_) => {
            process.kill().await.ok();
            bail!(
                "the agent for {target} said nothing for {} s: {}",
                deadline.as_secs(),
                last_words(process, log_file).await
            )
        }
    }
}

/// The first line, with the notes before it.
async fn first_line(stdout: ChildStdout) -> Result<Option<(Vec<String>, String)>> {
    let mut lines = BufReader::new(stdout).lines();
    let mut notes = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(note) = line.strip_prefix(NOTE) {
            notes.push(note.to_owned());
        } else if let Some(what) = line.strip_prefix(WAITS) {
            tell(format_args!("{what}"));
        } else {
            return Ok(Some((notes, line)));
        }
    }
    Ok(None)
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
