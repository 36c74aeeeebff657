//! Starting the daemon: the starter makes the listening socket and gives it to the daemon, so
//! everybody can connect before the daemon has even begun.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::daemon::socket::{self, StarterLock};
use crate::roles::Role;

/// What the daemon keeps of our environment: what it needs itself. Everything else belongs to
/// the client that happened to come first, and would decide for the others.
const KEPT: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "MIRRORD_DAEMON_IDLE",
    "RUST_BACKTRACE",
];

/// Starts a daemon unless somebody else just did, and connects to it.
pub fn start(path: &Path, log: &str) -> Result<UnixStream> {
    // Before a daemon is started that would refuse for the same reason, out of sight.
    crate::roles::refuse_if_supervised()?;
    let lock = StarterLock::take()?;
    if let Some(stream) = socket::connect(path)? {
        return Ok(stream);
    }
    let listener = socket::listen(path, &lock)?;
    spawn(listener.into(), log)?;
    match socket::connect(path)? {
        Some(stream) => Ok(stream),
        None => bail!(
            "the daemon that was just started is gone already; see its log in {}",
            crate::daemon::log::state_folder()?.display()
        ),
    }
}

fn spawn(listener: OwnedFd, log: &str) -> Result<()> {
    let program = std::env::current_exe().context("could not find our own executable")?;
    let kept = KEPT
        .iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut command = Command::new(&program);
    command
        .arg(Role::Daemon.argument())
        .arg(log)
        .env_clear()
        .envs(kept)
        .current_dir("/")
        .stdin(listener)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: setsid(2) and umask(2) are async-signal-safe. The daemon must not end with the
    // editor's process group or terminal.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
            Ok(())
        });
    }
    command
        .spawn()
        .map(drop)
        .with_context(|| format!("could not start the daemon {}", program.display()))
}
