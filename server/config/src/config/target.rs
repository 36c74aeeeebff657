//! `target`: what to run inside of.

mod object;

use std::fmt;
use std::str::FromStr;

use serde_json::{Value as Json, json};

use object::{OBJECT_KEYS, from_object};

use crate::group::{Shorthand, group, nearest};
use crate::problem::Code;
use crate::reader::{Kind, Reader};
use crate::setting::Setting;
use crate::tree::{Node, Value};

/// Kinds of Kubernetes targets, with the short names that mirrord takes.
const KUBERNETES: &[(&str, &str)] = &[
    ("pod", "pod"),
    ("deployment", "deployment"),
    ("deploy", "deployment"),
    ("rollout", "rollout"),
    ("job", "job"),
    ("cronjob", "cronjob"),
    ("statefulset", "statefulset"),
    ("service", "service"),
    ("replicaset", "replicaset"),
    ("daemonset", "daemonset"),
    ("label", "label"),
];

/// What targets begin with, to be offered where one is written.
pub const FORMS: &[&str] = &[
    "targetless",
    "process/",
    "sandbox/",
    "container/",
    "pod/",
    "deployment/",
    "rollout/",
    "job/",
    "cronjob/",
    "statefulset/",
    "service/",
    "replicaset/",
    "daemonset/",
    "label/",
];

/// A parsed target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// No target: only an agent in the cluster.
    Targetless,
    /// A process of this machine.
    Process(u32),
    /// A pod of namespaces on this machine.
    Sandbox(String),
    /// A container of this machine's Docker or Podman.
    Container(String),
    /// A target in a cluster.
    Kubernetes {
        /// `pod`, `deployment`, …
        kind: &'static str,
        /// Its name; for labels, the selector.
        name: String,
        /// The container in it.
        container: Option<String>,
    },
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "targetless" {
            return Ok(Target::Targetless);
        }
        let (kind, rest) = text.split_once('/').unwrap_or((text, ""));
        let name = || match rest {
            "" => Err(format!("`{text}` lacks a name: write `{kind}/NAME`")),
            name => Ok(name.to_owned()),
        };
        match kind {
            "process" => rest
                .parse()
                .ok()
                .filter(|pid| *pid > 0)
                .map(Target::Process)
                .ok_or_else(|| format!("`{rest}` is not a process id: write `process/1234`")),
            "sandbox" => name().map(Target::Sandbox),
            "container" => name().map(Target::Container),
            _ => match KUBERNETES.iter().find(|(name, _)| *name == kind) {
                Some((_, kind)) => kubernetes(kind, &name()?, text),
                None => Err(format!(
                    "`{text}` is not a target: write `process/PID`, `sandbox/NAME`, or as in \
                     mirrord `pod/NAME[/container/NAME]`, `deployment/NAME`, …"
                )),
            },
        }
    }
}

fn kubernetes(kind: &'static str, name: &str, text: &str) -> Result<Target, String> {
    let (name, container) = match name.split_once("/container/") {
        Some((name, container)) => (name, Some(container)),
        None => (name, None),
    };
    // A label's key may have a prefix (`app.kubernetes.io/name=x`).
    let good = |part: &str| !part.is_empty() && (kind == "label" || !part.contains('/'));
    if !good(name) || container.is_some_and(|container| !good(container)) {
        return Err(format!(
            "`{text}` is not a target: write `{kind}/NAME[/container/NAME]`"
        ));
    }
    if kind == "label" {
        if let Some(wrong) = wrong_selector(name) {
            return Err(wrong);
        }
    } else if !is_kubernetes_name(name) {
        return Err(wrong_name(name));
    }
    if let Some(container) = container.filter(|container| !is_kubernetes_name(container)) {
        return Err(wrong_name(container));
    }
    let container = container.map(str::to_owned);
    Ok(Target::Kubernetes {
        kind,
        name: name.to_owned(),
        container,
    })
}

fn wrong_name(name: &str) -> String {
    format!("`{name}` is no name in Kubernetes: small letters, digits, `-` and `.` only")
}

/// The same text with the kind of target that was probably meant.
fn meant_kind(text: &str) -> Option<String> {
    let (kind, rest) = text.split_once('/')?;
    let known: Vec<&str> = ["process", "sandbox", "container"]
        .into_iter()
        .chain(KUBERNETES.iter().map(|(name, _)| *name))
        .collect();
    if known.contains(&kind) {
        return None;
    }
    // `pods/x`, as in kubectl, is nearest too.
    let meant = format!("{}/{rest}", nearest(&known, kind)?);
    meant.parse::<Target>().is_ok().then_some(meant)
}

/// Whether Kubernetes takes a name: letters, digits, `-` and `.`, all in small letters.
fn is_kubernetes_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || "-.".contains(c))
}

/// `app=x,tier=y`: what is wrong with it.
fn wrong_selector(selector: &str) -> Option<String> {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| edge(c) || "-_.".contains(c);
    let good = |part: &str| {
        part.len() <= 63
            && part.starts_with(edge)
            && part.ends_with(edge)
            && part.chars().all(inner)
    };
    for part in selector.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            return Some(format!("`{part}` is not a label: write `name=value`"));
        };
        let (prefix, name) = key.split_once('/').unwrap_or(("", key));
        if !good(name) || !(prefix.is_empty() || is_kubernetes_name(prefix)) {
            return Some(format!("`{key}` is not the name of a label"));
        }
        if !value.is_empty() && !good(value) {
            return Some(format!("`{value}` is not the value of a label"));
        }
    }
    None
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Targetless => f.write_str("targetless"),
            Target::Process(pid) => write!(f, "process/{pid}"),
            Target::Sandbox(name) => write!(f, "sandbox/{name}"),
            Target::Container(name) => write!(f, "container/{name}"),
            Target::Kubernetes {
                kind,
                name,
                container,
            } => {
                write!(f, "{kind}/{name}")?;
                container
                    .iter()
                    .try_for_each(|name| write!(f, "/container/{name}"))
            }
        }
    }
}

impl Kind for Target {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let whole = |message| (node.span.clone(), message);
        let parsed = match &node.value {
            Value::Text(text) => text.parse().map_err(whole),
            Value::Map(entries) => from_object(node, entries),
            _ => Err(whole(format!(
                "{} must be text, as `sandbox/default`",
                reader.name("")
            ))),
        };
        let (span, message) = match parsed {
            Ok(target) => return Some(target),
            Err(error) => error,
        };
        let meant = match &node.value {
            Value::Text(text) => meant_kind(text),
            _ => None,
        };
        let fix = meant
            .as_ref()
            .and_then(|meant| reader.renaming(&span, meant));
        let problem = reader.error(Code::BadTarget, &span, message);
        problem.help = meant.map(|meant| format!("did you mean `{meant}`?"));
        problem.fix = fix;
        None
    }

    fn from_env(text: &str, _: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|message| format!("a target ({message})"))
    }

    fn schema() -> Json {
        let objects: Vec<Json> = OBJECT_KEYS
            .iter()
            .map(|(kind, _)| {
                json!({
                    "type": "object",
                    "additionalProperties": false,
                    "required": [kind],
                    "properties": {
                        (*kind): { "type": "string" },
                        "container": { "type": "string" },
                    },
                })
            })
            .chain([json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["labels"],
                "properties": {
                    "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                    "container": { "type": "string" },
                },
            })])
            .collect();
        json!({ "anyOf": [{ "type": "string" }, { "anyOf": objects }] })
    }

    fn to_json(&self) -> Json {
        json!(self.to_string())
    }
}

group! {
    /// What to run inside of.
    pub struct TargetConfig {
        settings {
            /// `process/PID`, `sandbox/NAME`, `pod/NAME[/container/NAME]`, `deployment/NAME`, …
            "path" path: Option<Target> = None, env &["MIRRORD_IMPERSONATED_TARGET"];
            /// Namespace of a target in a cluster.
            "namespace" namespace: Option<String> = None, env &["MIRRORD_TARGET_NAMESPACE"];
        }
    }
}

impl Shorthand for TargetConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        let is_target = match &node.value {
            Value::Text(_) => true,
            // `{"pod": "name"}` in place of `{"path": {"pod": "name"}}`.
            Value::Map(_) => {
                let kinds = OBJECT_KEYS.iter().map(|(kind, _)| *kind).chain(["labels"]);
                node.get("path").is_none() && kinds.into_iter().any(|kind| node.get(kind).is_some())
            }
            _ => false,
        };
        if !is_target {
            return false;
        }
        if let Some(target) = Target::read(node, reader) {
            self.path = Setting {
                value: Some(target),
                origin: reader.origin(&node.span),
            };
        }
        true
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::String(_) => Some(json!({ "path": shorthand })),
            Json::Object(map) if !map.contains_key("path") && !map.contains_key("namespace") => {
                Some(json!({ "path": shorthand }))
            }
            _ => None,
        }
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["text as `sandbox/default`"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![Target::schema()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written_alike() {
        for text in [
            "targetless",
            "process/17",
            "sandbox/default",
            "container/db",
            "pod/bear",
            "pod/bear/container/app",
            "statefulset/x",
            "label/app.kubernetes.io/name=x,b=c/container/d",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!(
            "deploy/x".parse::<Target>().unwrap().to_string(),
            "deployment/x"
        );
        for text in [
            "",
            "bear",
            "pod/",
            "pod",
            "process/x",
            "process/0",
            "pod/a/b",
            "pod/a/container/",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
