//! How a cluster is for us: questions of `doctor`, each answered by the cluster itself.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};

use crate::{Cluster, Error};

/// What of ours is in a cluster.
const OURS: &str = "app.kubernetes.io/managed-by=mirrord-server";

/// The label that says which pods a namespace takes
/// (<https://kubernetes.io/docs/concepts/security/pod-security-admission/>).
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// A right that running a program in a pod needs: group, resource, subresource, verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verb: &'static str,
}

/// What an agent as a Job needs in the target's namespace.
pub const RIGHTS: [Right; 6] = [
    right("", "pods", "", "get"),
    right("", "pods", "", "list"),
    right("", "pods", "log", "get"),
    right("", "pods", "portforward", "create"),
    right("batch", "jobs", "", "create"),
    right("batch", "jobs", "", "delete"),
];

const fn right(
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verb: &'static str,
) -> Right {
    Right {
        group,
        resource,
        subresource,
        verb,
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match self.subresource {
            "" => Ok(()),
            subresource => write!(f, "/{subresource}"),
        }
    }
}

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

    /// The rights that the user does not have in the namespace.
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster does not say.
    pub async fn missing_rights(&self) -> Result<Vec<Right>, Error> {
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let ask = |right: Right| {
            let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let attributes = ResourceAttributes {
                group: optional(right.group),
                resource: optional(right.resource),
                subresource: optional(right.subresource),
                verb: optional(right.verb),
                namespace: Some(self.namespace.clone()),
                ..ResourceAttributes::default()
            };
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(attributes),
                    non_resource_attributes: None,
                },
                ..SelfSubjectAccessReview::default()
            };
            let api = api.clone();
            async move {
                let answer = api.create(&PostParams::default(), &review).await;
                let answer = answer.map_err(Error::api("ask what we may do"))?;
                let allowed = answer.status.is_some_and(|status| status.allowed);
                Ok::<_, Error>((!allowed).then_some(right))
            }
        };
        let answers = futures::future::try_join_all(RIGHTS.map(ask)).await?;
        Ok(answers.into_iter().flatten().collect())
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
