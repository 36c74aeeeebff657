//! Reading values of the tree into settings: the context that collects problems, and the kinds of
//! values.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::problem::{Place, Problem, Severity, SourceFile};
use crate::setting::{Origin, Setting};
use crate::template::Rendered;
use crate::tree::{Node, Span, Value};

/// What reading needs and leaves behind.
pub struct Reader {
    /// Environment of the caller.
    pub(crate) env: HashMap<String, String>,
    /// The file, as its author wrote it, and what it was rendered to.
    pub(crate) source: Option<(Arc<SourceFile>, Rendered)>,
    /// Everything wrong so far.
    pub(crate) problems: Vec<Problem>,
    /// Keys from the root to what is being read.
    pub(crate) path: Vec<String>,
}

impl Reader {
    /// The path of a key below what is being read, as `feature.fs.mode`.
    pub(crate) fn name(&self, key: &str) -> String {
        let mut path = self.path.clone();
        if !key.is_empty() {
            path.push(key.to_owned());
        }
        if path.is_empty() {
            "the configuration".to_owned()
        } else {
            path.join(".")
        }
    }

    /// Where a value comes from.
    pub(crate) fn origin(&self, span: &Span) -> Origin {
        let Some((file, rendered)) = &self.source else {
            return Origin::Default;
        };
        match rendered.source(span) {
            Some((span, false)) => Origin::File(Place {
                file: file.clone(),
                span,
            }),
            Some((span, true)) => Origin::Template(Place {
                file: file.clone(),
                span,
            }),
            // The rendered text stands in for the file then, see `load`.
            None => Origin::Template(Place {
                file: file.clone(),
                span: span.clone(),
            }),
        }
    }

    pub(crate) fn error(&mut self, span: &Span, message: String, help: Option<String>) {
        self.problem(Severity::Error, span, message, help);
    }

    pub(crate) fn warning(&mut self, span: &Span, message: String, help: Option<String>) {
        self.problem(Severity::Warning, span, message, help);
    }

    fn problem(&mut self, severity: Severity, span: &Span, message: String, help: Option<String>) {
        let place = self.origin(span).place().cloned();
        self.problems.push(Problem {
            severity,
            message,
            place,
            help,
        });
    }

    pub(crate) fn wrong_kind(&mut self, node: &Node, expected: &str) {
        let message = format!("{} must be {expected}, not {}", self.name(""), node.kind());
        self.error(&node.span, message, None);
    }

    /// Reads one setting in place, below `key`.
    pub(crate) fn setting<T: Kind>(&mut self, key: &str, node: &Node, setting: &mut Setting<T>) {
        if node.value == Value::Null {
            return;
        }
        self.path.push(key.to_owned());
        if let Some(value) = T::read(node, self) {
            *setting = Setting {
                value,
                origin: self.origin(&node.span),
            };
        }
        self.path.pop();
    }

    /// Takes a setting from the first of these variables that is set.
    pub(crate) fn overrule<T: Kind>(
        &mut self,
        key: &str,
        names: &[&'static str],
        setting: &mut Setting<T>,
    ) {
        for name in names {
            let Some(text) = self.env.get(*name).cloned() else {
                continue;
            };
            match T::from_env(&text, name) {
                Ok(value) => {
                    *setting = Setting {
                        value,
                        origin: Origin::Env((*name).to_owned()),
                    };
                }
                Err(expected) => self.problems.push(Problem {
                    severity: Severity::Error,
                    message: format!(
                        "environment variable {name}=`{text}` (for {}) must be {expected}",
                        self.name(key)
                    ),
                    place: None,
                    help: Some(format!("set {name} to such a value, or unset it")),
                }),
            }
            return;
        }
    }
}

/// A kind of value that a setting can have.
pub trait Kind: Sized {
    /// Reads a value; on trouble the reader gets a problem.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
    /// Reads an environment variable; the error is what is expected.
    fn from_env(text: &str, name: &str) -> Result<Self, String>;
    /// JSON Schema of what can be written in a file.
    fn schema() -> Json;
    /// The value as it would be written, for defaults.
    fn to_json(&self) -> Json;
}

impl Kind for bool {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                reader.wrong_kind(node, "`true` or `false`");
                None
            }
        }
    }

    fn from_env(text: &str, _: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "`true` or `false`".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn to_json(&self) -> Json {
        json!(self)
    }
}

impl Kind for u64 {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node.value {
            Value::Integer(value) if value >= 0 => Some(value as u64),
            _ => {
                reader.wrong_kind(node, "a whole number, zero or more");
                None
            }
        }
    }

    fn from_env(text: &str, _: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "a whole number, zero or more".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 0 })
    }

    fn to_json(&self) -> Json {
        json!(self)
    }
}

impl Kind for u16 {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node.value {
            Value::Integer(value) if u16::try_from(value).is_ok() => u16::try_from(value).ok(),
            _ => {
                reader.wrong_kind(node, "a port (a number from 0 to 65535)");
                None
            }
        }
    }

    fn from_env(text: &str, _: &str) -> Result<Self, String> {
        text.trim()
            .parse()
            .map_err(|_| "a port (a number from 0 to 65535)".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 0, "maximum": 65535 })
    }

    fn to_json(&self) -> Json {
        json!(self)
    }
}

impl Kind for String {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                let message = format!("{} must be text, not {}", reader.name(""), node.kind());
                let help = "put it in quotation marks".to_owned();
                reader.error(&node.span, message, Some(help));
                None
            }
            _ => {
                reader.wrong_kind(node, "text");
                None
            }
        }
    }

    fn from_env(text: &str, _: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }

    fn to_json(&self) -> Json {
        json!(self)
    }
}

/// Something that may be left out.
impl<T: Kind> Kind for Option<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::read(node, reader).map(Some)
    }

    fn from_env(text: &str, name: &str) -> Result<Self, String> {
        T::from_env(text, name).map(Some)
    }

    fn schema() -> Json {
        T::schema()
    }

    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, Kind::to_json)
    }
}

/// One value or a list of them; in an environment variable, separated by `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(pub Vec<Setting<T>>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Many(Vec::new())
    }
}

impl<T: Clone> Many<T> {
    /// The values alone.
    pub fn values(&self) -> Vec<T> {
        self.0.iter().map(|setting| setting.value.clone()).collect()
    }
}

impl<T: Kind> Kind for Many<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let read = |node: &Node, reader: &mut Reader| {
            T::read(node, reader).map(|value| Setting {
                value,
                origin: reader.origin(&node.span),
            })
        };
        // All of them, so that each wrong one is told.
        let values: Vec<_> = nodes.iter().map(|node| read(node, reader)).collect();
        values.into_iter().collect::<Option<Vec<_>>>().map(Many)
    }

    fn from_env(text: &str, name: &str) -> Result<Self, String> {
        let origin = Origin::Env(name.to_owned());
        text.split(';')
            .map(|part| {
                T::from_env(part, name).map(|value| Setting {
                    value,
                    origin: origin.clone(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Many)
    }

    fn schema() -> Json {
        json!({ "anyOf": [T::schema(), { "type": "array", "items": T::schema() }] })
    }

    fn to_json(&self) -> Json {
        self.0
            .iter()
            .map(|setting| setting.value.to_json())
            .collect()
    }
}

/// Names and texts, in the order they were written in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(Setting<String>, Setting<String>)>);

impl Pairs {
    /// The texts alone.
    pub fn values(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .map(|(key, value)| (key.value.clone(), value.value.clone()))
            .collect()
    }
}

impl Kind for Pairs {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.wrong_kind(node, "an object of names and texts");
            return None;
        };
        let mut pairs = Vec::new();
        let mut good = true;
        for entry in entries {
            reader.path.push(entry.key.clone());
            match String::read(&entry.value, reader) {
                Some(value) => pairs.push((
                    Setting {
                        value: entry.key.clone(),
                        origin: reader.origin(&entry.key_span),
                    },
                    Setting {
                        value,
                        origin: reader.origin(&entry.value.span),
                    },
                )),
                None => good = false,
            }
            reader.path.pop();
        }
        good.then_some(Pairs(pairs))
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err("written in a configuration file".to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": { "type": "string" } })
    }

    fn to_json(&self) -> Json {
        let map = self
            .0
            .iter()
            .map(|(key, value)| (key.value.clone(), json!(value.value)));
        Json::Object(map.collect())
    }
}

/// Whether anything was given; what, is not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given(pub bool);

impl Kind for Given {
    fn read(_: &Node, _: &mut Reader) -> Option<Self> {
        Some(Given(true))
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err("written in a configuration file".to_owned())
    }

    fn schema() -> Json {
        json!({})
    }

    fn to_json(&self) -> Json {
        Json::Null
    }
}

/// Pairs of ports: `[[9333, 80]]`. No port twice on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortPairs(pub Vec<(u16, u16)>);

impl Kind for PortPairs {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::List(nodes) = &node.value else {
            reader.wrong_kind(node, "a list of pairs of ports, as `[[9333, 80]]`");
            return None;
        };
        let mut pairs: Vec<(u16, u16)> = Vec::new();
        let before = reader.problems.len();
        for node in nodes {
            let pair = match &node.value {
                Value::List(pair) if pair.len() == 2 => pair,
                _ => {
                    reader.wrong_kind(node, "a list of pairs of ports, as `[[9333, 80]]`");
                    continue;
                }
            };
            let (Some(from), Some(to)) = (u16::read(&pair[0], reader), u16::read(&pair[1], reader))
            else {
                continue;
            };
            for (side, node, twice) in [
                (
                    "on the left",
                    &pair[0],
                    pairs.iter().any(|pair| pair.0 == from),
                ),
                (
                    "on the right",
                    &pair[1],
                    pairs.iter().any(|pair| pair.1 == to),
                ),
            ] {
                if twice {
                    let message = format!("{}: this port stands {side} twice", reader.name(""));
                    reader.error(&node.span, message, None);
                }
            }
            pairs.push((from, to));
        }
        (reader.problems.len() == before).then_some(PortPairs(pairs))
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err("written in a configuration file".to_owned())
    }

    fn schema() -> Json {
        let pair = json!({ "type": "array", "items": u16::schema(), "minItems": 2, "maxItems": 2 });
        json!({ "type": "array", "items": pair })
    }

    fn to_json(&self) -> Json {
        json!(self.0)
    }
}

/// The part of a file that a part of a text stands in, when the text was written plainly (without
/// escapes), or all of it.
pub(crate) fn inner_place(setting: &Setting<String>, inner: &Range<usize>) -> Option<Place> {
    let place = setting.origin.place()?.clone();
    if matches!(setting.origin, Origin::Template(_)) {
        return Some(place);
    }
    let written = place.file.text.get(place.span.clone())?;
    match written.find(&setting.value) {
        Some(at) if !setting.value.is_empty() => {
            let start = place.span.start + at + inner.start;
            let end = place.span.start + at + inner.end.max(inner.start + 1);
            Some(Place {
                span: start..end.min(place.span.end),
                ..place
            })
        }
        _ => Some(place),
    }
}
