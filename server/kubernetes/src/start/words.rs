//! What the cluster says about an agent that starts.

use k8s_openapi::api::core::v1::{ContainerState, Event, Pod};

/// How far an agent's pod is.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Its container runs.
    Runs,
    /// It will not, and why.
    Failed(String),
    /// Not yet, and what it waits for.
    Waits(String),
}

/// Reasons for which a container waits that do not pass by themselves (kubelet's `images` and
/// `kuberuntime` packages).
const LASTING: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// The state of the agent's pod, in which `container` is the agent's.
pub fn of_pod(pod: &Pod, container: &str) -> State {
    let Some(status) = &pod.status else {
        return State::Waits("the pod was created".into());
    };
    if let Some(state) = state_of(pod, container) {
        // One that has ended may have said why in its log, which is read when it ran.
        if state.running.is_some() || state.terminated.is_some() {
            return State::Runs;
        }
        if let Some(waiting) = &state.waiting {
            let words = said(waiting.reason.as_ref(), waiting.message.as_ref());
            let reason = waiting.reason.as_deref().unwrap_or_default();
            if LASTING.contains(&reason) {
                return State::Failed(words);
            }
            return State::Waits(words);
        }
    }
    if status.phase.as_deref() == Some("Failed") {
        return State::Failed(said(status.reason.as_ref(), status.message.as_ref()));
    }
    let conditions = status.conditions.iter().flatten();
    let mut unscheduled = conditions
        .filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    match unscheduled.next() {
        Some(condition) => {
            State::Failed(said(condition.reason.as_ref(), condition.message.as_ref()))
        }
        None => State::Waits("the pod waits for its node".into()),
    }
}

fn said(reason: Option<&String>, message: Option<&String>) -> String {
    let parts = [reason, message].into_iter().flatten();
    parts.map(String::as_str).collect::<Vec<_>>().join(": ")
}

/// The state of a container, of the pod's own or one that was put into it.
fn state_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerState> {
    let status = pod.status.as_ref()?;
    let own = status.container_statuses.iter().flatten();
    let added = status.ephemeral_container_statuses.iter().flatten();
    let mut all = own.chain(added);
    let found = all.find(|status| status.name == container)?;
    found.state.as_ref()
}

/// Why the agent's container has ended, if it has: `OOMKilled`, `Evicted: The node was low on …`.
pub fn ending(pod: &Pod, container: &str) -> Option<String> {
    let status = pod.status.as_ref()?;
    let words = said(status.reason.as_ref(), status.message.as_ref());
    let state = state_of(pod, container);
    let ended = state.and_then(|state| state.terminated.as_ref());
    match (ended, status.phase.as_deref()) {
        (Some(_), _) if !words.is_empty() => Some(words),
        (Some(ended), _) => Some(format!(
            "{}, exit code {}",
            ended.reason.as_deref().unwrap_or("it ended"),
            ended.exit_code
        )),
        (None, Some("Succeeded" | "Failed")) => Some(words),
        (None, _) => None,
    }
}

/// The words of an event that says that no pod will come.
pub fn of_event(event: &Event) -> Option<String> {
    (event.reason.as_deref() == Some("FailedCreate")).then(|| {
        event
            .message
            .clone()
            .unwrap_or_else(|| "FailedCreate".into())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    fn container(state: Value) -> Value {
        json!({"phase": "Pending", "containerStatuses": [{"name": "agent", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]})
    }

    #[test]
    fn lasting_reasons_end_the_wait_in_the_clusters_words() {
        for (status, words) in [
            (
                container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}})),
                "ErrImagePull: not found",
            ),
            (
                json!({"phase": "Failed", "reason": "OutOfpods", "message": "Node is full"}),
                "OutOfpods: Node is full",
            ),
            (
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}),
                "Unschedulable: 0/1 nodes are available",
            ),
        ] {
            assert_eq!(of_pod(&pod(status), "agent"), State::Failed(words.into()));
        }
        let event: Event = serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "reason": "FailedCreate",
            "message": "violates PodSecurity \"restricted:latest\"",
        }))
        .unwrap();
        assert!(of_event(&event).unwrap().contains("PodSecurity"));
    }

    #[test]
    fn an_ending_has_the_clusters_words() {
        let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let mut killed = container(killed);
        assert_eq!(
            ending(&pod(killed.clone()), "agent").unwrap(),
            "OOMKilled, exit code 137"
        );
        killed["reason"] = json!("Evicted");
        killed["message"] = json!("The node was low on memory.");
        let words = "Evicted: The node was low on memory.";
        assert_eq!(ending(&pod(killed), "agent").unwrap(), words);
        let evicted = json!({"phase": "Failed", "reason": "Evicted"});
        assert_eq!(ending(&pod(evicted), "agent").unwrap(), "Evicted");
        let runs = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(ending(&pod(runs), "agent"), None);
    }

    #[test]
    fn what_passes_is_waited_for() {
        let creating = container(json!({"waiting": {"reason": "ContainerCreating"}}));
        assert_eq!(
            of_pod(&pod(creating), "agent"),
            State::Waits("ContainerCreating".into())
        );
        let runs = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(of_pod(&pod(runs), "agent"), State::Runs);
    }

    #[test]
    fn a_container_that_was_put_into_a_pod_is_found_among_its_own() {
        let status = |name: &str, state: Value| json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        let runs = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let ended = json!({"terminated": {"exitCode": 0}});
        let pod = pod(json!({
            "phase": "Running",
            "containerStatuses": [status("web", runs)],
            "ephemeralContainerStatuses": [
                status("old", ended),
                status("new", json!({"waiting": {"reason": "ErrImageNeverPull", "message": "no"}})),
            ],
        }));
        assert_eq!(of_pod(&pod, "web"), State::Runs);
        assert_eq!(
            of_pod(&pod, "new"),
            State::Failed("ErrImageNeverPull: no".into())
        );
        assert_eq!(ending(&pod, "old").unwrap(), "it ended, exit code 0");
        assert_eq!(ending(&pod, "web"), None);
    }
}
