//! Writing values in each language, as people lay them out.

use mirrord_config::tree::{Entry, Node, Value};
use serde_json::Value as Json;

use super::comments::Comments;
use crate::completion::is_plain_yaml;

/// Longer lists get a line for each element.
const WIDTH: usize = 80;

pub(super) fn json(root: &Node) -> String {
    let mut text = String::new();
    json_value(root, 0, &mut text);
    text.push('\n');
    text
}

fn json_value(node: &Node, indent: usize, text: &mut String) {
    let (open, close, parts): (_, _, Vec<String>) = match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            let parts = entries.iter().map(|entry| {
                let mut part = format!("{}: ", quoted(&entry.key));
                json_value(&entry.value, indent + 2, &mut part);
                part
            });
            ('{', '}', parts.collect())
        }
        Value::List(_) if flow(node, ": ").len() > WIDTH => {
            let Value::List(items) = &node.value else {
                return;
            };
            let parts = items.iter().map(|item| {
                let mut part = String::new();
                json_value(item, indent + 2, &mut part);
                part
            });
            ('[', ']', parts.collect())
        }
        _ => {
            text.push_str(&flow(node, ": "));
            return;
        }
    };
    let gap = " ".repeat(indent + 2);
    let parts: Vec<String> = parts
        .into_iter()
        .map(|part| format!("{gap}{part}"))
        .collect();
    text.push_str(&format!(
        "{open}\n{}\n{}{close}",
        parts.join(",\n"),
        " ".repeat(indent)
    ));
}

pub(super) fn yaml(root: &Node, comments: &Comments) -> String {
    let mut text = String::new();
    match &root.value {
        Value::Map(entries) if !entries.is_empty() => yaml_map(entries, 0, comments, &mut text),
        _ => text.push_str(&format!("{}\n", flow(root, ": "))),
    }
    last(comments, &mut text);
    text
}

fn yaml_map(entries: &[Entry], indent: usize, comments: &Comments, text: &mut String) {
    let gap = " ".repeat(indent);
    for entry in entries {
        above(comments, entry.key_span.start, &gap, text);
        text.push_str(&format!("{gap}{}:", yaml_text(&entry.key)));
        yaml_value(&entry.value, indent, entry.key_span.start, comments, text);
    }
}

/// What stands behind `key:` or `-`, to the end of its lines.
fn yaml_value(node: &Node, indent: usize, anchor: usize, comments: &Comments, text: &mut String) {
    let beside = beside(comments, anchor);
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            text.push_str(&format!("{beside}\n"));
            yaml_map(entries, indent + 2, comments, text);
        }
        Value::List(items) if !is_pair(items) && !items.is_empty() => {
            text.push_str(&format!("{beside}\n"));
            let gap = " ".repeat(indent + 2);
            for item in items {
                above(comments, item.span.start, &gap, text);
                text.push_str(&format!("{gap}-"));
                yaml_value(item, indent + 2, item.span.start, comments, text);
            }
        }
        Value::Text(value) => text.push_str(&format!(" {}{beside}\n", yaml_text(value))),
        _ => text.push_str(&format!(" {}{beside}\n", flow(node, ": "))),
    }
}

/// Pairs of ports read best on one line.
fn is_pair(items: &[Node]) -> bool {
    items.len() == 2
        && items
            .iter()
            .all(|item| matches!(item.value, Value::Integer(_)))
}

fn yaml_text(value: &str) -> String {
    if is_plain_yaml(value) {
        return value.to_owned();
    }
    quoted(value)
}

pub(super) fn toml(root: &Node, comments: &Comments) -> String {
    let mut text = String::new();
    if let Value::Map(entries) = &root.value {
        toml_table(entries, &[], comments, &mut text);
    }
    last(comments, &mut text);
    text.trim_start().to_owned()
}

/// A table: its own values first, as TOML demands, then the tables in it.
fn toml_table(entries: &[Entry], path: &[&str], comments: &Comments, text: &mut String) {
    let is_table =
        |entry: &&Entry| matches!(&entry.value.value, Value::Map(map) if !map.is_empty());
    for entry in entries.iter().filter(|entry| !is_table(entry)) {
        // Nothing is as if the key were not there, and TOML has no word for it.
        if entry.value.value == Value::Null {
            continue;
        }
        let anchor = entry.key_span.start;
        above(comments, anchor, "", text);
        text.push_str(&format!("{} = ", toml_key(&entry.key)));
        toml_value(&entry.value, comments, text);
        text.push_str(&format!("{}\n", beside(comments, anchor)));
    }
    for entry in entries.iter().filter(is_table) {
        let mut below = path.to_vec();
        below.push(&entry.key);
        let Value::Map(inner) = &entry.value.value else {
            continue;
        };
        let anchor = entry.key_span.start;
        let only_tables = inner
            .iter()
            .all(|entry| is_table(&entry) || entry.value.value == Value::Null);
        let said = !comments.above(anchor).is_empty() || comments.beside(anchor).is_some();
        // A header that would have nothing under it is not needed.
        if !only_tables || said {
            text.push('\n');
            above(comments, anchor, "", text);
            let names: Vec<String> = below.iter().map(|key| toml_key(key)).collect();
            text.push_str(&format!(
                "[{}]{}\n",
                names.join("."),
                beside(comments, anchor)
            ));
        }
        toml_table(inner, &below, comments, text);
    }
}

fn toml_value(node: &Node, comments: &Comments, text: &mut String) {
    let on_one_line = flow(node, " = ");
    let Value::List(items) = &node.value else {
        return text.push_str(&on_one_line);
    };
    if on_one_line.len() <= WIDTH && !comments.inside(node) {
        return text.push_str(&on_one_line);
    }
    text.push_str("[\n");
    for item in items {
        above(comments, item.span.start, "  ", text);
        let beside = beside(comments, item.span.start);
        text.push_str(&format!("  {},{beside}\n", flow(item, " = ")));
    }
    text.push(']');
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if bare { key.to_owned() } else { quoted(key) }
}

/// A value on one line, as all three languages write it but for what stands behind keys.
fn flow(node: &Node, separator: &str) -> String {
    let toml = separator.contains('=');
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(value) => quoted(value),
        Value::List(items) => {
            let items = items.iter().map(|item| flow(item, separator));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .filter(|entry| !toml || entry.value.value != Value::Null);
            let entries = entries.map(|entry| {
                let key = if toml {
                    toml_key(&entry.key)
                } else {
                    quoted(&entry.key)
                };
                format!("{key}{separator}{}", flow(&entry.value, separator))
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// JSON's quotes and escapes mean the same in YAML and TOML, but for the delete character.
fn quoted(value: &str) -> String {
    Json::from(value).to_string().replace('\u{7f}', "\\u007f")
}

/// Whether two values are the same but for their order and for keys with nothing.
pub(super) fn same(left: &Node, right: &Node) -> bool {
    match (&left.value, &right.value) {
        (Value::Map(left), Value::Map(right)) => {
            let given = |entries: &[Entry]| {
                let mut given: Vec<Entry> = entries.to_vec();
                given.retain(|entry| entry.value.value != Value::Null);
                given.sort_by(|left, right| left.key.cmp(&right.key));
                given
            };
            let (left, right) = (given(left), given(right));
            left.len() == right.len()
                && left
                    .iter()
                    .zip(&right)
                    .all(|(left, right)| left.key == right.key && same(&left.value, &right.value))
        }
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (left, right) => left == right,
    }
}

fn above(comments: &Comments, anchor: usize, gap: &str, text: &mut String) {
    for line in comments.above(anchor) {
        text.push_str(format!("{gap}# {line}").trim_end());
        text.push('\n');
    }
}

fn beside(comments: &Comments, anchor: usize) -> String {
    comments
        .beside(anchor)
        .map_or_else(String::new, |comment| format!(" # {comment}"))
}

fn last(comments: &Comments, text: &mut String) {
    for line in &comments.last {
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
}
