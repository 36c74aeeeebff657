//! What the cluster says about an agent that starts.

use k8s_openapi::api::core::v1::{Event, Pod};

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

/// The state of the agent's pod.
pub fn of_pod(pod: &Pod) -> State {
    let Some(status) = &pod.status else {
        return State::Waits("the pod was created".into());
    };
    let said = |reason: Option<&String>, message: Option<&String>| -> String {
        let parts = [reason, message].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    };
    let containers = status.container_statuses.iter().flatten();
    for state in containers.filter_map(|container| container.state.as_ref()) {
        if state.running.is_some() {
            return State::Runs;
        }
        // It may have said why in its log, which is read when it ran.
        if state.terminated.is_some() {
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

/// Why the agent's container has ended, if it has: `OOMKilled`, `Evicted: The node was low on …`.
pub fn ending(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let said = |reason: Option<&String>, message: Option<&String>| {
        let parts = [reason, message].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    };
    let words = said(status.reason.as_ref(), status.message.as_ref());
    let containers = status.container_statuses.iter().flatten();
    let states = containers.filter_map(|container| container.state.as_ref());
    let ended = states.filter_map(|state| state.terminated.as_ref()).next();
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
            assert_eq!(of_pod(&pod(status)), State::Failed(words.into()));
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
            ending(&pod(killed.clone())).unwrap(),
            "OOMKilled, exit code 137"
        );
        killed["reason"] = json!("Evicted");
        killed["message"] = json!("The node was low on memory.");
        let words = "Evicted: The node was low on memory.";
        assert_eq!(ending(&pod(killed)).unwrap(), words);
        let evicted = json!({"phase": "Failed", "reason": "Evicted"});
        assert_eq!(ending(&pod(evicted)).unwrap(), "Evicted");
        let runs = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(ending(&pod(runs)), None);
    }

    #[test]
    fn what_passes_is_waited_for() {
        let creating = container(json!({"waiting": {"reason": "ContainerCreating"}}));
        assert_eq!(
            of_pod(&pod(creating)),
            State::Waits("ContainerCreating".into())
        );
        let runs = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(of_pod(&pod(runs)), State::Runs);
    }
}
