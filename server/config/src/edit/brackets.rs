//! Objects and lists in brackets: JSON's, and those that YAML writes like JSON.

use serde_json::Value as Json;

use super::write;
use crate::tree::{Entry, Node, Value};

/// A key more in an object.
pub(super) fn insert(text: &str, object: &Node, key: &str, value: &Json) -> Option<String> {
    let Value::Map(entries) = &object.value else {
        return None;
    };
    let last = entries.last().map(|entry| entry.value.span.end);
    let key = Json::from(key).to_string();
    let first = entries.first().map(|entry| entry.key_span.start);
    add(text, object, first, last, |indent| {
        format!("{key}: {}", write::json(value, indent))
    })
}

/// A value more in a list.
pub(super) fn push(text: &str, list: &Node, value: &Json) -> Option<String> {
    let Value::List(items) = &list.value else {
        return None;
    };
    let last = items.last().map(|item| item.span.end);
    let first = items.first().map(|item| item.span.start);
    add(text, list, first, last, |indent| write::json(value, indent))
}

fn add(
    text: &str,
    node: &Node,
    first: Option<usize>,
    last: Option<usize>,
    write: impl Fn(usize) -> String,
) -> Option<String> {
    let mut edited = text.to_owned();
    let (Some(first), Some(last)) = (first, last) else {
        // Between the brackets, where a comment may stand.
        let close = node.span.end.checked_sub(1)?;
        let outer = indent(text, node.span.start);
        let gap = " ".repeat(outer + 2);
        let inner = text.get(node.span.start + 1..close)?.trim_end();
        let new = format!("{inner}\n{gap}{}\n{}", write(outer + 2), " ".repeat(outer));
        edited.replace_range(node.span.start + 1..close, &new);
        return Some(edited);
    };
    let on_lines = text.get(node.span.start..first)?.contains('\n');
    let comma = comma_after(text, last);
    if !on_lines {
        let at = comma.map_or(last, |comma| comma + 1);
        let separator = if comma.is_some() { " " } else { ", " };
        edited.insert_str(at, &format!("{separator}{}", write(indent(text, first))));
        return Some(edited);
    }
    let indent = indent(text, first);
    let end = comma.map_or(last, |comma| comma + 1);
    // What stands beside the last value stays there: a comment belongs to it.
    let line_end = text[end..]
        .find('\n')
        .map_or(text.len(), |newline| end + newline);
    let beside = text.get(end..line_end)?.trim();
    let at = match beside.is_empty() || beside.starts_with("//") || beside.starts_with('#') {
        true => end + text.get(end..line_end)?.trim_end().len(),
        false => end,
    };
    let trailing = if comma.is_some() { "," } else { "" };
    edited.insert_str(
        at,
        &format!("\n{}{}{trailing}", " ".repeat(indent), write(indent)),
    );
    if comma.is_none() {
        edited.insert(last, ',');
    }
    Some(edited)
}

/// A key less.
pub(super) fn delete(text: &str, object: &Node, entry: &Entry) -> Option<String> {
    let Value::Map(entries) = &object.value else {
        return None;
    };
    let index = entries.iter().position(|other| other == entry)?;
    let mut edited = text.to_owned();
    let start = entry.key_span.start;
    let end = entry.value.span.end;
    let comma = comma_after(text, end);
    let end = comma.map_or(end, |comma| comma + 1);
    edited.replace_range(whole_line(text, start, end), "");
    if let (None, Some(before)) = (comma, index.checked_sub(1)) {
        // The one before is the last now.
        let before = comma_after(text, entries[before].value.span.end)?;
        edited.remove(before);
    }
    Some(edited)
}

/// The line around a part that is alone on it (but for a comment behind it), or the part and the
/// blanks in front.
fn whole_line(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[end..]
        .find('\n')
        .map_or(text.len(), |newline| end + newline + 1);
    let behind = text[end..line_end].trim();
    let alone = text[line_start..start].trim().is_empty()
        && (behind.is_empty() || behind.starts_with("//") || behind.starts_with('#'));
    match alone && line_start > 0 {
        true => line_start..line_end,
        false => {
            let blanks = text[end..].len() - text[end..].trim_start_matches(' ').len();
            start..end + blanks
        }
    }
}

/// The comma behind a value, past blanks and comments.
fn comma_after(text: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = text.get(at..)?;
        let next = rest.chars().next()?;
        if next == ',' {
            return Some(at);
        } else if next.is_whitespace() {
            at += next.len_utf8();
        } else if rest.starts_with("//") || next == '#' {
            at += rest.find('\n')?;
        } else if rest.starts_with("/*") {
            at += rest.find("*/")? + 2;
        } else {
            return None;
        }
    }
}

/// The blanks in front of the line that a place stands in.
pub(super) fn indent(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..];
    line.len() - line.trim_start_matches(' ').len()
}
