//! Places in TOML: in a header, in an assignment, or on an empty line of a table.

use super::inside_brackets::inside;
use super::{Place, Role, is_inside, quote_of, step, touches};
use crate::syntax::{Key, Node, NodeKind, Quote, Statement, StatementKind, Step, Tree, line_end};

pub(super) fn place(tree: &Tree, text: &str, at: usize) -> Option<Place> {
    let last = tree
        .statements
        .iter()
        .rfind(|statement| statement.span.start <= at);
    let Some(statement) = last else {
        return Some(Place::new_key(Vec::new(), at, tree.root.entries(), false));
    };
    if at <= line_end(text, statement.span.end) {
        return match &statement.kind {
            StatementKind::Header => in_header(statement, at),
            StatementKind::Assignment { separator, value } => {
                in_assignment(tree, statement, *separator, value, at)
            }
        };
    }
    let entries = tree
        .root
        .at(&statement.table)
        .map_or(&[][..], Node::entries);
    Some(Place::new_key(statement.table.clone(), at, entries, false))
}

fn in_header(statement: &Statement, at: usize) -> Option<Place> {
    let index = statement
        .keys
        .iter()
        .position(|key| touches(&key.span, at))?;
    let (before, key) = (&statement.keys[..index], &statement.keys[index]);
    Some(Place {
        path: before.iter().map(step).collect(),
        role: Role::Header,
        span: key.span.clone(),
        quote: key.quote,
        in_brackets: false,
    })
}

fn in_assignment(
    tree: &Tree,
    statement: &Statement,
    separator: Option<usize>,
    value: &Node,
    at: usize,
) -> Option<Place> {
    let mut path = statement.table.clone();
    for (index, key) in statement.keys.iter().enumerate() {
        if touches(&key.span, at) {
            let last = index + 1 == statement.keys.len();
            return Some(key_place(tree, path, key, separator.is_some() && last));
        }
        path.push(step(key));
    }
    let separator = separator.filter(|separator| at >= *separator)?;
    if is_inside(value, at) {
        return Some(inside(value, path, at));
    }
    if value.is_missing() || (separator..value.span.start).contains(&at) {
        return Some(Place::value(path, at..at, Quote::None, false));
    }
    let scalar = matches!(value.kind, NodeKind::Scalar(_)) && touches(&value.span, at);
    scalar.then(|| Place::value(path, value.span.clone(), quote_of(value), false))
}

fn key_place(tree: &Tree, path: Vec<Step>, key: &Key, separated: bool) -> Place {
    let entries = tree.root.at(&path).map_or(&[][..], Node::entries);
    let others = entries
        .iter()
        .filter(|entry| entry.key.span != key.span)
        .map(|entry| entry.key.text.clone());
    Place {
        path,
        role: Role::Key {
            others: others.collect(),
            separated,
        },
        span: key.span.clone(),
        quote: key.quote,
        in_brackets: false,
    }
}
