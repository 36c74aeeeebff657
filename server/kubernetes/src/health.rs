//! How a cluster is for us: questions of `doctor`, each answered by the cluster itself.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::{Cluster, Error};

/// What of ours is in a cluster.
const OURS: &str = "app.kubernetes.io/managed-by=mirrord-server";

/// The label that says which pods a namespace takes
/// (<https://kubernetes.io/docs/concepts/security/pod-security-admission/>).
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

impl Cluster {
    /// The API server's version; that it answers is the news.
    ///
    /// # Errors
    /// [`Error::Api`] when it does not.
    pub async fn version(&self) -> Result<String, Error> {
        let version = self.client.apiserver_version().await;
        let version =
            version.map_err(Error::api(format!("ask {} for its version", self.server)))?;
        Ok(version.git_version)
    }

    /// Which pods the namespace takes: `privileged`, `baseline`, `restricted`; none where it says
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Api`] when the namespace may not be read, or is not there.
    pub async fn pod_security(&self) -> Result<Option<String>, Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api.get_metadata(&self.namespace).await;
        let found = found.map_err(Error::api(format!("read the namespace {}", self.namespace)))?;
        Ok(found.labels().get(ENFORCE).cloned())
    }

    /// What of ours is in the namespace, of sessions that live too: `job/…`, `pod/…`.
    ///
    /// # Errors
    /// [`Error::Api`] when that may not be listed.
    pub async fn ours(&self) -> Result<Vec<String>, Error> {
        let params = ListParams::default().labels(OURS);
        let place = &self.namespace;
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), place);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), place);
        let mut found = Vec::new();
        match jobs.list_metadata(&params).await {
            Ok(jobs) => found.extend(jobs.iter().map(|job| format!("job/{}", job.name_any()))),
            // Whoever may not list Jobs sees their pods.
            Err(kube::Error::Api(answer)) if answer.code == 403 => {}
            Err(error) => return Err(Error::api(format!("list the jobs in {place}"))(error)),
        }
        let pods = pods.list_metadata(&params).await;
        let pods = pods.map_err(Error::api(format!("list the pods in {place}")))?;
        found.extend(pods.iter().map(|pod| format!("pod/{}", pod.name_any())));
        Ok(found)
    }
}
