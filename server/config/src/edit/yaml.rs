//! YAML's blocks: keys and values by lines and indentation.

use serde_json::Value as Json;

use super::write;
use crate::tree::{Entry, Node, Value};

/// A key more in a block.
pub(super) fn insert(text: &str, object: &Node, key: &str, value: &Json) -> Option<String> {
    let Value::Map(entries) = &object.value else {
        return None;
    };
    let column = column(text, entries.first()?.key_span.start);
    let at = line_end(text, end_of_entry(text, entries.last()?));
    let line = format!(
        "\n{}{}:{}",
        " ".repeat(column),
        write::yaml_text(key),
        write::yaml(value, column)
    );
    let mut edited = text.to_owned();
    edited.insert_str(at, &line);
    Some(edited)
}

/// An item more in a block list.
pub(super) fn push(text: &str, list: &Node, value: &Json) -> Option<String> {
    let Value::List(items) = &list.value else {
        return None;
    };
    let (first, last) = (items.first()?, items.last()?);
    let dash = text[..first.span.start].rfind('-')?;
    let column = column(text, dash);
    let at = line_end(text, end_of(text, last));
    let item = match value {
        Json::String(text) => write::yaml_text(text),
        other => write::flat(other),
    };
    let mut edited = text.to_owned();
    edited.insert_str(at, &format!("\n{}- {item}", " ".repeat(column)));
    Some(edited)
}

/// Another value behind a key.
pub(super) fn replace(text: &str, entry: &Entry, value: &Json) -> Option<String> {
    let colon = entry.key_span.end + text.get(entry.key_span.end..)?.find(':')? + 1;
    let end = end_of_entry(text, entry).max(colon);
    let new = write::yaml(value, column(text, entry.key_span.start));
    let mut edited = text.to_owned();
    edited.replace_range(colon..end, &new);
    Some(edited)
}

/// A key less, with its lines.
pub(super) fn delete(text: &str, entry: &Entry) -> Option<String> {
    let start = text[..entry.key_span.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let end = line_end(text, end_of_entry(text, entry));
    let end = (end + 1).min(text.len());
    // `- key: value` and `--- key`: the line is not the key's alone.
    if !text.get(start..entry.key_span.start)?.trim().is_empty() {
        return None;
    }
    let mut edited = text.to_owned();
    edited.replace_range(start..end, "");
    Some(edited)
}

/// Where an entry really ends: the parser's blocks reach to the next token.
fn end_of_entry(text: &str, entry: &Entry) -> usize {
    match entry.value.value {
        Value::Null if entry.value.span.is_empty() => {
            let rest = &text[entry.key_span.end..];
            entry.key_span.end + rest.find(':').map_or(0, |colon| colon + 1)
        }
        _ => end_of(text, &entry.value),
    }
}

fn end_of(text: &str, node: &Node) -> usize {
    let flow = text[node.span.start..].starts_with(['{', '[']);
    match &node.value {
        Value::Map(entries) if !flow => match entries.last() {
            Some(last) => end_of_entry(text, last),
            None => node.span.end,
        },
        Value::List(items) if !flow => match items.last() {
            Some(last) => end_of(text, last),
            None => node.span.end,
        },
        _ => node.span.start + text[node.span.clone()].trim_end().len(),
    }
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline)
}

fn column(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..at].chars().count()
}
