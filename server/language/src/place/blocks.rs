//! Places in YAML: what stands on the cursor's line, and on an empty line what the column says.

use super::inside_brackets::inside;
use super::{Place, Role, is_inside, quote_of, step, touches};
use crate::syntax::{Entry, Layout, Node, NodeKind, Quote, Step, Tree, line_end, line_start};

pub(super) fn place(tree: &Tree, text: &str, at: usize) -> Option<Place> {
    let start = line_start(text, at);
    let before = &text[start..at];
    // Behind `---`, inside nothing.
    if before.starts_with("---") || before.starts_with('%') {
        return None;
    }
    if let Some(found) = written(&tree.root, Vec::new(), text, at) {
        return Some(found);
    }
    if !before.trim().is_empty() {
        return None;
    }
    let column = before.chars().filter(|c| *c != '\u{feff}').count();
    Some(empty_line(&tree.root, at, column))
}

/// The place of a cursor that touches something, or stands behind a key or dash on its line.
fn written(node: &Node, path: Vec<Step>, text: &str, at: usize) -> Option<Place> {
    if is_inside(node, at) {
        return Some(inside(node, path, at));
    }
    match &node.kind {
        NodeKind::Missing => None,
        NodeKind::Scalar(scalar) => touches(&node.span, at).then(|| {
            let start = line_start(text, node.span.start);
            let alone = text[start..node.span.start]
                .trim_matches([' ', '\t', '-'])
                .is_empty();
            let one_line = !text[node.span.clone()].contains('\n');
            let plain = scalar.quote == Quote::None;
            Place {
                role: Role::Value {
                    or_key: alone && plain && one_line,
                },
                ..Place::value(path, node.span.clone(), scalar.quote, false)
            }
        }),
        NodeKind::Map(entries, _) => {
            let entry = entries.iter().rfind(|entry| entry.key.span.start <= at)?;
            in_entry(entry, entries, path, text, at)
        }
        NodeKind::List(items, _) => {
            let index = items.iter().rposition(|item| item.span.start <= at)?;
            let item = &items[index];
            let mut below = path;
            below.push(Step::Index(index));
            if item.is_missing() && at <= line_end(text, item.span.start) {
                return Some(Place {
                    role: Role::Value { or_key: true },
                    ..Place::value(below, at..at, Quote::None, false)
                });
            }
            written(item, below, text, at)
        }
    }
}

fn in_entry(
    entry: &Entry,
    entries: &[Entry],
    path: Vec<Step>,
    text: &str,
    at: usize,
) -> Option<Place> {
    if touches(&entry.key.span, at) {
        return Some(Place::key(path, entry, entries, false));
    }
    let separator = entry.separator?;
    let mut below = path;
    below.push(step(&entry.key));
    let on_its_line = at <= line_end(text, separator);
    let elsewhere = entry.value.span.start > line_end(text, separator);
    if at >= separator && on_its_line && (entry.value.is_missing() || elsewhere) {
        return Some(Place::value(below, at..at, Quote::None, false));
    }
    if at >= separator && at < entry.value.span.start && on_its_line {
        return Some(Place::value(below, at..at, quote_of(&entry.value), false));
    }
    written(&entry.value, below, text, at)
}

/// The place on an empty line: the innermost thing that began above and whose column fits.
fn empty_line(root: &Node, at: usize, column: usize) -> Place {
    let mut path = Vec::new();
    let mut node = root;
    let mut best = None;
    loop {
        match &node.kind {
            NodeKind::Map(entries, Layout::Block { column: own }) => {
                if *own <= column || best.is_none() {
                    best = Some(Place::new_key(path.clone(), at, entries, false));
                }
                // Exactly here: a key of this map, unless a list below its last key fits too.
                let Some(entry) = entries.iter().rfind(|entry| entry.key.span.start < at) else {
                    break;
                };
                path.push(step(&entry.key));
                node = &entry.value;
                if node.is_missing() && column > *own && entry.separator.is_some() {
                    best = Some(Place {
                        role: Role::Value { or_key: true },
                        ..Place::value(path.clone(), at..at, Quote::None, false)
                    });
                }
                if node.span.start > at && column > *own {
                    if let NodeKind::Map(inner, _) = &node.kind {
                        best = Some(Place::new_key(path.clone(), at, inner, false));
                    }
                    break;
                }
                if *own >= column {
                    break;
                }
            }
            NodeKind::List(items, Layout::Block { column: own }) => {
                let Some(index) = items.iter().rposition(|item| item.span.start <= at) else {
                    break;
                };
                if *own >= column {
                    break;
                }
                path.push(Step::Index(index));
                node = &items[index];
                if node.is_missing() {
                    best = Some(Place {
                        role: Role::Value { or_key: true },
                        ..Place::value(path.clone(), at..at, Quote::None, false)
                    });
                }
            }
            _ => break,
        }
    }
    best.unwrap_or_else(|| Place::new_key(Vec::new(), at, &[], false))
}
