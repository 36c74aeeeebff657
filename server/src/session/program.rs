//! The user's program: started through the launch role, in our process group and on our terminal.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result};
use mirrord_protocol::codec;
use tokio::process::{Child, Command};

use super::role_process::{arrange, memory_file};
use super::signals::unblock;
use crate::roles::{Role, SUPERVISOR_VARIABLE, TOKEN_VARIABLE};

/// The running program.
pub struct Program {
    child: Child,
    others: bool,
}

impl Program {
    /// Starts `command` with this environment, under the supervisor at `socket`, with the layer.
    pub fn start(
        command: &[OsString],
        environment: &[(OsString, OsString)],
        socket: &Path,
        layer: &Path,
    ) -> Result<Program> {
        let us = std::env::current_exe().context("could not find our own executable")?;
        // The launcher is ours and is not to be preloaded; it gets the program's environment as
        // a descriptor and gives it to the program at exec.
        let environment = memory_file(
            "mirrord-environment",
            &codec::encode(&with_layer(environment, socket, layer))?,
        )?;
        let numbers = [environment.as_raw_fd()];
        let mut launcher = Command::new(us);
        launcher
            .arg(Role::Launch.argument())
            .arg(socket)
            .args(command)
            .env_remove("LD_PRELOAD")
            .env_remove(TOKEN_VARIABLE);
        // SAFETY: `arrange` makes async-signal-safe calls only, on memory allocated before.
        unsafe {
            launcher.pre_exec(move || {
                unblock()?;
                arrange(&numbers)
            });
        }
        let child = launcher.spawn().context("could not start the launcher")?;
        Ok(Program {
            child,
            others: true,
        })
    }

    /// Waits for its end. May be dropped and called again.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.child
            .wait()
            .await
            .context("could not wait for the program")
    }

    /// Passes a signal on to it.
    pub fn signal(&self, number: i32) {
        let pid = self
            .child
            .id()
            .and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
        let signal = rustix::process::Signal::from_named_raw(number);
        if let (Some(pid), Some(signal)) = (pid, signal)
            && let Err(error) = rustix::process::kill_process(pid, signal)
        {
            tracing::debug!("the program could not be signalled: {error}");
        }
    }

    /// The supervisor says that no supervised process is left.
    pub fn others_ended(&mut self) {
        self.others = false;
    }

    /// Whether nothing that the program started is still there.
    pub fn is_alone(&self) -> bool {
        !self.others
    }

    /// Ends it by force.
    pub async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }
}

/// As [`Program::wait`]; for ever where there is none.
pub async fn wait(program: &mut Option<Program>) -> Result<ExitStatus> {
    match program {
        Some(program) => program.wait().await,
        None => std::future::pending().await,
    }
}

/// The program's file, as execvp(3) would find it; `None` when it would not.
pub fn find(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return std::path::absolute(name).ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The program's environment with what brings it into the session: the layer comes first in
/// `LD_PRELOAD`, what the user had there stays.
fn with_layer(
    environment: &[(OsString, OsString)],
    socket: &Path,
    layer: &Path,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut preload = layer.as_os_str().as_bytes().to_vec();
    let mut variables: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(environment.len() + 2);
    for (name, value) in environment {
        if name == "LD_PRELOAD" {
            if !value.is_empty() {
                preload.push(b':');
                preload.extend_from_slice(value.as_bytes());
            }
        } else if name != SUPERVISOR_VARIABLE && name != TOKEN_VARIABLE {
            variables.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
    }
    variables.push((b"LD_PRELOAD".to_vec(), preload));
    variables.push((
        SUPERVISOR_VARIABLE.into(),
        socket.as_os_str().as_bytes().to_vec(),
    ));
    variables
}

/// The exit status that we end with: the program's own, or 128 + its signal as shells say it.
pub fn exit_status(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
