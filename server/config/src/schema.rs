//! What editors need to know about the keys: the JSON Schema, and texts for hovers.

use std::sync::OnceLock;

use serde_json::{Map, Value as Json, json};

use crate::config::Config;
use crate::group::{Group, KeyInfo, Status};

/// The JSON Schema of a configuration.
pub fn json_schema() -> Json {
    let mut schema = object(keys());
    if let Json::Object(root) = &mut schema {
        root.insert(
            "$schema".into(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        root.insert("title".into(), json!("mirrord configuration"));
        let properties = root.get_mut("properties").and_then(Json::as_object_mut);
        if let Some(properties) = properties {
            properties.insert("$schema".into(), json!({ "type": "string" }));
        }
    }
    schema
}

/// All keys of the configuration.
pub fn keys() -> &'static [KeyInfo] {
    static KEYS: OnceLock<Vec<KeyInfo>> = OnceLock::new();
    KEYS.get_or_init(Config::keys)
}

/// The key at a path: `["feature", "fs", "mode"]`.
pub fn find(path: &[&str]) -> Option<&'static KeyInfo> {
    KeyInfo::find(keys(), path)
}

/// What a key means, for a hover: `["feature", "fs", "mode"]`.
pub fn hover(path: &[&str]) -> Option<String> {
    let key = find(path)?;
    let mut text = format!("**{}**\n\n{}", path.join("."), documentation(key));
    if !key.words.is_empty() {
        text.push('\n');
        for word in &key.words {
            text.push_str(&format!("\n- `{}`: {}", word.word, word.doc));
        }
    }
    if !key.default.is_null() {
        text.push_str(&format!("\n\nDefault: `{}`", key.default));
    }
    if let [name, ..] = key.env {
        text.push_str(&format!("\n\nEnvironment: `{name}`"));
    }
    Some(text)
}

/// The paths of all keys with this name.
pub(crate) fn paths_ending_in(name: &str) -> Vec<String> {
    fn collect(keys: &[KeyInfo], above: &str, name: &str, found: &mut Vec<String>) {
        for key in keys {
            let path = format!("{above}{}", key.name);
            if let Some(children) = &key.children {
                collect(children, &format!("{path}."), name, found);
            }
            if key.name == name {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(keys(), "", name, &mut found);
    found
}

fn object(keys: &[KeyInfo]) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

pub(crate) fn property(key: &KeyInfo) -> Json {
    let mut forms = match (&key.children, &key.schema) {
        (Some(children), Json::Array(shorthands)) => {
            [&[object(children)][..], shorthands.as_slice()].concat()
        }
        (_, schema) => match schema.get("anyOf").and_then(Json::as_array) {
            Some(forms) => forms.clone(),
            None => vec![schema.clone()],
        },
    };
    // `null` is as if the key were not there; `{}` allows it already.
    if !forms.contains(&json!({})) {
        forms.push(json!({ "type": "null" }));
    }
    let mut property = Map::new();
    property.insert("description".into(), json!(documentation(key)));
    match forms.as_slice() {
        [Json::Object(only)] => property.extend(only.clone()),
        _ => {
            property.insert("anyOf".into(), Json::Array(forms));
        }
    }
    if !key.default.is_null() {
        property.insert("default".into(), key.default.clone());
    }
    if matches!(key.status, Status::NotNeeded(_) | Status::Deprecated { .. }) {
        property.insert("deprecated".into(), json!(true));
    }
    Json::Object(property)
}

/// What it means, and what is not done.
fn documentation(key: &KeyInfo) -> String {
    match key.status.sentence() {
        None => key.doc.clone(),
        Some(sentence) => format!("{} ({sentence})", key.doc),
    }
}
