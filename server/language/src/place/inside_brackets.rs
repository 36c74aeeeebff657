//! Places between brackets: JSON, YAML's flow style, TOML's arrays and inline tables.

use super::{Place, is_inside, quote_of, step, touches};
use crate::syntax::{Entry, Layout, Node, NodeKind, Quote, Step};

/// The place in a whole JSON text.
pub(super) fn place(root: &Node, at: usize) -> Option<Place> {
    if is_inside(root, at) {
        return Some(inside(root, Vec::new(), at));
    }
    match &root.kind {
        NodeKind::Missing => Some(Place::value(Vec::new(), at..at, Quote::None, true)),
        NodeKind::Scalar(scalar) if touches(&root.span, at) => Some(Place::value(
            Vec::new(),
            root.span.clone(),
            scalar.quote,
            true,
        )),
        _ => None,
    }
}

/// The place in a value whose brackets the cursor is in.
pub(super) fn inside(node: &Node, path: Vec<Step>, at: usize) -> Place {
    match &node.kind {
        NodeKind::Map(entries, _) => in_map(entries, path, at),
        NodeKind::List(items, _) => in_list(items, path, at),
        NodeKind::Missing | NodeKind::Scalar(_) => {
            Place::value(path, node.span.clone(), quote_of(node), true)
        }
    }
}

fn in_map(entries: &[Entry], path: Vec<Step>, at: usize) -> Place {
    // A later entry may begin where the one before ends.
    let entry = entries.iter().rfind(|entry| entry.key.span.start <= at);
    let Some(entry) = entry else {
        return Place::new_key(path, at, entries, true);
    };
    if touches(&entry.key.span, at) {
        return Place::key(path, entry, entries, true);
    }
    let Some(separator) = entry.separator else {
        return Place::new_key(path, at, entries, true);
    };
    let mut below = path.clone();
    below.push(step(&entry.key));
    if let NodeKind::Map(inner, Layout::Assembled) = &entry.value.kind {
        return in_map(inner, below, at);
    }
    if is_inside(&entry.value, at) {
        return inside(&entry.value, below, at);
    }
    let value = &entry.value;
    if value.is_missing() && at >= separator {
        return Place::value(below, at..at, Quote::None, true);
    }
    if at >= separator && at < value.span.start {
        return Place::value(below, at..at, Quote::None, true);
    }
    if matches!(value.kind, NodeKind::Scalar(_)) && touches(&value.span, at) {
        return Place::value(below, value.span.clone(), quote_of(value), true);
    }
    Place::new_key(path, at, entries, true)
}

fn in_list(items: &[Node], mut path: Vec<Step>, at: usize) -> Place {
    let found = items.iter().position(|item| {
        is_inside(item, at) || (matches!(item.kind, NodeKind::Scalar(_)) && touches(&item.span, at))
    });
    match found {
        Some(index) => {
            path.push(Step::Index(index));
            inside(&items[index], path, at)
        }
        None => {
            let before = items.iter().filter(|item| item.span.end <= at).count();
            path.push(Step::Index(before));
            Place::value(path, at..at, Quote::None, true)
        }
    }
}
