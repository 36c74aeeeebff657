//! One target of a cluster, for a list.

use serde_json::Value;

use super::object::{Container, Item};
use crate::Kind;

/// How many pods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pods {
    /// Pods that get traffic.
    pub ready: u32,
    /// Pods that there shall be.
    pub wanted: u32,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its containers, of workloads those of the pods that it makes.
    pub containers: Vec<String>,
    /// The TCP ports that it declares.
    pub ports: Vec<u16>,
    /// Its pods, where it says how many.
    pub pods: Option<Pods>,
    /// A program can be run in it now.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

impl Row {
    /// As configurations take it: `deployment/web`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    pub(crate) fn of(item: &Item, kind: Kind) -> Row {
        let containers = containers(item);
        let (pods, reason) = state(item, kind);
        Row {
            kind,
            name: item.name(),
            namespace: item.metadata.namespace.clone().unwrap_or_default(),
            containers: containers.iter().map(|one| one.name.clone()).collect(),
            ports: ports(item, containers),
            pods,
            ready: reason.is_none(),
            reason,
        }
    }
}

fn containers(item: &Item) -> &[Container] {
    let spec = &item.spec;
    let template = spec.template.as_ref();
    let template = template.or(spec.job_template.as_ref().map(|job| &job.spec.template));
    match template {
        Some(template) => &template.spec.containers,
        None => &spec.containers,
    }
}

fn ports(item: &Item, containers: &[Container]) -> Vec<u16> {
    let is_tcp = |protocol: &Option<String>| protocol.as_deref().is_none_or(|name| name == "TCP");
    let declared = containers.iter().flat_map(|container| &container.ports);
    let declared = declared
        .filter(|port| is_tcp(&port.protocol))
        .map(|port| port.container_port);
    let served = item.spec.ports.iter();
    let served = served
        .filter(|port| is_tcp(&port.protocol))
        .map(|port| port.port);
    let mut ports: Vec<u16> = declared.chain(served).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// How many pods there are, and why no program can be run in it.
fn state(item: &Item, kind: Kind) -> (Option<Pods>, Option<String>) {
    let (spec, status) = (&item.spec, &item.status);
    match kind {
        Kind::Pod | Kind::Label => (None, pod_reason(item)),
        Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet | Kind::Rollout => {
            counted(status.ready_replicas, spec.replicas.unwrap_or(1))
        }
        Kind::DaemonSet => counted(
            status.number_ready,
            status.desired_number_scheduled.unwrap_or(0),
        ),
        Kind::Job => {
            let runs = status.active.as_ref().and_then(Value::as_u64) > Some(0);
            (None, (!runs).then(|| "it does not run".into()))
        }
        Kind::CronJob => {
            let active = status.active.as_ref().and_then(Value::as_array);
            let runs = active.is_some_and(|jobs| !jobs.is_empty());
            (None, (!runs).then(|| "it runs no job now".into()))
        }
        Kind::Service => {
            let selector = spec.selector.as_ref().and_then(Value::as_object);
            let chooses = selector.is_some_and(|labels| !labels.is_empty());
            (None, (!chooses).then(|| "it chooses no pods".into()))
        }
    }
}

fn counted(ready: Option<u32>, wanted: u32) -> (Option<Pods>, Option<String>) {
    let ready = ready.unwrap_or(0);
    let reason = match (ready, wanted) {
        (0, 0) => Some("it is scaled to no pods".to_owned()),
        (0, wanted) => Some(format!("none of its {wanted} pods is ready")),
        _ => None,
    };
    (Some(Pods { ready, wanted }), reason)
}

/// Why no program can be run in a pod now, in the cluster's words.
fn pod_reason(item: &Item) -> Option<String> {
    let status = &item.status;
    if item.metadata.deletion_timestamp.is_some() {
        return Some("it is being removed".into());
    }
    let states = || status.container_statuses.iter().map(|one| &one.state);
    if status.phase.as_deref() == Some("Running") && states().any(|state| state.running.is_some()) {
        return None;
    }
    let word = states()
        .filter_map(|state| state.waiting.as_ref().or(state.terminated.as_ref()))
        .find_map(|why| why.reason.clone());
    Some(
        word.or(status.phase.clone())
            .unwrap_or_else(|| "its state is not known".into()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(kind: Kind, spec: Value, status: Value) -> Row {
        let item = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec, "status": status});
        Row::of(&serde_json::from_value(item).unwrap(), kind)
    }

    #[test]
    fn rows_tell_containers_ports_and_pods() {
        let containers = json!([
            {"name": "app", "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]},
            {"name": "log"},
        ]);
        let spec = json!({"replicas": 3, "template": {"spec": {"containers": containers}}});
        let web = row(Kind::Deployment, spec.clone(), json!({"readyReplicas": 2}));
        assert_eq!(web.path(), "deployment/web");
        assert_eq!(web.containers, ["app", "log"]);
        assert_eq!(web.ports, [8080]);
        assert_eq!(
            web.pods,
            Some(Pods {
                ready: 2,
                wanted: 3
            })
        );
        assert!(web.ready);
        let none = row(Kind::Deployment, spec.clone(), json!({}));
        assert_eq!(none.reason.as_deref(), Some("none of its 3 pods is ready"));
        let cron = row(
            Kind::CronJob,
            json!({"jobTemplate": {"spec": spec}}),
            json!({"active": []}),
        );
        assert_eq!(cron.containers, ["app", "log"]);
        assert_eq!(cron.reason.as_deref(), Some("it runs no job now"));
        let job = row(Kind::Job, json!({}), json!({"active": 1}));
        assert!(job.ready);
        let service = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
        let service = row(Kind::Service, service, json!({}));
        assert!(service.ready);
        assert_eq!(service.ports, [80]);
    }

    #[test]
    fn a_pod_that_cannot_be_used_says_why() {
        let running =
            json!({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]});
        assert!(row(Kind::Pod, json!({}), running).ready);
        for (status, words) in [
            (json!({"phase": "Pending"}), "Pending"),
            (
                json!({"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
                "CrashLoopBackOff",
            ),
            (json!({}), "its state is not known"),
        ] {
            assert_eq!(
                row(Kind::Pod, json!({}), status).reason.as_deref(),
                Some(words)
            );
        }
    }
}
