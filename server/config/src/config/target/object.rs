//! Targets as objects: `{"cron_job": "name", "container": "name"}`, `{"labels": {"app": "x"}}`.

use mirrord_target::{ClusterTarget, Kind, Target, is_kubernetes_name, wrong_name, wrong_selector};

use crate::tree::{Entry, Node, Span, Value};

/// Kinds of Kubernetes targets in the object form (`{"cron_job": "name"}`), with its other spellings.
pub(super) const OBJECT_KEYS: &[(&str, Kind)] = &[
    ("pod", Kind::Pod),
    ("deployment", Kind::Deployment),
    ("rollout", Kind::Rollout),
    ("job", Kind::Job),
    ("cron_job", Kind::CronJob),
    ("stateful_set", Kind::StatefulSet),
    ("service", Kind::Service),
    ("replica_set", Kind::ReplicaSet),
    ("daemon_set", Kind::DaemonSet),
];

/// `{"pod": "name", "container": "name"}`, `{"labels": {"app": "x"}}`. The error is about a part of
/// the text.
pub(super) fn from_object(node: &Node, entries: &[Entry]) -> Result<Target, (Span, String)> {
    let mut container = None;
    let mut target = None;
    for entry in entries {
        let kind = OBJECT_KEYS.iter().find(|(name, _)| *name == entry.key);
        let new = match (entry.key.as_str(), &entry.value.value, kind) {
            ("container", Value::Text(name), _) => {
                container = Some(name.clone());
                continue;
            }
            ("labels", Value::Map(labels), _) => (Kind::Label, selector(labels)?),
            (_, Value::Text(name), Some((_, kind))) => (*kind, name.clone()),
            ("labels", ..) => {
                let message = "`labels` must be an object of names and texts".to_owned();
                return Err((entry.value.span.clone(), message));
            }
            ("container", ..) | (_, _, Some(_)) => {
                let message = format!("`{}` of a target must be text", entry.key);
                return Err((entry.value.span.clone(), message));
            }
            (_, _, None) => {
                let kinds: Vec<&str> = OBJECT_KEYS.iter().map(|(name, _)| *name).collect();
                let message = format!(
                    "`{}` is not a kind of target: there are {} and labels, and `container`",
                    entry.key,
                    kinds.join(", ")
                );
                return Err((entry.key_span.clone(), message));
            }
        };
        if new.1.is_empty() {
            let message = format!("`{}` of a target is empty", entry.key);
            return Err((entry.value.span.clone(), message));
        }
        if target.replace(new).is_some() {
            let message = "a target object has one kind; this is another".to_owned();
            return Err((entry.key_span.clone(), message));
        }
    }
    let names = target
        .iter()
        .filter(|(kind, _)| *kind != Kind::Label)
        .map(|(_, name)| name);
    if let Some(wrong) = names
        .chain(&container)
        .find(|name| !is_kubernetes_name(name))
    {
        return Err((node.span.clone(), wrong_name(wrong)));
    }
    match target {
        Some((kind, name)) => Ok(Target::Kubernetes(ClusterTarget {
            kind,
            name,
            container,
        })),
        None => {
            let message = "a target object needs a kind, as `{\"pod\": \"name\"}`".to_owned();
            Err((node.span.clone(), message))
        }
    }
}

/// `app=x,tier=y`.
fn selector(labels: &[Entry]) -> Result<String, (Span, String)> {
    let mut selector = Vec::new();
    for label in labels {
        match &label.value.value {
            Value::Text(value) => selector.push(format!("{}={value}", label.key)),
            _ => {
                let message = format!("label `{}` must be text", label.key);
                return Err((label.value.span.clone(), message));
            }
        }
    }
    if let Some((wrong, label)) = selector
        .iter()
        .zip(labels)
        .find_map(|(part, label)| Some((wrong_selector(part)?, label)))
    {
        return Err((label.key_span.clone(), wrong));
    }
    Ok(selector.join(","))
}
