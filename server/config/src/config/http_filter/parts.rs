//! Single filters, as they stand in `all_of` and `any_of`.

use serde_json::{Value as Json, json};

use crate::group::unknown_name;
use crate::problem::Code;
use crate::reader::{Kind, Part, Reader};
use crate::setting::Setting;
use crate::tree::{Entry, Node, Value};

/// Values in a JSON body, and what they must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFilter {
    /// JSONPath (RFC 9535) of the values.
    pub query: Setting<String>,
    /// Regular expression that one of them must match.
    pub matches: Setting<String>,
}

/// One filter of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFilter {
    /// A regular expression for a header, as `name: value`.
    Header(Setting<String>),
    /// A regular expression for the path.
    Path(Setting<String>),
    /// A method.
    Method(Setting<String>),
    /// A `jq` program for headers.
    HeaderJq(Setting<String>),
    /// A body.
    Body(BodyFilter),
}

/// A list of filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFilters(pub Vec<Setting<RequestFilter>>);

const IN_A_FILE: &str = "written in a configuration file";
const BODY_KEYS: &[&str] = &["body", "query", "matches"];
const KEYS: &[&str] = &["header", "path", "method", "query", "body", "matches"];
const FORMS: &str = "one of `{\"header\": …}`, `{\"path\": …}`, `{\"method\": …}`, `{\"query\": …}` \
                     or `{\"body\": \"json\", \"query\": …, \"matches\": …}`";

impl Kind for BodyFilter {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.wrong_kind(node, "an object with `body`, `query` and `matches`");
            return None;
        };
        if !only(BODY_KEYS, entries, reader) {
            return None;
        }
        read_body(node, reader)
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err(IN_A_FILE.to_owned())
    }

    fn schema() -> Json {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": BODY_KEYS,
            "properties": {
                "body": { "const": "json", "description": "The kind of body; there is only this." },
                "query": { "type": "string", "description": "JSONPath of values in it." },
                "matches": {
                    "type": "string",
                    "description": "Regular expression that one of the values must match.",
                },
            },
        })
    }

    fn to_json(&self) -> Json {
        json!({ "body": "json", "query": self.query.value, "matches": self.matches.value })
    }

    fn parts(&self) -> Vec<Part> {
        let part = |name: &str, setting: &Setting<String>| Part {
            name: name.to_owned(),
            value: json!(setting.value),
            origin: setting.origin.clone(),
        };
        vec![part("query", &self.query), part("matches", &self.matches)]
    }
}

impl Kind for RequestFilter {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.wrong_kind(node, FORMS);
            return None;
        };
        if !only(KEYS, entries, reader) {
            return None;
        }
        if node.get("body").is_some() {
            return read_body(node, reader).map(RequestFilter::Body);
        }
        let [entry] = entries.as_slice() else {
            let name = reader.name("");
            let problem = reader.error(
                Code::BadFilter,
                &node.span,
                format!("{name} must be {FORMS}"),
            );
            problem.help = Some("write each filter as an object of its own".to_owned());
            return None;
        };
        let text = text_at(node, &entry.key, reader)?;
        match entry.key.as_str() {
            "header" => Some(RequestFilter::Header(text)),
            "path" => Some(RequestFilter::Path(text)),
            "method" => Some(RequestFilter::Method(text)),
            "query" => Some(RequestFilter::HeaderJq(text)),
            _ => {
                let message = format!("{} lacks `body` and `query`", reader.name(""));
                reader.error(Code::BadFilter, &node.span, message);
                None
            }
        }
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err(IN_A_FILE.to_owned())
    }

    fn schema() -> Json {
        let one = |key: &str, doc: &str| {
            json!({
                "type": "object",
                "additionalProperties": false,
                "required": [key],
                "properties": { key: { "type": "string", "description": doc } },
            })
        };
        json!({ "anyOf": [
            one("header", "Regular expression for a header, as `name: value`."),
            one("path", "Regular expression for the path, with or without its query."),
            one("method", "A method, as `GET`."),
            one("query", "A `jq` program for headers."),
            BodyFilter::schema(),
        ] })
    }

    fn to_json(&self) -> Json {
        match self {
            RequestFilter::Header(text) => json!({ "header": text.value }),
            RequestFilter::Path(text) => json!({ "path": text.value }),
            RequestFilter::Method(text) => json!({ "method": text.value }),
            RequestFilter::HeaderJq(text) => json!({ "query": text.value }),
            RequestFilter::Body(body) => body.to_json(),
        }
    }
}

impl Kind for RequestFilters {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::List(nodes) = &node.value else {
            reader.wrong_kind(node, "a list of filters");
            return None;
        };
        let filters: Vec<_> = nodes
            .iter()
            .map(|node| {
                RequestFilter::read(node, reader).map(|value| Setting {
                    value,
                    origin: reader.origin(&node.span),
                })
            })
            .collect();
        filters
            .into_iter()
            .collect::<Option<_>>()
            .map(RequestFilters)
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err(IN_A_FILE.to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "array", "minItems": 1, "items": RequestFilter::schema() })
    }

    fn to_json(&self) -> Json {
        self.0.iter().map(|filter| filter.value.to_json()).collect()
    }

    fn parts(&self) -> Vec<Part> {
        let parts = self.0.iter().enumerate().map(|(index, filter)| Part {
            name: index.to_string(),
            value: filter.value.to_json(),
            origin: filter.origin.clone(),
        });
        parts.collect()
    }
}

fn only(known: &[&str], entries: &[Entry], reader: &mut Reader) -> bool {
    let mut good = true;
    for entry in entries
        .iter()
        .filter(|entry| !known.contains(&entry.key.as_str()))
    {
        unknown_name(known, &entry.key, &entry.key_span, reader);
        good = false;
    }
    good
}

fn read_body(node: &Node, reader: &mut Reader) -> Option<BodyFilter> {
    match node.get("body") {
        Some(body) if body.value == Value::Text("json".to_owned()) => {}
        Some(body) => {
            let message = format!("{} must be `json`", reader.name("body"));
            let fix = reader.replacing(&body.span, |_| "\"json\"".to_owned());
            reader.error(Code::UnknownValue, &body.span, message).fix = fix;
        }
        None => missing("body", node, reader),
    }
    let (query, matches) = (
        text_at(node, "query", reader),
        text_at(node, "matches", reader),
    );
    Some(BodyFilter {
        query: query?,
        matches: matches?,
    })
}

fn text_at(node: &Node, key: &str, reader: &mut Reader) -> Option<Setting<String>> {
    let Some(inner) = node.get(key) else {
        missing(key, node, reader);
        return None;
    };
    reader.path.push(key.to_owned());
    let value = String::read(inner, reader);
    reader.path.pop();
    Some(Setting {
        value: value?,
        origin: reader.origin(&inner.span),
    })
}

fn missing(key: &str, node: &Node, reader: &mut Reader) {
    let message = format!("{} lacks `{key}`", reader.name(""));
    reader.error(Code::Missing, &node.span, message);
}
