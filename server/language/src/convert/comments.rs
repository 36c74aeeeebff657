//! Comments and the keys they belong to: the one below, or the one on the same line.

use std::collections::BTreeMap;

use mirrord_config::tree::{Node, Value};

use crate::syntax::{Span, line_start};

/// Comments by the place of what they belong to.
#[derive(Debug, Default)]
pub(super) struct Comments {
    above: BTreeMap<usize, Vec<String>>,
    beside: BTreeMap<usize, String>,
    /// Those with nothing below them.
    pub(super) last: Vec<String>,
}

impl Comments {
    pub(super) fn attach(text: &str, comments: &[Span], root: &Node) -> Self {
        let mut anchors = Vec::new();
        collect(root, &mut anchors);
        anchors.sort_unstable();
        anchors.dedup();
        let mut attached = Comments::default();
        for comment in comments {
            let start = line_start(text, comment.start);
            let lines = lines(&text[comment.clone()]);
            let alone = text[start..comment.start].trim().is_empty();
            let before = anchors.partition_point(|anchor| *anchor < comment.start);
            let beside = anchors[..before]
                .last()
                .filter(|anchor| !alone && **anchor >= start);
            match (beside, anchors.get(before)) {
                // Of several on one line each is kept.
                (Some(anchor), _) if lines.len() == 1 => {
                    let kept = attached.beside.entry(*anchor).or_default();
                    let gap = if kept.is_empty() { "" } else { " " };
                    kept.push_str(&format!("{gap}{}", lines[0]));
                }
                (_, Some(anchor)) => attached.above.entry(*anchor).or_default().extend(lines),
                (_, None) => attached.last.extend(lines),
            }
        }
        attached
    }

    pub(super) fn above(&self, anchor: usize) -> &[String] {
        self.above.get(&anchor).map_or(&[], Vec::as_slice)
    }

    pub(super) fn beside(&self, anchor: usize) -> Option<&str> {
        self.beside.get(&anchor).map(String::as_str)
    }

    /// Whether anything inside a value has one, so that it needs its own lines.
    pub(super) fn inside(&self, node: &Node) -> bool {
        let mut anchors = Vec::new();
        collect(node, &mut anchors);
        anchors
            .iter()
            .any(|anchor| self.above.contains_key(anchor) || self.beside.contains_key(anchor))
    }
}

/// Where keys and elements begin.
fn collect(node: &Node, anchors: &mut Vec<usize>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| {
            anchors.push(item.span.start);
            collect(item, anchors);
        }),
        Value::Map(entries) => entries.iter().for_each(|entry| {
            anchors.push(entry.key_span.start);
            collect(&entry.value, anchors);
        }),
        _ => {}
    }
}

/// The text of a comment without its marks.
fn lines(comment: &str) -> Vec<String> {
    if let Some(block) = comment.strip_prefix("/*") {
        let block = block.strip_suffix("*/").unwrap_or(block);
        let lines = block
            .lines()
            .map(|line| line.trim().trim_start_matches('*').trim());
        return lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
    }
    let text = comment
        .strip_prefix("//")
        .unwrap_or_else(|| comment.trim_start_matches('#'));
    vec![text.trim().to_owned()]
}
