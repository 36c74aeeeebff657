//! The daemon's socket: where it is, who may start a daemon, and who is at the other end.
//!
//! A starter holds the lock, looks again whether somebody answers by now, and if not makes the
//! listening socket itself and gives it to the daemon that it starts. Whoever comes meanwhile can
//! connect at once and waits in the socket's queue. A socket that nobody listens on any more is
//! replaced in one step.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;

use crate::runtime_dir;

/// Where the daemon listens.
pub fn path() -> Result<PathBuf> {
    Ok(runtime_dir::user_folder()?.join("daemon.sock"))
}

/// The right to start a daemon or to end one; given back when dropped.
pub struct StarterLock(#[allow(dead_code)] fs::File);

impl StarterLock {
    /// Waits for it.
    pub fn take() -> Result<Self> {
        let path = runtime_dir::user_folder()?.join("daemon.lock");
        let file = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("could not open the lock {}", path.display()))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .with_context(|| format!("could not lock {}", path.display()))?;
        Ok(StarterLock(file))
    }
}

/// Connects to a daemon that listens; none when there is none.
pub fn connect(path: &Path) -> Result<Option<UnixStream>> {
    match UnixStream::connect(path) {
        Ok(stream) => {
            check_peer(&stream)?;
            Ok(Some(stream))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error)
            .with_context(|| format!("could not connect to the daemon at {}", path.display())),
    }
}

/// Makes the listening socket, in the place of one that nobody listens on. The lock is the
/// caller's, so that nobody else does the same now.
pub fn listen(path: &Path, _lock: &StarterLock) -> Result<UnixListener> {
    // Mode 0600 before anybody can see it; the folder is 0700 anyway.
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("could not remove {}", new.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&new)
        .with_context(|| format!("could not make the socket {}", new.display()))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("could not protect {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("could not make {}", path.display()))?;
    Ok(listener)
}

/// The other end must be a process of this very user.
pub fn check_peer(stream: impl AsFd) -> Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(stream)
        .context("could not find out who is at the other end")?;
    let ours = rustix::process::getuid();
    if peer.uid != ours {
        bail!(
            "refused a connection of user {}: this daemon serves user {} only",
            peer.uid.as_raw(),
            ours.as_raw()
        );
    }
    Ok(())
}
