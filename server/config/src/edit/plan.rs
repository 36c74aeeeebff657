//! One step towards the wanted value, in JSON and YAML: which node is touched, and how it is
//! written.

use serde_json::Value as Json;

use super::{Step, brackets, first_step, without_nothing, write, yaml};
use crate::parse::Format;
use crate::tree::{Entry, Node, Value};

/// The text after one step; none: the way it is written is not understood.
pub(super) fn step(text: &str, format: Format, root: &Node, wanted: &Json) -> Option<String> {
    let empty_root = matches!(&root.value, Value::Map(entries) if entries.is_empty())
        || root.value == Value::Null;
    if empty_root && !text.get(root.span.clone())?.starts_with('{') {
        return Some(from_nothing(text, format, wanted));
    }
    let now = without_nothing(root.to_json());
    match first_step(&now, wanted, &mut Vec::new())? {
        Step::Delete(path) => {
            let (parent, entry) = entry_at(root, &path)?;
            match is_bracket(text, parent) {
                true => brackets::delete(text, parent, entry),
                false => yaml::delete(text, entry),
            }
        }
        Step::Insert(path, key, value) => {
            let parent = node_at(root, &path)?;
            // A key with nothing (`feature:`), or with `null`, has a place for the value already.
            if let Value::Map(entries) = &parent.value
                && let Some(entry) = entries.iter().find(|entry| entry.key == key)
            {
                return replace(text, format, entry, value);
            }
            match is_bracket(text, parent) {
                true => brackets::insert(text, parent, key, value),
                false => yaml::insert(text, parent, key, value),
            }
        }
        Step::Push(path, value) => {
            let list = node_at(root, &path)?;
            match text[list.span.start..].starts_with('[') {
                true => brackets::push(text, list, value),
                false => yaml::push(text, list, value),
            }
        }
        Step::Replace(path, value) => {
            let (_, entry) = entry_at(root, &path)?;
            replace(text, format, entry, value)
        }
    }
}

fn replace(text: &str, format: Format, entry: &Entry, value: &Json) -> Option<String> {
    match format {
        Format::Json => {
            let indent = brackets::indent(text, entry.key_span.start);
            let new = write::json(value, indent);
            let mut edited = text.to_owned();
            edited.replace_range(entry.value.span.clone(), &new);
            Some(edited)
        }
        _ => yaml::replace(text, entry, value),
    }
}

/// A text without any key: comments stay in front.
fn from_nothing(text: &str, format: Format, wanted: &Json) -> String {
    let before = match text.trim().is_empty() {
        true => String::new(),
        false => format!("{}\n", text.trim_end()),
    };
    match format {
        Format::Json => format!("{before}{}\n", write::json(wanted, 0)),
        _ => {
            let entries = wanted.as_object().into_iter().flatten();
            let entries = entries.map(|(key, value)| {
                format!("{}:{}\n", write::yaml_text(key), write::yaml(value, 0))
            });
            before + &entries.collect::<String>()
        }
    }
}

fn is_bracket(text: &str, node: &Node) -> bool {
    text[node.span.start..].starts_with('{')
}

fn node_at<'n>(root: &'n Node, path: &[String]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, key| node.get(key))
}

fn entry_at<'n>(root: &'n Node, path: &[String]) -> Option<(&'n Node, &'n Entry)> {
    let (last, above) = path.split_last()?;
    let parent = node_at(root, above)?;
    let Value::Map(entries) = &parent.value else {
        return None;
    };
    Some((parent, entries.iter().find(|entry| entry.key == *last)?))
}
