//! Keys of mirrord's configuration that we recognise and do not serve: what may be written there,
//! so that a mistyped key or value is told there too. The keys themselves are in the files below.

mod operator;
mod tools;

use serde_json::{Map, Value as Json, json};

pub(crate) use operator::{CI, COPY_TARGET, PREVIEW};
pub(crate) use tools::{
    CONTAINER, EXPERIMENTAL, EXTERNAL_PROXY, INTERNAL_PROXY, STARTUP_RETRY, TLS_DELIVERY,
};

use crate::group::{KeyInfo, Status, Word, paragraph, unknown_name, wrong_word};
use crate::problem::{Code, Problem};
use crate::reader::Reader;
use crate::tree::{Node, Value};

/// What may be written.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// Text.
    Text,
    /// An address.
    Address,
    /// A whole number up to this one.
    Number(u64),
    /// A whole number up to this one, or one of these words.
    NumberOr(u64, &'static [Word]),
    /// One of these words.
    Words(&'static [Word]),
    /// A list of texts.
    TextList,
    /// Text or a list of texts.
    Texts,
    /// Names and texts.
    TextMap,
    /// Anything; mirrord itself checks it.
    Any,
    /// An object.
    Object,
    /// A list of anything, or an object.
    ListOrObject,
    /// Only these keys.
    Keys(&'static [Key]),
    /// `true`, `false` or only these keys.
    Toggle(&'static [Key]),
    /// Text or only these keys.
    TextOr(&'static [Key]),
    /// A list of objects with these keys.
    ListOf(&'static [Key]),
}

/// A key below an unserved one.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    name: &'static str,
    doc: &'static str,
    shape: Shape,
    /// Its own, when it is not that of the key above.
    status: Option<Status>,
    env: &'static [&'static str],
}

/// A key with the same status as the one above it.
pub(crate) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key {
        name,
        doc,
        shape,
        status: None,
        env: &[],
    }
}

impl Key {
    const fn env(mut self, env: &'static [&'static str]) -> Self {
        self.env = env;
        self
    }

    const fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }
}

/// The largest numbers of mirrord's own types.
pub(crate) const U32: Shape = Shape::Number(u32::MAX as u64);
pub(crate) const U64: Shape = Shape::Number(i64::MAX as u64);

impl Shape {
    /// Whether a value is of this shape; the reader gets a problem when not.
    pub(crate) fn check(&self, node: &Node, reader: &mut Reader) -> bool {
        let all_text = |list: &[Node]| list.iter().all(|node| matches!(node.value, Value::Text(_)));
        let (fits, expected) = match (self, &node.value) {
            (_, Value::Null) | (Shape::Any, _) => (true, ""),
            (Shape::Bool, value) => (matches!(value, Value::Bool(_)), "`true` or `false`"),
            (Shape::Text, value) => (matches!(value, Value::Text(_)), "text"),
            (Shape::Address, Value::Text(text)) => {
                let fits = text.parse::<std::net::IpAddr>().is_ok();
                (fits, "an address, as `192.168.1.7`")
            }
            (Shape::Address, _) => (false, "an address, as `192.168.1.7`"),
            (Shape::Number(most) | Shape::NumberOr(most, _), Value::Integer(number)) => {
                if u64::try_from(*number).is_ok_and(|number| number <= *most) {
                    return true;
                }
                let name = reader.name("");
                let message = format!("{name} must be a number from 0 to {most}, not {number}");
                reader.error(Code::OutOfRange, &node.span, message);
                return false;
            }
            (Shape::Number(_), _) => (false, "a whole number"),
            (Shape::Words(words) | Shape::NumberOr(_, words), Value::Text(text)) => {
                let fits = words.iter().any(|word| word.word == text);
                if !fits {
                    wrong_word(words, node, reader);
                }
                return fits;
            }
            (Shape::NumberOr(..), _) => (false, "a whole number or a word"),
            (Shape::Words(_), _) => (false, "text"),
            (Shape::TextList | Shape::Texts, Value::List(list)) => {
                (all_text(list), "a list of texts")
            }
            (Shape::TextList, _) => (false, "a list of texts"),
            (Shape::Texts, value) => (matches!(value, Value::Text(_)), "text, or a list of texts"),
            (Shape::TextMap, Value::Map(entries)) => {
                let text = |value: &Value| matches!(value, Value::Text(_));
                let fits = entries.iter().all(|entry| text(&entry.value.value));
                (fits, "an object of names and texts")
            }
            (Shape::TextMap, _) => (false, "an object of names and texts"),
            (Shape::Object, value) => (matches!(value, Value::Map(_)), "an object"),
            (Shape::ListOrObject, value) => (
                matches!(value, Value::Map(_) | Value::List(_)),
                "a list or an object",
            ),
            (Shape::Toggle(_), Value::Bool(_)) | (Shape::TextOr(_), Value::Text(_)) => (true, ""),
            (Shape::Keys(keys) | Shape::Toggle(keys) | Shape::TextOr(keys), Value::Map(_)) => {
                return check_keys(keys, node, reader);
            }
            (Shape::ListOf(keys), Value::List(list)) => {
                let good: Vec<bool> = list
                    .iter()
                    .map(|node| match &node.value {
                        Value::Map(_) => check_keys(keys, node, reader),
                        _ => {
                            reader.wrong_kind(node, "an object");
                            false
                        }
                    })
                    .collect();
                return good.into_iter().all(|good| good);
            }
            (Shape::Keys(_), _) => (false, "an object"),
            (Shape::Toggle(_), _) => (false, "`true`, `false` or an object"),
            (Shape::TextOr(_), _) => (false, "text or an object"),
            (Shape::ListOf(_), _) => (false, "a list of objects"),
        };
        if !fits {
            reader.wrong_kind(node, expected);
        }
        fits
    }

    /// As JSON Schema, without the keys below it.
    pub(crate) fn schema(&self) -> Json {
        let words = |words: &[Word]| -> Vec<&str> { words.iter().map(|word| word.word).collect() };
        match self {
            Shape::Bool => json!({ "type": "boolean" }),
            Shape::Text => json!({ "type": "string" }),
            Shape::Address => {
                json!({ "anyOf": [{ "type": "string", "format": "ipv4" }, { "type": "string", "format": "ipv6" }] })
            }
            Shape::Number(most) => json!({ "type": "integer", "minimum": 0, "maximum": most }),
            Shape::NumberOr(most, list) => json!({ "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": most },
                { "enum": words(list) },
            ] }),
            Shape::Words(list) => json!({ "enum": words(list) }),
            Shape::TextList => json!({ "type": "array", "items": { "type": "string" } }),
            Shape::Texts => json!({ "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ] }),
            Shape::TextMap => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Shape::Any => json!({}),
            Shape::Object => json!({ "type": "object" }),
            Shape::ListOrObject => json!({ "anyOf": [{ "type": "array" }, { "type": "object" }] }),
            Shape::Keys(_) => json!([]),
            Shape::Toggle(_) => json!([{ "type": "boolean" }]),
            Shape::TextOr(_) => json!([{ "type": "string" }]),
            Shape::ListOf(keys) => {
                let names: Map<String, Json> = keys
                    .iter()
                    .map(|key| {
                        let info = key.info(Status::Served);
                        (key.name.to_owned(), crate::schema::property(&info))
                    })
                    .collect();
                json!({ "type": "array", "items": {
                    "type": "object", "additionalProperties": false, "properties": names,
                } })
            }
        }
    }

    fn words(&self) -> Vec<Word> {
        match self {
            Shape::Words(words) | Shape::NumberOr(_, words) => words.to_vec(),
            _ => Vec::new(),
        }
    }

    fn keys(&self) -> Option<&'static [Key]> {
        match self {
            Shape::Keys(keys) | Shape::Toggle(keys) | Shape::TextOr(keys) => Some(keys),
            _ => None,
        }
    }
}

fn check_keys(keys: &[Key], node: &Node, reader: &mut Reader) -> bool {
    let Value::Map(entries) = &node.value else {
        return true;
    };
    let mut good = true;
    for entry in entries {
        let Some(key) = keys.iter().find(|key| key.name == entry.key) else {
            let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
            unknown_name(&names, &entry.key, &entry.key_span, reader);
            good = false;
            continue;
        };
        match key.status {
            Some(status) => {
                let (name, shape) = (&entry.key, &key.shape);
                let span = &entry.key_span;
                crate::group::read_unserved(name, span, &entry.value, shape, status, reader);
            }
            None => {
                reader.path.push(entry.key.clone());
                good &= key.shape.check(&entry.value, reader);
                reader.path.pop();
            }
        }
    }
    good
}

impl Key {
    fn info(&self, above: Status) -> KeyInfo {
        let status = self.status.unwrap_or(above);
        key_info(self.name, self.doc, &self.shape, status, self.env)
    }
}

/// What is known of an unserved key.
pub(crate) fn key_info(
    name: &'static str,
    doc: &str,
    shape: &Shape,
    status: Status,
    env: &'static [&'static str],
) -> KeyInfo {
    let children = shape.keys();
    KeyInfo {
        name,
        doc: paragraph(doc),
        schema: shape.schema(),
        default: Json::Null,
        env,
        status,
        words: shape.words(),
        children: children.map(|keys| keys.iter().map(|key| key.info(status)).collect()),
    }
}

/// Warns about variables that ask for something that is not served.
pub(crate) fn read_env(
    name: &str,
    shape: &Shape,
    status: Status,
    env: &[&str],
    reader: &mut Reader,
) {
    for variable in env {
        let asks = reader
            .env
            .get(*variable)
            .is_some_and(|text| !matches!(text.as_str(), "" | "false"));
        if let (true, Some(sentence), Some((severity, code))) =
            (asks, status.sentence(), status.report())
        {
            let message = format!(
                "environment variable {variable} (for {}): {sentence}",
                reader.name(name)
            );
            let problem = Problem::error(code, message);

            reader.problems.push(Problem {
                severity,
                ..problem
            });
        }
    }
    reader.path.push(name.to_owned());
    for key in shape.keys().unwrap_or_default() {
        let status = key.status.unwrap_or(status);
        read_env(key.name, &key.shape, status, key.env, reader);
    }
    reader.path.pop();
}
