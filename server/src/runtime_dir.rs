//! The private folder of this user's sessions: `$XDG_RUNTIME_DIR/mirrord`, or `/tmp/mirrord-UID`
//! where there is none. Everything in it belongs to a living process; what a killed session left
//! behind is removed by the next one.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;

/// The user's folder, made (mode 0700) if it is not there. A folder of that name that belongs to
/// somebody else, or that others may enter, is refused: it could have been put there to get at
/// our sockets.
pub fn user_folder() -> Result<PathBuf> {
    let path = match directories::ProjectDirs::from("", "", "mirrord")
        .and_then(|dirs| dirs.runtime_dir().map(Path::to_path_buf))
        .filter(|path| path.parent().is_some_and(Path::is_dir))
    {
        Some(path) => path,
        None => {
            std::env::temp_dir().join(format!("mirrord-{}", rustix::process::getuid().as_raw()))
        }
    };
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "could not make the runtime folder {} (is XDG_RUNTIME_DIR yours?)",
                    path.display()
                )
            });
        }
    }
    let found = fs::symlink_metadata(&path)
        .with_context(|| format!("could not look at the runtime folder {}", path.display()))?;
    let ours = found.is_dir() && found.uid() == rustix::process::getuid().as_raw();
    if !ours || found.permissions().mode() & 0o077 != 0 {
        bail!(
            "the runtime folder {} is not a folder of yours with mode 0700; remove it or set \
             XDG_RUNTIME_DIR to a folder of your own",
            path.display()
        );
    }
    Ok(path)
}

/// The folder of one session; removed when this is dropped.
pub struct SessionFolder {
    path: PathBuf,
    _lock: OwnedFd,
}

impl SessionFolder {
    /// Makes `session-ID` and holds a lock in it for as long as the session lives.
    pub fn create(id: &str) -> Result<Self> {
        let parent = user_folder()?;
        remove_dead_sessions(&parent);
        let path = parent.join(format!("session-{id}"));
        let lock = create_locked(&path)?;
        Ok(SessionFolder { path, _lock: lock })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.strip_prefix("session-"))
            .unwrap_or_default()
    }

    /// A path inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl SessionFolder {
    /// Removes it now.
    pub fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("could not remove {}: {error}", self.path.display());
        }
    }
}

impl Drop for SessionFolder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes a folder (mode 0700) with a file `lock` in it, whose lock is held until what is returned is
/// dropped. It gets its name when it is locked: a folder of that name without a lock is a dead one's.
pub fn create_locked(path: &Path) -> Result<OwnedFd> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!("starting-{name}"));
    let context = || format!("could not make the folder {}", path.display());
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&new)
        .with_context(context)?;
    let lock = lock_file(&new)?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .with_context(|| format!("could not lock {}", new.display()))?;
    if let Err(error) = fs::rename(&new, path) {
        remove(&new);
        return Err(error).with_context(context);
    }
    Ok(lock)
}

fn lock_file(folder: &Path) -> Result<OwnedFd> {
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .with_context(|| format!("could not make a lock in {}", folder.display()))?;
    Ok(file.into())
}

/// A folder gets its lock and its name within microseconds.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Removes folders whose lock nobody holds: their session was killed.
pub fn remove_dead_sessions(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("session-") {
            remove_if_dead(&entry.path());
        } else if name.starts_with("starting-") && is_older(&entry, STARTED_WITHIN) {
            // Killed before it had its name; the lock may be missing too.
            remove(&entry.path());
        }
    }
}

fn is_older(entry: &fs::DirEntry, than: Duration) -> bool {
    let changed = entry.metadata().and_then(|found| found.modified());
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > than))
}

/// Removes the folder of a session whose process is gone; true when it is removed.
pub fn remove_if_dead(folder: &Path) -> bool {
    let Ok(lock) = fs::File::open(folder.join("lock")) else {
        return false;
    };
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return false;
    }
    remove(folder)
}

fn remove(folder: &Path) -> bool {
    match fs::remove_dir_all(folder) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!("could not remove {}: {error}", folder.display());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_starts_left_is_removed_and_what_begins_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (dead, begins) = (make("starting-0"), make("starting-1"));
        let (killed, lives) = (make("session-2"), make("session-3"));
        let old = std::time::SystemTime::now() - 2 * STARTED_WITHIN;
        fs::File::open(&dead).unwrap().set_modified(old).unwrap();
        let _no_lock = lock_file(&killed).unwrap();
        let lock = lock_file(&lives).unwrap();
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        remove_dead_sessions(parent.path());
        let there = [&dead, &begins, &killed, &lives].map(|path| path.exists());
        assert_eq!(there, [false, true, false, true]);
    }
}
