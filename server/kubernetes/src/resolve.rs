//! The container that a target means now.

pub(crate) mod containers;
mod probes;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::{Cluster, Error, Kind, Target};

/// A container that runs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's UID: a pod of the same name that comes later is another one.
    pub pod_uid: String,
    /// The container's name.
    pub name: String,
    /// The runtime's name for it: `containerd://1f3a…`.
    pub id: String,
    /// The node.
    pub node: String,
    /// Ports that the pod's probes name.
    pub probe_ports: Vec<u16>,
    /// Arguments of the pod's probes that are programs.
    pub probe_commands: Vec<Vec<String>>,
}

/// A target's container with its pod as the cluster has it: what an agent may do there depends on
/// both.
#[derive(Debug, Clone)]
pub struct Found {
    /// The container.
    pub container: Container,
    /// Its pod.
    pub pod: Pod,
}

impl Cluster {
    /// The container that `target` means now: of several pods, one that is ready, the oldest first
    /// (a rollout ends with the newest ones).
    ///
    /// # Errors
    /// [`Error::Target`] when nothing fitting runs, [`Error::Api`] when the cluster refuses.
    pub async fn resolve(&self, target: &Target) -> Result<Found, Error> {
        let pod = match target.kind {
            Kind::Pod => self.get::<Pod>("pod", &target.name).await?,
            _ => {
                let selector = self.selector(target).await?;
                self.best_pod(target, &selector).await?
            }
        };
        let container = containers::choose(&pod, target.container.as_deref())?;
        Ok(Found { container, pod })
    }

    pub(crate) async fn get<K>(&self, kind: &str, name: &str) -> Result<K, Error>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let what = format!("read {kind}/{name} in the namespace {}", self.namespace);
        let found = api.get(name).await.map_err(Error::api(what));
        found.map_err(|error| {
            if error.is_missing() {
                Error::NoTarget(format!(
                    "there is no {kind} {name} in the namespace {} (`mirrord-server targets` lists \
                     them; target.namespace names another namespace)",
                    self.namespace
                ))
            } else {
                error
            }
        })
    }

    /// The labels of a target's pods.
    pub(crate) async fn selector(&self, target: &Target) -> Result<String, Error> {
        let name = &target.name;
        let labels = match target.kind {
            Kind::Label | Kind::Pod => return Ok(name.clone()),
            Kind::Deployment => self
                .get::<Deployment>("deployment", name)
                .await?
                .spec
                .map(|spec| spec.selector),
            Kind::StatefulSet => self
                .get::<StatefulSet>("statefulset", name)
                .await?
                .spec
                .map(|spec| spec.selector),
            Kind::DaemonSet => self
                .get::<DaemonSet>("daemonset", name)
                .await?
                .spec
                .map(|spec| spec.selector),
            Kind::ReplicaSet => self
                .get::<ReplicaSet>("replicaset", name)
                .await?
                .spec
                .map(|spec| spec.selector),
            Kind::Job => self
                .get::<Job>("job", name)
                .await?
                .spec
                .and_then(|spec| spec.selector),
            Kind::CronJob => self.running_job(name).await?,
            Kind::Service => {
                let spec = self.get::<Service>("service", name).await?.spec;
                let labels = spec.and_then(|spec| spec.selector).unwrap_or_default();
                (!labels.is_empty()).then_some(LabelSelector {
                    match_labels: Some(labels),
                    match_expressions: None,
                })
            }
            Kind::Rollout => self.rollout(name).await?,
        };
        labels.as_ref().and_then(written).ok_or_else(|| {
            Error::Target(format!(
                "{target} chooses no pods (it has no selector); name a pod or a label instead"
            ))
        })
    }

    /// The selector of the Job that a CronJob runs now.
    async fn running_job(&self, name: &str) -> Result<Option<LabelSelector>, Error> {
        let cronjob = self.get::<CronJob>("cronjob", name).await?;
        let active = cronjob.status.and_then(|status| status.active);
        let job = active.into_iter().flatten().next_back();
        let Some(job) = job.and_then(|job| job.name) else {
            return Err(Error::Target(format!(
                "cronjob/{name} runs no job now; start one with `kubectl create job --from=cronjob/{name} NAME`"
            )));
        };
        Ok(self
            .get::<Job>("job", &job)
            .await?
            .spec
            .and_then(|spec| spec.selector))
    }

    /// Argo's Rollouts have no types of their own here. One that leads to a Deployment
    /// (`workloadRef`) has its selector there.
    async fn rollout(&self, name: &str) -> Result<Option<LabelSelector>, Error> {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout");
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let what = format!("read rollout/{name} in the namespace {}", self.namespace);
        let rollout = api.get(name).await.map_err(Error::api(what))?;
        let spec = &rollout.data["spec"];
        if let Some(deployment) = spec["workloadRef"]["name"].as_str() {
            let deployment = self.get::<Deployment>("deployment", deployment).await?;
            return Ok(deployment.spec.map(|spec| spec.selector));
        }
        serde_json::from_value(spec["selector"].clone()).map_err(|error| {
            Error::Target(format!(
                "the selector of rollout/{name} cannot be read: {error}"
            ))
        })
    }

    async fn best_pod(&self, target: &Target, selector: &str) -> Result<Pod, Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let what = format!("list the pods of {target} in {}", self.namespace);
        let list = api
            .list(&ListParams::default().labels(selector))
            .await
            .map_err(Error::api(what))?;
        let mut running: Vec<Pod> = list.items.into_iter().filter(containers::runs).collect();
        running.sort_by_key(|pod| (!containers::is_ready(pod), pod.creation_timestamp()));
        running.into_iter().next().ok_or_else(|| {
            Error::Target(format!(
                "{target} has no running pod in the namespace {} (its pods have the labels {selector})",
                self.namespace
            ))
        })
    }
}

/// As the API takes it in `labelSelector`.
fn written(selector: &LabelSelector) -> Option<String> {
    let labels = selector.match_labels.iter().flatten();
    let mut parts: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    for expression in selector.match_expressions.iter().flatten() {
        let key = &expression.key;
        let values = expression.values.iter().flatten().cloned();
        let values = values.collect::<Vec<_>>().join(",");
        parts.push(match expression.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_written_as_the_api_takes_them() {
        let selector: LabelSelector = serde_json::from_value(json!({
            "matchLabels": {"app": "web", "tier": "front"},
            "matchExpressions": [
                {"key": "track", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }))
        .unwrap();
        assert_eq!(
            written(&selector).as_deref(),
            Some("app=web,tier=front,track in (a,b),!old")
        );
        assert_eq!(written(&LabelSelector::default()), None);
    }
}
