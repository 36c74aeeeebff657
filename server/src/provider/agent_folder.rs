//! The folder of an agent in a cluster: `agent-SESSION` in the user's runtime folder. Its lock is
//! held by the role that holds the agent, so it says whether anybody takes care of that agent; what
//! it needs to be removed in the cluster is written down beside it. So the next start removes what a
//! killed one left behind, with no more rights than to delete what it names.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_kubernetes::{Access, Cluster};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::runtime_dir;

/// What folders of this kind are called.
const PREFIX: &str = "agent-";
/// The file that says what is in the cluster.
const JOBS: &str = "jobs";

/// The file with the public key of the session that an agent serves, once that is another than the
/// one it was started for.
pub const SESSION_KEY: &str = "session-key";

/// A cluster that does not answer within this time is asked at the next start.
const REAP_WITHIN: Duration = Duration::from_secs(20);

/// Jobs remove themselves long before (their time to live): what is older is only a folder.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What of ours is in a cluster.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// How the cluster is reached.
    pub kubeconfig: Option<PathBuf>,
    /// See [`Access`].
    pub context: Option<String>,
    /// See [`Access`].
    pub accept_invalid_certificates: bool,
    /// Namespace and name of each Job.
    pub jobs: Vec<(String, String)>,
}

/// The folder, while its role lives; removed when this is dropped.
pub struct AgentFolder {
    path: PathBuf,
    _lock: OwnedFd,
}

impl AgentFolder {
    /// Where the agent of a session has its folder.
    ///
    /// # Errors
    /// Those of [`runtime_dir::user_folder`].
    pub fn path_for(session: &str) -> Result<PathBuf> {
        Ok(runtime_dir::user_folder()?.join(format!("{PREFIX}{session}")))
    }

    /// Makes the folder and holds it.
    ///
    /// # Errors
    /// The folder cannot be made, or is there already.
    pub fn create(path: &Path) -> Result<Self> {
        let lock = runtime_dir::create_locked(path)?;
        Ok(AgentFolder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what is to be removed if we are killed; before it is made.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&self, jobs: &Jobs) -> Result<()> {
        let new = self.path.join("jobs.new");
        fs::write(&new, serde_json::to_vec(jobs)?)
            .and_then(|()| fs::rename(&new, self.path.join(JOBS)))
            .with_context(|| format!("could not write in {}", self.path.display()))
    }
}

impl Drop for AgentFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("could not remove {}: {error}", self.path.display());
        }
    }
}

/// Removes what killed roles of this user left in their clusters.
pub async fn reap() -> Result<()> {
    for entry in fs::read_dir(runtime_dir::user_folder()?)?.flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Some(_lock) = is_one.then(|| abandoned(&entry.path())).flatten() else {
            continue;
        };
        let reaped = tokio::time::timeout(REAP_WITHIN, remove_from_cluster(&entry.path())).await;
        match reaped {
            Ok(Ok(())) => tracing::info!("removed what {:?} had left", entry.file_name()),
            Ok(Err(error)) => {
                tracing::warn!("what a killed session left in its cluster stays there: {error:#}");
                if !is_old(&entry.path()) {
                    continue;
                }
            }
            Err(_) => continue,
        }
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!("could not remove {}: {error}", entry.path().display());
        }
    }
    Ok(())
}

/// The lock of a folder that nobody holds.
fn abandoned(folder: &Path) -> Option<fs::File> {
    let lock = fs::File::open(folder.join("lock")).ok()?;
    let locked = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
    locked.ok().map(|()| lock)
}

fn is_old(folder: &Path) -> bool {
    let changed = fs::metadata(folder).and_then(|found| found.modified());
    changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > FORGET_AFTER))
}

async fn remove_from_cluster(folder: &Path) -> Result<()> {
    let text = match fs::read(folder.join(JOBS)) {
        Ok(text) => text,
        // Killed before it made anything.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let jobs: Jobs = serde_json::from_slice(&text)?;
    let access = Access {
        kubeconfig: jobs.kubeconfig,
        context: jobs.context,
        namespace: None,
        accept_invalid_certificates: jobs.accept_invalid_certificates,
    };
    let cluster = Cluster::connect(&access).await?;
    for (namespace, job) in &jobs.jobs {
        cluster.remove_agent(namespace, job).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_abandoned_when_nobody_holds_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("agent-1");
        let folder = AgentFolder::create(&path).unwrap();
        folder.remember(&Jobs::default()).unwrap();
        assert!(AgentFolder::create(&path).is_err(), "it is there already");
        assert!(abandoned(&path).is_none());
        // As if its role had been killed.
        let AgentFolder { path, _lock } = &folder;
        rustix::fs::flock(_lock, FlockOperation::Unlock).unwrap();
        assert!(abandoned(path).is_some());
        assert!(!is_old(path));
        drop(folder);
        assert!(!parent.path().join("agent-1").exists());
    }
}
