//! `target`: what to run inside of.

mod object;

use mirrord_target::{Kind as ClusterKind, LOCAL_KINDS};
use serde_json::{Value as Json, json};

pub use mirrord_target::Target;
use object::{OBJECT_KEYS, from_object};

use crate::group::{Shorthand, group, nearest};
use crate::problem::Code;
use crate::reader::{Kind, Reader};
use crate::setting::Setting;
use crate::tree::{Node, Value};

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

fn read(text: &str) -> Result<Target, String> {
    text.parse()
        .map_err(|error: mirrord_target::TargetError| error.to_string())
}

/// The same text with the kind of target that was probably meant.
fn meant_kind(text: &str) -> Option<String> {
    let (kind, rest) = text.split_once('/')?;
    let known: Vec<&str> = LOCAL_KINDS
        .into_iter()
        .chain(ClusterKind::ALL.into_iter().map(ClusterKind::name))
        .chain(["deploy"])
        .collect();
    if known.contains(&kind) {
        return None;
    }
    // `pods/x`, as in kubectl, is nearest too.
    let meant = format!("{}/{rest}", nearest(&known, kind)?);
    meant.parse::<Target>().is_ok().then_some(meant)
}

impl Kind for Target {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let whole = |message| (node.span.clone(), message);
        let parsed = match &node.value {
            Value::Text(text) => read(text).map_err(whole),
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
        read(text).map_err(|message| format!("a target ({message})"))
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
