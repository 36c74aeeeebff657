//! The kinds of values that settings have: plain ones, lists that may be written as one value, and
//! pairs.

use serde_json::{Value as Json, json};

use crate::group::Word;
use crate::problem::Code;
use crate::reader::{Kind, Part, Reader};
use crate::setting::{Origin, Setting};
use crate::tree::{Node, Value};

impl Kind for bool {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                let word = match &node.value {
                    Value::Text(text) => match text.to_lowercase().as_str() {
                        "true" | "yes" | "on" => Some("true"),
                        "false" | "no" | "off" => Some("false"),
                        _ => None,
                    },
                    _ => None,
                };
                let fix = word.and_then(|word| reader.replacing(&node.span, |_| word.to_owned()));
                reader.wrong_kind(node, "`true` or `false`").fix = fix;
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
            Value::Integer(value) => {
                let name = reader.name("");
                let message =
                    format!("{name} must be a port (a number from 0 to 65535), not {value}");
                reader.error(Code::OutOfRange, &node.span, message);
                None
            }
            _ => {
                let digits =
                    matches!(&node.value, Value::Text(text) if text.parse::<u16>().is_ok());
                let fix = match digits {
                    true => reader.replacing(&node.span, |written| {
                        written.trim_matches(['"', '\'']).to_owned()
                    }),
                    false => None,
                };
                reader
                    .wrong_kind(node, "a port (a number from 0 to 65535)")
                    .fix = fix;
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
                let fix = reader.replacing(&node.span, |written| format!("\"{written}\""));
                let problem = reader.wrong_kind(node, "text");
                problem.help = Some("put it in quotation marks".to_owned());
                problem.fix = fix;
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

    fn words() -> Vec<Word> {
        T::words()
    }

    fn parts(&self) -> Vec<Part> {
        self.as_ref().map(Kind::parts).unwrap_or_default()
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

    fn words() -> Vec<Word> {
        T::words()
    }

    fn parts(&self) -> Vec<Part> {
        let parts = self.0.iter().enumerate().map(|(index, setting)| Part {
            name: index.to_string(),
            value: setting.value.to_json(),
            origin: setting.origin.clone(),
        });
        parts.collect()
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

    fn parts(&self) -> Vec<Part> {
        let parts = self.0.iter().map(|(key, value)| Part {
            name: key.value.clone(),
            value: json!(value.value),
            origin: value.origin.clone(),
        });
        parts.collect()
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
                    reader.error(Code::Conflict, &node.span, message);
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
