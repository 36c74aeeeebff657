//! Clusters for the daemon: clients that were made are kept for each environment, and work on
//! threads of their own. A helper that logs in blocks its thread, and a list of thousands of pods
//! takes time to read; neither may hold up an editor's keystroke.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use mirrord_editor_protocol::ErrorKind;
use mirrord_kubernetes::{Access, Class, Cluster, Environment, Error, kubeconfig};
use tokio::runtime::Runtime;
use tokio_util::task::AbortOnDropHandle;

use super::failure::Failure;

/// Clients that are kept; the one that was not used for longest goes.
const KEPT: usize = 8;

/// A cluster that was not asked for that long is connected anew.
const IDLE: Duration = Duration::from_secs(600);

/// Clusters that were reached.
#[derive(Default)]
pub struct Clusters {
    runtime: OnceLock<Runtime>,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    key: Key,
    cluster: Cluster,
    used: Instant,
}

/// All that decides how a cluster is reached and as whom.
#[derive(PartialEq)]
struct Key {
    access: Access,
    environment: Environment,
    /// The kubeconfigs as they were when they were read.
    files: Vec<(PathBuf, Option<SystemTime>)>,
}

impl Clusters {
    /// Does something with a cluster; dropped, it is given up.
    pub async fn with<T, W>(
        self: &std::sync::Arc<Self>,
        access: Access,
        environment: Environment,
        work: impl FnOnce(Cluster) -> W + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send,
    {
        let clusters = std::sync::Arc::clone(self);
        let work = async move {
            let cluster = clusters.connect(access, environment).await?;
            work(cluster).await
        };
        self.run(work).await?
    }

    /// Does something on the threads for clusters; dropped, it is given up.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        let task = self.runtime()?.spawn(work);
        let done = AbortOnDropHandle::new(task).await;
        done.map_err(|error| Error::Access(format!("the work broke off: {error}")))
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("mirrord-cluster")
            .enable_all()
            .build()
            .map_err(|source| Error::Local {
                what: "start threads for clusters".into(),
                source,
            })?;
        if let Err(second) = self.runtime.set(made) {
            second.shutdown_background();
        }
        self.runtime.get().ok_or(Error::GivenUp)
    }

    async fn connect(&self, access: Access, environment: Environment) -> Result<Cluster, Error> {
        let namespace = access.namespace.clone();
        let access = Access {
            namespace: None,
            ..access
        };
        // Inside a pod there are none.
        let files = kubeconfig::files(&access, &environment).unwrap_or_default();
        let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified());
        let key = Key {
            files: files
                .into_iter()
                .map(|path| {
                    let changed = changed(&path).ok();
                    (path, changed)
                })
                .collect(),
            access,
            environment,
        };
        let found = {
            let mut kept = self.lock();
            kept.retain(|one| one.used.elapsed() < IDLE);
            kept.iter_mut().find(|one| one.key == key).map(|one| {
                one.used = Instant::now();
                one.cluster.clone()
            })
        };
        let mut cluster = match found {
            Some(cluster) => cluster,
            None => {
                let cluster = Cluster::connect_in(&key.access, &key.environment).await?;
                self.keep(key, cluster.clone());
                cluster
            }
        };
        if let Some(namespace) = namespace {
            cluster.namespace = namespace;
        }
        Ok(cluster)
    }

    fn keep(&self, key: Key, cluster: Cluster) {
        let mut kept = self.lock();
        kept.retain(|one| one.key != key);
        if kept.len() >= KEPT {
            kept.sort_by_key(|one| one.used);
            kept.remove(0);
        }
        kept.push(Kept {
            key,
            cluster,
            used: Instant::now(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

impl Drop for Clusters {
    fn drop(&mut self) {
        // A helper that hangs must not hold up the end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A cluster's failure for the wire.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.class() {
            Class::NoCluster | Class::Unreached => ErrorKind::NeedsCluster,
            Class::Forbidden => ErrorKind::Forbidden,
            Class::Missing => ErrorKind::TargetUnavailable,
            Class::Other => ErrorKind::Internal,
        };
        let failure = Failure::new(kind, error.to_string());
        match error.class() {
            Class::Unreached => failure.retryable(),
            _ => failure,
        }
    }
}
