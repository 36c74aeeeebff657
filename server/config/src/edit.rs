//! Changes of a configuration's text: a key is set, a value appended, a key removed, and comments
//! and style stay as they are. A text is only changed when reading it again gives exactly what was
//! wanted.

mod brackets;
mod comment;
mod create;
mod plan;
mod toml;
mod write;
mod yaml;

use serde_json::{Value as Json, json};
use thiserror::Error;

use crate::config::env::EnvConfig;
use crate::config::fs::FsConfig;
use crate::config::http_filter::HttpFilterConfig;
use crate::config::incoming::IncomingConfig;
use crate::config::network::{DnsConfig, NetworkConfig};
use crate::config::outgoing::OutgoingConfig;
use crate::config::target::TargetConfig;
use crate::group::Shorthand;
use crate::parse::{Format, parse};
use crate::problem::TextEdit;

pub use comment::commented;
pub use create::template;

/// What is to become of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It has this value.
    Set(Json),
    /// Its list has this value too, at the end.
    Append(Json),
    /// It goes, with the objects around it that have nothing else.
    Remove,
    /// This value goes from its list.
    RemoveItem(Json),
}

/// Why a text cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// It is not of its language, so nobody knows where to write.
    #[error("the file cannot be changed while it is wrong: {0}; mend that first")]
    Broken(String),
    /// There is a value of another kind where an object is needed.
    #[error("`{0}` is no object, so nothing can stand below it; change it by hand")]
    NotAnObject(String),
    /// The way that the text is written is not understood (a template, an alias).
    #[error("the way that this file is written does not allow the change; make it by hand")]
    Style,
}

/// The edits that make these changes, in the order of the text.
pub fn edit(
    text: &str,
    format: Format,
    changes: &[(&[&str], Change)],
) -> Result<Vec<TextEdit>, EditError> {
    let mut wanted = value_of(text, format)?;
    for (path, change) in changes {
        apply(&mut wanted, &mut Vec::new(), path, change)?;
    }
    let mut now = text.to_owned();
    // Each step makes one value as it should be.
    for _ in 0..1000 {
        let parsed = parse(&now, format).map_err(broken)?;
        if without_nothing(parsed.node.to_json()) == wanted {
            return Ok(difference(text, &now));
        }
        let next = match format {
            Format::Toml => toml::step(&now, &parsed.node, &wanted),
            Format::Json | Format::Yaml => plan::step(&now, format, &parsed.node, &wanted),
        };
        match next {
            Some(next) if next != now => now = next,
            _ => return Err(EditError::Style),
        }
    }
    Err(EditError::Style)
}

/// Sets one key.
pub fn set(
    text: &str,
    format: Format,
    path: &[&str],
    value: Json,
) -> Result<Vec<TextEdit>, EditError> {
    edit(text, format, &[(path, Change::Set(value))])
}

/// Removes one key.
pub fn remove(text: &str, format: Format, path: &[&str]) -> Result<Vec<TextEdit>, EditError> {
    edit(text, format, &[(path, Change::Remove)])
}

fn value_of(text: &str, format: Format) -> Result<Json, EditError> {
    let parsed = parse(text, format).map_err(broken)?;
    match without_nothing(parsed.node.to_json()) {
        Json::Null => Ok(json!({})),
        value => Ok(value),
    }
}

fn broken(errors: Vec<crate::parse::SyntaxError>) -> EditError {
    EditError::Broken(
        errors
            .into_iter()
            .next()
            .map_or_else(String::new, |error| error.message),
    )
}

/// `null` is as if the key were not there.
fn without_nothing(value: Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nothing(value)))
                .collect(),
        ),
        Json::Array(list) => list.into_iter().map(without_nothing).collect(),
        other => other,
    }
}

/// Makes a change in the value. `above` are the keys to this value.
fn apply(
    value: &mut Json,
    above: &mut Vec<String>,
    path: &[&str],
    change: &Change,
) -> Result<(), EditError> {
    let Some((key, rest)) = path.split_first() else {
        match change {
            Change::Set(new) => *value = without_nothing(new.clone()),
            Change::Append(new) => {
                let mut list = as_list(value);
                if !list.contains(new) {
                    list.push(new.clone());
                }
                *value = Json::Array(list);
            }
            Change::RemoveItem(old) => {
                let list = as_list(value);
                *value = list.into_iter().filter(|item| item != old).collect();
            }
            Change::Remove => *value = Json::Null,
        }
        return Ok(());
    };
    let takes_away = matches!(change, Change::Remove | Change::RemoveItem(_));
    if value.is_null() {
        *value = json!({});
    }
    if !value.is_object() {
        if takes_away {
            return Ok(());
        }
        let expanded = expanded(&above.join("."), value);
        *value = expanded.ok_or_else(|| EditError::NotAnObject(above.join(".")))?;
    } else if !takes_away && let Some(expanded) = expanded(&above.join("."), value) {
        *value = expanded;
    }
    let Json::Object(map) = value else {
        return Err(EditError::NotAnObject(above.join(".")));
    };
    if takes_away && !map.contains_key(*key) {
        return Ok(());
    }
    above.push((*key).to_owned());
    let inner = map.entry((*key).to_owned()).or_insert(Json::Null);
    apply(inner, above, rest, change)?;
    above.pop();
    let emptied = takes_away && (inner.is_null() || *inner == json!({}));
    if inner.is_null() || emptied {
        map.remove(*key);
    }
    Ok(())
}

/// One value stands for a list of one.
fn as_list(value: &Json) -> Vec<Json> {
    match value {
        Json::Null => Vec::new(),
        Json::Array(list) => list.clone(),
        one => vec![one.clone()],
    }
}

/// The object that says the same as a shorthand at this path.
fn expanded(path: &str, shorthand: &Json) -> Option<Json> {
    match path {
        "target" => TargetConfig::expanded(shorthand),
        "feature.env" => EnvConfig::expanded(shorthand),
        "feature.fs" => FsConfig::expanded(shorthand),
        "feature.network" => NetworkConfig::expanded(shorthand),
        "feature.network.incoming" => IncomingConfig::expanded(shorthand),
        "feature.network.incoming.http_filter" => HttpFilterConfig::expanded(shorthand),
        "feature.network.outgoing" => OutgoingConfig::expanded(shorthand),
        "feature.network.dns" => DnsConfig::expanded(shorthand),
        "feature.copy_target" => shorthand
            .is_boolean()
            .then(|| json!({ "enabled": shorthand })),
        _ => None,
    }
}

/// The part that differs, as one edit.
pub fn difference(old: &str, new: &str) -> Vec<TextEdit> {
    if old == new {
        return Vec::new();
    }
    let same = |pair: &(char, char)| pair.0 == pair.1;
    let front: usize = old
        .chars()
        .zip(new.chars())
        .take_while(same)
        .map(|(character, _)| character.len_utf8())
        .sum();
    let back: usize = old[front..]
        .chars()
        .rev()
        .zip(new[front..].chars().rev())
        .take_while(same)
        .map(|(character, _)| character.len_utf8())
        .sum();
    vec![TextEdit {
        span: front..old.len() - back,
        new_text: new[front..new.len() - back].to_owned(),
    }]
}

/// The first difference of two objects that can be mended by one step.
enum Step<'w> {
    /// The value at this path is another.
    Replace(Vec<String>, &'w Json),
    /// The object at this path lacks a key.
    Insert(Vec<String>, &'w str, &'w Json),
    /// The list at this path lacks its last value.
    Push(Vec<String>, &'w Json),
    /// The key at this path is too many.
    Delete(Vec<String>),
}

fn first_step<'w>(now: &Json, wanted: &'w Json, path: &mut Vec<String>) -> Option<Step<'w>> {
    match (now, wanted) {
        (Json::Object(now), Json::Object(wanted)) => {
            if let Some(key) = now.keys().find(|key| !wanted.contains_key(*key)) {
                path.push(key.clone());
                return Some(Step::Delete(path.clone()));
            }
            for (key, value) in wanted {
                let Some(now) = now.get(key) else {
                    return Some(Step::Insert(path.clone(), key, value));
                };
                path.push(key.clone());
                if let Some(step) = first_step(now, value, path) {
                    return Some(step);
                }
                path.pop();
            }
            None
        }
        (Json::Array(now), Json::Array(wanted))
            if wanted.len() > now.len() && !now.is_empty() && wanted.starts_with(now) =>
        {
            Some(Step::Push(path.clone(), &wanted[now.len()]))
        }
        (now, wanted) if now != wanted => Some(Step::Replace(path.clone(), wanted)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
