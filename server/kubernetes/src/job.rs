//! The agent as a Job on the target's node: with the node's process ids it finds the container, and
//! with few capabilities it enters its network and reads its files.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value as Json, json};

use crate::capabilities::{self, Where};
use crate::terms::{AgentSettings, AgentTerms};
use crate::{Container, arguments};

/// Seconds that a finished Job stays when nobody says so: for whoever started it and was killed.
const STAYS: u64 = 10;

/// The user of an agent that needs no rights at all.
const NOBODY: u32 = 65_532;

/// What of ours in a cluster is found by.
pub const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "mirrord-server");

/// Keeps the sidecars of istio, linkerd and kuma away; each reads its own.
const WITHOUT_SIDECARS: [(&str, &str); 3] = [
    ("sidecar.istio.io/inject", "false"),
    ("linkerd.io/inject", "disabled"),
    ("kuma.io/sidecar-injection", "disabled"),
];

/// The Job for the agent of one session. It is in the namespace `agent.namespace`, or in the
/// target's.
pub fn agent(container: &Container, terms: &AgentTerms) -> Job {
    let settings = &terms.settings;
    let mut pod = pod(terms);
    // Past the scheduler: there is no other node for it, full or not.
    pod["nodeName"] = json!(container.node);
    pod["hostPID"] = json!(true);
    pod["containers"][0]["args"] = json!(arguments::on_node(container, terms));
    let mut security = json!({
        "runAsUser": 0,
        "runAsGroup": 0,
        "privileged": settings.privileged,
        "readOnlyRootFilesystem": true,
    });
    // A privileged container has them all, whatever stands there.
    if !settings.privileged {
        let add = capabilities::of(Where::Node, &terms.needs, settings);
        security["capabilities"] = json!({"drop": ["ALL"], "add": add});
    }
    pod["containers"][0]["securityContext"] = security;
    let namespace = settings.namespace.as_ref().unwrap_or(&container.namespace);
    let target = format!(
        "{}/{}/{}",
        container.namespace, container.pod, container.name
    );
    job(namespace, &target, pod, terms)
}

/// The Job for an agent without a target, in `namespace`, or in `agent.namespace`: a plain pod like
/// a program's own, with its service account, which any namespace takes.
pub fn targetless(namespace: &str, terms: &AgentTerms) -> Job {
    let settings = &terms.settings;
    let mut pod = pod(terms);
    pod["automountServiceAccountToken"] = json!(true);
    pod["enableServiceLinks"] = json!(true);
    pod["nodeSelector"] = json!(settings.node_selector);
    // The scheduler chooses the node, and should keep to what nodes say.
    if settings.tolerations.is_null() {
        pod["tolerations"] = json!([]);
    }
    let container = &mut pod["containers"][0];
    container["args"] = json!(arguments::alone(terms));
    container["securityContext"] = match settings.privileged {
        true => json!({"privileged": true}),
        false => json!({
            "runAsNonRoot": true,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
        }),
    };
    if pod["securityContext"]["seccompProfile"].is_null() {
        pod["securityContext"]["seccompProfile"] = json!({"type": "RuntimeDefault"});
    }
    let namespace = settings.namespace.as_deref().unwrap_or(namespace);
    job(namespace, "none", pod, terms)
}

/// What every pod of an agent's own has.
fn pod(terms: &AgentTerms) -> Json {
    let settings = &terms.settings;
    let tolerations = match &settings.tolerations {
        Json::Null => json!([{"operator": "Exists"}]),
        tolerations => tolerations.clone(),
    };
    let mut pod = json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "tolerations": tolerations,
        "imagePullSecrets": settings.image_pull_secrets,
        "containers": [{
            "name": "agent",
            "image": settings.image,
            "imagePullPolicy": settings.image_pull_policy,
            "resources": settings.resources,
        }],
    });
    if let Some(account) = &settings.service_account {
        pod["serviceAccountName"] = json!(account);
    }
    if let Some(class) = &settings.priority_class {
        pod["priorityClassName"] = json!(class);
    }
    if !settings.profiles.is_null() {
        pod["securityContext"] = settings.profiles.clone();
    }
    pod
}

fn job(namespace: &str, target: &str, pod: Json, terms: &AgentTerms) -> Job {
    let settings = &terms.settings;
    let (labels, annotations) = (labels(terms), annotations(target, settings));
    let object = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": terms.name(),
            "namespace": namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": settings.ttl.unwrap_or(STAYS),
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": pod,
            },
        },
    });
    serde_json::from_value(object).expect("the object above is a Job")
}

fn labels(terms: &AgentTerms) -> BTreeMap<String, String> {
    let settings = &terms.settings;
    let mut labels = match settings.without_sidecars {
        true => texts(&WITHOUT_SIDECARS),
        false => BTreeMap::new(),
    };
    labels.extend(settings.labels.clone());
    labels.extend(texts(&[
        OURS,
        ("app.kubernetes.io/name", "mirrord-agent"),
        ("mirrord-server/session", &terms.session),
    ]));
    labels
}

fn annotations(target: &str, settings: &AgentSettings) -> BTreeMap<String, String> {
    let mut annotations = match settings.without_sidecars {
        true => texts(&WITHOUT_SIDECARS),
        false => BTreeMap::new(),
    };
    annotations.extend(settings.annotations.clone());
    annotations.extend(texts(&[("mirrord-server/target", target)]));
    annotations
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Needs;
    use crate::tests::{container, terms};

    fn written(terms: &AgentTerms) -> Json {
        serde_json::to_value(agent(&container(), terms)).unwrap()
    }

    #[test]
    fn the_job_asks_for_no_more_than_it_needs() {
        let job = written(&terms());
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["nodeName"], "node2");
        assert_eq!(pod["hostPID"], true);
        for what in ["hostNetwork", "hostIPC", "volumes", "serviceAccountName"] {
            assert_eq!(pod[what], json!(null), "{what}");
        }
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!(security["privileged"], false);
        assert_eq!(
            security["capabilities"],
            json!({"drop": ["ALL"], "add": ["SYS_PTRACE", "SETUID", "SYS_ADMIN"]})
        );
        let arguments = pod["containers"][0]["args"].to_string();
        assert!(
            arguments.ends_with(r#""--probe-ports","80,8080"]"#),
            "{arguments}"
        );
        assert_eq!(job["metadata"]["name"], "mirrord-agent-00ff");
        assert_eq!(job["metadata"]["namespace"], "shop");
        assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 10);
    }

    #[test]
    fn what_the_configuration_says_is_in_the_job() {
        let mut terms = terms();
        let pairs = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        terms.needs = Needs::default();
        terms.settings = AgentSettings {
            namespace: Some("tools".into()),
            ttl: Some(60),
            labels: pairs("team", "web"),
            annotations: pairs("note", "any text"),
            tolerations: json!([{"key": "gpu", "operator": "Exists"}]),
            resources: json!({"limits": {"memory": "64Mi"}}),
            profiles: json!({"seccompProfile": {"type": "Unconfined"}}),
            service_account: Some("agent".into()),
            priority_class: Some("low".into()),
            image_pull_secrets: json!([{"name": "registry"}]),
            privileged: true,
            without_sidecars: true,
            ..terms.settings
        };
        let job = written(&terms);
        assert_eq!(job["metadata"]["namespace"], "tools");
        assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 60);
        let template = &job["spec"]["template"];
        for metadata in [&job["metadata"], &template["metadata"]] {
            assert_eq!(metadata["labels"]["team"], "web");
            assert_eq!(metadata["labels"][OURS.0], OURS.1);
            assert_eq!(metadata["annotations"]["note"], "any text");
            assert_eq!(metadata["annotations"]["linkerd.io/inject"], "disabled");
        }
        let pod = &template["spec"];
        assert_eq!(pod["tolerations"][0]["key"], "gpu");
        assert_eq!(pod["serviceAccountName"], "agent");
        assert_eq!(pod["priorityClassName"], "low");
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "Unconfined"
        );
        let container = &pod["containers"][0];
        assert_eq!(container["resources"]["limits"]["memory"], "64Mi");
        assert_eq!(container["securityContext"]["privileged"], true);
        assert_eq!(container["securityContext"]["capabilities"], json!(null));
    }
}
