//! Starting a session as a process of its own, and waiting until programs can be launched into
//! it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_protocol::session_control::{Prepared, SessionError, SessionOptions, StartNews};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::refusal;
use super::role_process::arrange;
use crate::roles::Role;

/// A session that is being undone is not waited for longer; killed, it leaves nothing either.
const UNDOING: Duration = Duration::from_secs(5);

/// What a session is told that said it is ready. One that is not told ends: its starter may have
/// hung up in the very moment in which it was ready.
pub const HEARD: u8 = b'h';

/// Variables that are ours to decide, whatever environment the client gave.
const OURS: [&str; 4] = [
    "XDG_RUNTIME_DIR",
    "LD_PRELOAD",
    "MIRRORD_SUPERVISOR",
    "MIRRORD_LAUNCH_TOKEN",
];

/// Starts a session in `environment` (the client's: it decides which configuration variables,
/// credentials and helpers the session has) and waits until it is ready. `step` hears what is
/// being done. When `cancel` is cancelled, everything begun is undone before the error
/// `cancelled` comes back; when this future is dropped it is undone too, only nobody waits.
pub async fn prepare(
    options: &SessionOptions,
    environment: &[(OsString, OsString)],
    mut step: impl FnMut(&str),
    cancel: &CancellationToken,
) -> Result<Prepared, SessionError> {
    let internal = |error: anyhow::Error| refusal::of("internal", &error);
    let mut starting = Starting::begin(options, environment)
        .await
        .map_err(internal)?;
    loop {
        let news = tokio::select! {
            news = starting.news() => news.map_err(internal)?,
            () = cancel.cancelled() => {
                starting.undo().await;
                return Err(refusal::plain("cancelled", "the start was cancelled"));
            }
        };
        match news {
            Some(StartNews::Step { text }) => step(&text),
            Some(StartNews::Ready(prepared)) => {
                // It was ready in the moment of the cancelling: nobody would launch into it.
                if cancel.is_cancelled() {
                    starting.undo().await;
                    return Err(refusal::plain("cancelled", "the start was cancelled"));
                }
                match starting.take().await {
                    Ok(()) => return Ok(*prepared),
                    Err(how) => return Err(ended(&how)),
                }
            }
            Some(StartNews::Failed(error)) => {
                starting.undo().await;
                return Err(error);
            }
            None => {
                let status = starting.child.wait().await;
                let how = status.map_or_else(|error| error.to_string(), |how| how.to_string());
                return Err(ended(&how));
            }
        }
    }
}

fn ended(how: &str) -> SessionError {
    let text = format!("the session's process ended while it started ({how})");
    refusal::plain("internal", &text)
}

/// A session's process that has not said yet that it is ready.
struct Starting {
    child: Child,
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Starting {
    async fn begin(
        options: &SessionOptions,
        environment: &[(OsString, OsString)],
    ) -> Result<Starting> {
        let what = "could not start a session's process";
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().context(what)?;
        ours.set_nonblocking(true).context(what)?;
        let mut child = spawn(environment, theirs.into()).context(what)?;
        let text = serde_json::to_vec(options).context(what)?;
        let mut stdin = child.stdin.take().context(what)?;
        stdin.write_all(&text).await.context(what)?;
        drop(stdin);
        let (read, write) = UnixStream::from_std(ours).context(what)?.into_split();
        Ok(Starting {
            child,
            lines: BufReader::new(read).lines(),
            write,
        })
    }

    async fn news(&mut self) -> Result<Option<StartNews>> {
        let line = self.lines.next_line().await;
        let Some(line) = line.context("could not hear a session that starts")? else {
            return Ok(None);
        };
        serde_json::from_str(&line)
            .map(Some)
            .with_context(|| format!("a session that starts said {line:?}"))
    }

    /// Hangs up, which cancels the start, and waits until nothing is left of it.
    async fn undo(self) {
        let Starting {
            mut child,
            lines,
            write,
        } = self;
        drop((lines, write));
        if tokio::time::timeout(UNDOING, child.wait()).await.is_err() {
            tracing::warn!("a session that was cancelled did not end by itself");
            let _ = child.kill().await;
        }
    }

    /// Says that it is heard: from now on it lives by itself, and its end is only taken note of.
    async fn take(mut self) -> Result<(), String> {
        let heard = self.write.write_all(&[HEARD]).await;
        let mut child = self.child;
        tokio::spawn(async move {
            let _ = child.wait().await;
        });
        heard.map_err(|error| error.to_string())
    }
}

fn spawn(environment: &[(OsString, OsString)], starter: OwnedFd) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    let is_theirs = |name: &OsStr| OURS.iter().all(|ours| name != *ours);
    command
        .arg(Role::Session.argument())
        .env_clear()
        .envs(
            environment
                .iter()
                .filter(|(name, _)| is_theirs(name))
                .map(|(name, value)| (name, value)),
        )
        // It must find the folder in which we look for it.
        .envs(std::env::var_os("XDG_RUNTIME_DIR").map(|folder| ("XDG_RUNTIME_DIR", folder)))
        .current_dir("/")
        .stdin(Stdio::piped())
        // It writes its log into its folder; until then there is nothing to say but the news.
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let numbers = [starter.as_raw_fd()];
    // SAFETY: between fork and exec only async-signal-safe calls are made, on memory that was
    // allocated before.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            super::signals::unblock_apart()?;
            arrange(&numbers)
        });
    }
    let child = command.spawn()?;
    drop(starter);
    Ok(child)
}
