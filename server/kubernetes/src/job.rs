//! The agent as a Job on the target's node: with the node's process ids it finds the container, and
//! with few capabilities it enters its network and reads its files.

use k8s_openapi::api::batch::v1::Job;
use serde_json::json;

use crate::{AgentTerms, Container};

/// Seconds that a finished Job stays, for whoever wants to know why.
const STAYS: u32 = 10;

/// An agent that nobody calls (whoever started it was killed) ends by itself.
const FIRST_CALL_MS: &str = "60000";

/// What the agent does as root of its own container, and why (capabilities(7)).
const CAPABILITIES: [&str; 7] = [
    // setns(2) into the target's network namespace; bpf(2) for the target's incoming traffic.
    "SYS_ADMIN",
    "NET_ADMIN",
    // Copies of packets, to mirror.
    "NET_RAW",
    // /proc/PID/root and /proc/PID/environ of the target.
    "SYS_PTRACE",
    // Files are opened as the target's own user.
    "SETUID",
    "SETGID",
    // Ports below 1024 of the target.
    "NET_BIND_SERVICE",
];

/// The Job for the agent of one session.
pub fn agent(container: &Container, terms: &AgentTerms) -> Job {
    let name = name(terms);
    let labels = json!({
        "app.kubernetes.io/managed-by": "mirrord-server",
        "app.kubernetes.io/name": "mirrord-agent",
        "mirrord-server/session": terms.session,
    });
    let object = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": container.namespace,
            "labels": labels,
            "annotations": {"mirrord-server/target": format!("{}/{}", container.pod, container.name)},
        },
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": STAYS,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    // Past the scheduler: there is no other node for it, full or not.
                    "nodeName": container.node,
                    "tolerations": [{"operator": "Exists"}],
                    "hostPID": true,
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "containers": [{
                        "name": "agent",
                        "image": terms.image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": arguments(container, terms),
                        "securityContext": {
                            "runAsUser": 0,
                            "runAsGroup": 0,
                            "privileged": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"], "add": CAPABILITIES},
                        },
                    }],
                },
            },
        },
    });
    serde_json::from_value(object).expect("the object above is a Job")
}

/// The Job's name.
pub fn name(terms: &AgentTerms) -> String {
    format!("mirrord-agent-{}", terms.session)
}

/// Whoever can read pods sees these: the key is public, and nothing else is secret.
fn arguments(container: &Container, terms: &AgentTerms) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--target-container",
        &container.id,
        // Only the node's kubelet, which forwards ports, reaches its loopback address.
        "--listen",
        "tcp:127.0.0.1:0",
        "--session-key",
        &terms.session_key,
        "--grace-ms",
        &terms.grace.as_millis().to_string(),
        "--first-call-ms",
        FIRST_CALL_MS,
    ]
    .map(str::to_owned)
    .into();
    if !container.probe_ports.is_empty() {
        let ports = container.probe_ports.iter().map(u16::to_string);
        arguments.extend([
            "--probe-ports".to_owned(),
            ports.collect::<Vec<_>>().join(","),
        ]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_job_asks_for_no_more_than_it_needs() {
        let container = Container {
            namespace: "shop".into(),
            pod: "web-1".into(),
            pod_uid: "u".into(),
            name: "app".into(),
            id: "containerd://1f3a".into(),
            node: "node2".into(),
            probe_ports: vec![80, 8080],
        };
        let terms = AgentTerms {
            session: "00ff".into(),
            session_key: "abcd".into(),
            image: "agent:1".into(),
            grace: Duration::from_secs(10),
            start_timeout: Duration::from_secs(60),
        };
        let job = serde_json::to_value(agent(&container, &terms)).unwrap();
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["nodeName"], "node2");
        assert_eq!(pod["hostPID"], true);
        for what in ["hostNetwork", "hostIPC", "volumes"] {
            assert_eq!(pod[what], json!(null), "{what}");
        }
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!(security["privileged"], false);
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        let arguments = pod["containers"][0]["args"].to_string();
        assert!(
            arguments.ends_with(r#""--probe-ports","80,8080"]"#),
            "{arguments}"
        );
        assert_eq!(job["metadata"]["name"], "mirrord-agent-00ff");
        assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 10);
    }
}
