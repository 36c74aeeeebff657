//! The environment inside a raw configuration: reading a variable, and what it becomes when some
//! are set and unset, in whatever shape an adapter wants it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::adapter::{Adapter, Shape};

/// A variable's value; a word without a value has none.
type Entry = (String, Option<String>);

/// A variable's value in `present`, in any shape. As in the environment, the last one counts.
pub(crate) fn get(present: Option<&Value>, name: &str) -> Option<String> {
    let found = entries(present)
        .into_iter()
        .rfind(|(known, _)| known == name);
    found?.1
}

/// What stands there in place of `present`. A shape that the adapter would not read becomes the
/// one that it reads: what the user wrote there is served too.
pub(crate) fn changed(
    adapter: &Adapter,
    present: Option<&Value>,
    set: &BTreeMap<String, String>,
    unset: &[String],
) -> Value {
    let ours = |name: &str| set.contains_key(name) || unset.iter().any(|gone| gone == name);
    let kept = entries(present).into_iter().filter(|(name, _)| !ours(name));
    let gone = unset.iter().filter(|_| adapter.null_unsets);
    let new = set
        .iter()
        .map(|(name, value)| (name.clone(), Some(value.clone())));
    let all = kept.chain(gone.map(|name| (name.clone(), None))).chain(new);
    match adapter.shape {
        Shape::Object => {
            let mut members: Map<String, Value> = match present {
                // Values that are no texts (numbers, null) stay as they are.
                Some(Value::Object(members)) => members.clone(),
                _ => Map::new(),
            };
            members.retain(|name, _| !ours(name));
            for (name, value) in all {
                members
                    .entry(name)
                    .or_insert_with(|| value.map_or(Value::Null, Value::String));
            }
            members.into()
        }
        Shape::Words => all
            .map(|(name, value)| match value {
                Some(value) => json!(format!("{name}={value}")),
                // Taken from the debugger's own environment.
                None => json!(name),
            })
            .collect(),
        Shape::Pairs => all
            .filter_map(|(name, value)| Some(json!({"name": name, "value": value?})))
            .collect(),
    }
}

fn entries(present: Option<&Value>) -> Vec<Entry> {
    match present {
        Some(Value::Object(members)) => members
            .iter()
            .filter(|(name, _)| !name.contains('='))
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        Some(Value::Array(items)) => items.iter().filter_map(entry).collect(),
        _ => Vec::new(),
    }
}

fn entry(item: &Value) -> Option<Entry> {
    match item {
        Value::String(word) => Some(match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.clone(), None),
        }),
        Value::Object(pair) => {
            let name = pair.get("name")?.as_str()?.to_owned();
            // No variable has such a name, and as a word it would become another one.
            (!name.contains('=')).then(|| (name, pair.get("value").and_then(text)))
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
