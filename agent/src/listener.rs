//! Where the session connects: bound in the namespace the agent was started in, before it enters
//! the target's, and removed from the file system when the agent ends.

use std::{io, os::unix::fs::MetadataExt, path::PathBuf};

use anyhow::Context;
use mirrord_link::{Endpoint, Transport};
use rustix::fs::Mode;

/// A bound listener that no runtime knows yet.
pub struct Listener {
    kind: Kind,
    endpoint: Endpoint,
    file: Option<SocketFile>,
}

enum Kind {
    Unix(std::os::unix::net::UnixListener),
    Tcp(std::net::TcpListener),
}

/// A listener inside a runtime.
pub struct Accepting {
    kind: AcceptingKind,
    _file: Option<SocketFile>,
}

enum AcceptingKind {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

/// Removes a socket's file, if it still is ours.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listener {
    /// Binds. Must be called before the process has threads: the file's mode comes from the
    /// umask, which belongs to the whole process.
    pub fn bind(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let context = || format!("could not listen at {endpoint}");
        let (kind, endpoint, file) = match endpoint {
            Endpoint::Unix(path) => {
                // Others must not even be able to connect: 0600 from the first moment on.
                let umask = rustix::process::umask(Mode::from_raw_mode(0o177));
                let bound = std::os::unix::net::UnixListener::bind(path);
                rustix::process::umask(umask);
                let listener = bound.with_context(|| {
                    format!("could not listen at {endpoint} (does the file exist already, or its folder not?)")
                })?;
                listener.set_nonblocking(true).with_context(context)?;
                let file = SocketFile::new(path.clone()).with_context(context)?;
                (Kind::Unix(listener), endpoint.clone(), Some(file))
            }
            Endpoint::Held(_) => anyhow::bail!("an agent does not hold itself: {endpoint}"),
            Endpoint::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address).with_context(context)?;
                listener.set_nonblocking(true).with_context(context)?;
                let bound = listener.local_addr().with_context(context)?;
                (Kind::Tcp(listener), Endpoint::Tcp(bound), None)
            }
        };
        Ok(Listener {
            kind,
            endpoint,
            file,
        })
    }

    /// Where it listens; the port is the real one.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Registers it with the current runtime.
    pub fn start(self) -> io::Result<Accepting> {
        let kind = match self.kind {
            Kind::Unix(listener) => {
                AcceptingKind::Unix(tokio::net::UnixListener::from_std(listener)?)
            }
            Kind::Tcp(listener) => AcceptingKind::Tcp(tokio::net::TcpListener::from_std(listener)?),
        };
        Ok(Accepting {
            kind,
            _file: self.file,
        })
    }
}

impl Accepting {
    /// The next caller. Dropping the future loses nothing.
    pub async fn accept(&self) -> io::Result<Transport> {
        match &self.kind {
            AcceptingKind::Unix(listener) => Ok(listener.accept().await?.0.into()),
            AcceptingKind::Tcp(listener) => Ok(listener.accept().await?.0.into()),
        }
    }
}

impl SocketFile {
    fn new(path: PathBuf) -> io::Result<Self> {
        let status = std::fs::symlink_metadata(&path)?;
        Ok(SocketFile {
            device: status.dev(),
            inode: status.ino(),
            path,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours =
            |status: std::fs::Metadata| status.dev() == self.device && status.ino() == self.inode;
        match std::fs::symlink_metadata(&self.path).map(ours) {
            Ok(true) => {
                if let Err(error) = std::fs::remove_file(&self.path) {
                    tracing::warn!(path = %self.path.display(), %error, "could not remove the socket");
                }
            }
            // Removed or replaced by somebody else: not ours to touch.
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "could not look at the socket's file"),
        }
    }
}
