//! Which container of a pod is meant.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::Container;
use crate::Error;

/// kubectl's annotation for the container that is meant when none is named
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container>).
const DEFAULT: &str = "kubectl.kubernetes.io/default-container";

/// Containers that meshes and agents of observers put beside the program.
const SIDECARS: [&str; 10] = [
    "istio-proxy",
    "istio-init",
    "linkerd-proxy",
    "linkerd-init",
    "kuma-sidecar",
    "kuma-init",
    "consul-dataplane",
    "envoy",
    "vault-agent",
    "dapr",
];

/// The named container, or the main one: the annotation's, or the first that is no sidecar.
pub(crate) fn choose(pod: &Pod, wanted: Option<&str>) -> Result<Container, Error> {
    let name = pod.name_any();
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| &spec.containers[..]).unwrap_or_default();
    let names: Vec<&str> = containers
        .iter()
        .map(|container| &container.name[..])
        .collect();
    let chosen = match wanted {
        Some(wanted) => names.iter().find(|name| **name == wanted).ok_or_else(|| {
            Error::Target(format!(
                "the pod {name} has no container {wanted}; it has {}",
                names.join(", ")
            ))
        })?,
        None => main(pod, &names)
            .ok_or_else(|| Error::Target(format!("the pod {name} has no container")))?,
    };
    let status = running(pod, chosen).ok_or_else(|| {
        Error::Target(format!(
            "the container {chosen} of the pod {name} does not run ({})",
            state(pod, chosen)
        ))
    })?;
    Ok(Container {
        namespace: pod.namespace().unwrap_or_default(),
        pod_uid: pod.uid().unwrap_or_default(),
        name: (*chosen).to_owned(),
        id: status.container_id.clone().unwrap_or_default(),
        node: spec
            .and_then(|spec| spec.node_name.clone())
            .unwrap_or_default(),
        probe_ports: super::probes::ports(pod),
        probe_commands: super::probes::commands(pod),
        pod: name,
    })
}

/// The container that is meant when none is named.
pub(crate) fn main<'a>(pod: &Pod, names: &'a [&'a str]) -> Option<&'a &'a str> {
    let annotated = pod.annotations().get(DEFAULT);
    let annotated = annotated.and_then(|wanted| names.iter().find(|name| *name == wanted));
    annotated
        .or_else(|| names.iter().find(|name| !SIDECARS.contains(name)))
        .or_else(|| names.first())
}

fn statuses(pod: &Pod) -> &[ContainerStatus] {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.container_statuses.as_deref())
        .unwrap_or_default()
}

fn running<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    statuses(pod).iter().find(|status| {
        let state = status.state.as_ref();
        status.name == name
            && status.container_id.is_some()
            && state.is_some_and(|state| state.running.is_some())
    })
}

/// A container's state in the cluster's words.
fn state(pod: &Pod, name: &str) -> String {
    let status = statuses(pod).iter().find(|status| status.name == name);
    let state = status.and_then(|status| status.state.as_ref());
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
        return waiting.reason.clone().unwrap_or_else(|| "it waits".into());
    }
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        let reason = ended.reason.as_deref().unwrap_or("it ended");
        return format!("{reason}, exit code {}", ended.exit_code);
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_ref());
    phase.map_or_else(
        || "its state is not known".into(),
        |phase| format!("the pod is {phase}"),
    )
}

/// Whether a pod can be a target: it runs and is not being removed.
pub(crate) fn runs(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
}

/// Whether it gets a Service's traffic.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(annotation: Option<&str>) -> Pod {
        let runs = |name: &str| json!({"name": name, "containerID": format!("containerd://{name}"), "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
        let mut pod = json!({
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "annotations": {}},
            "spec": {"nodeName": "node1", "containers": [{"name": "istio-proxy"}, {"name": "app"}, {"name": "log"}, {"name": "broken"}]},
            "status": {"phase": "Running", "containerStatuses": [
                runs("istio-proxy"), runs("app"), runs("log"),
                {"name": "broken", "image": "", "imageID": "", "ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            ]},
        });
        if let Some(name) = annotation {
            pod["metadata"]["annotations"][DEFAULT] = json!(name);
        }
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn sidecars_are_passed_over_and_the_annotation_wins() {
        assert_eq!(choose(&pod(None), None).unwrap().name, "app");
        assert_eq!(choose(&pod(Some("log")), None).unwrap().name, "log");
        assert_eq!(choose(&pod(Some("nonsense")), None).unwrap().name, "app");
        let proxy = choose(&pod(None), Some("istio-proxy")).unwrap();
        assert_eq!(
            (&proxy.name[..], &proxy.id[..]),
            ("istio-proxy", "containerd://istio-proxy")
        );
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (name, words) in [
            ("app2", "it has istio-proxy, app, log"),
            ("broken", "CrashLoopBackOff"),
        ] {
            let error = choose(&pod(None), Some(name)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
