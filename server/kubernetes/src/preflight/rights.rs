//! Whether we may do what a form takes: the cluster is asked about each right at once
//! (`SelfSubjectAccessReview`, which every user may make).

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::rbac::{self, Right};
use crate::{Cluster, Error, Form};

impl Cluster {
    /// What we lack for an agent of this form in a namespace, in a sentence.
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster does not answer.
    pub(super) async fn lacks(&self, namespace: &str, form: Form) -> Result<Option<String>, Error> {
        let missing = self.missing_rights(namespace, form).await?;
        // Events tell why no pod comes; without them the start takes its time to fail.
        let lacking = missing.iter().filter(|right| right.resource != "events");
        let lacking: Vec<String> = lacking.map(ToString::to_string).collect();
        Ok((!lacking.is_empty()).then(|| {
            format!(
                "we may not {} in the namespace {namespace} (`mirrord-server rbac --forms {}` prints \
                 the Role that allows it)",
                lacking.join(", "),
                form.name()
            )
        }))
    }

    /// The rights for an agent of this form that we do not have in a namespace.
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster does not answer.
    pub async fn missing_rights(&self, namespace: &str, form: Form) -> Result<Vec<Right>, Error> {
        let rights = rbac::of_agent(form);
        let asked = rights.iter().map(|right| self.may(namespace, *right));
        let allowed = try_join_all(asked).await?;
        let asked = rights.into_iter().zip(allowed);
        Ok(asked
            .filter_map(|(right, allowed)| (!allowed).then_some(right))
            .collect())
    }

    async fn may(&self, namespace: &str, right: Right) -> Result<bool, Error> {
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource)),
            None => (right.resource, None),
        };
        let review: SelfSubjectAccessReview = serde_json::from_value(json!({
            "metadata": {},
            "spec": {"resourceAttributes": {
                "namespace": namespace,
                "group": right.group,
                "resource": resource,
                "subresource": subresource,
                "verb": right.verb,
            }},
        }))
        .expect("the object above is a review");
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = reviews
            .create(&PostParams::default(), &review)
            .await
            .map_err(Error::api("ask the cluster what we may do"))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
