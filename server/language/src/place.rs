//! What a cursor stands in: the key or value being written, its path from the root, and what of the
//! text it is. Completion and hover both begin here.

mod blocks;
mod inside_brackets;
mod statements;

use mirrord_config::Format;

use crate::syntax::{Entry, Key, Layout, Node, NodeKind, Quote, Span, Step, Tree};

/// Where a cursor is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// From the root to the map whose key it is, or to the value.
    pub(crate) path: Vec<Step>,
    pub(crate) role: Role,
    /// The part of the text that is being written; empty when nothing is there yet.
    pub(crate) span: Span,
    /// How what stands there is quoted.
    pub(crate) quote: Quote,
    /// Inside brackets, where commas separate and lines mean nothing.
    pub(crate) in_brackets: bool,
}

/// What is written there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Role {
    /// A key. `others`: those that the map has besides; `separated`: its `:` or `=` is there.
    Key {
        others: Vec<String>,
        separated: bool,
    },
    /// Names in TOML's `[…]`.
    Header,
    /// A value. `or_key`: what stands there may as well become the first key of a map (YAML).
    Value { or_key: bool },
}

impl Place {
    /// The place of a byte, if anything can be written there.
    pub(crate) fn of(tree: &Tree, text: &str, format: Format, at: usize) -> Option<Place> {
        let inside = |comment: &Span| {
            // Right behind a line comment is still in it.
            comment.start < at && at <= comment.end && !text[comment.clone()].ends_with("*/")
                || comment.start < at && at < comment.end
        };
        if tree.comments.iter().any(inside) {
            return None;
        }
        match format {
            Format::Json => inside_brackets::place(&tree.root, at),
            Format::Yaml => blocks::place(tree, text, at),
            Format::Toml => statements::place(tree, text, at),
        }
    }

    /// The path of the key or value itself.
    pub(crate) fn full_path(&self, text: &str) -> Vec<Step> {
        let mut path = self.path.clone();
        if matches!(self.role, Role::Key { .. } | Role::Header) {
            let written = text[self.span.clone()].trim_matches(['"', '\'']);
            path.push(Step::Key(written.to_owned()));
        }
        path
    }

    fn key(path: Vec<Step>, entry: &Entry, others: &[Entry], in_brackets: bool) -> Place {
        let others = others
            .iter()
            .filter(|other| other.key.span != entry.key.span)
            .map(|other| other.key.text.clone());
        Place {
            path,
            role: Role::Key {
                others: others.collect(),
                separated: entry.separator.is_some(),
            },
            span: entry.key.span.clone(),
            quote: entry.key.quote,
            in_brackets,
        }
    }

    fn new_key(path: Vec<Step>, at: usize, others: &[Entry], in_brackets: bool) -> Place {
        Place {
            path,
            role: Role::Key {
                others: others.iter().map(|other| other.key.text.clone()).collect(),
                separated: false,
            },
            span: at..at,
            quote: Quote::None,
            in_brackets,
        }
    }

    fn value(path: Vec<Step>, span: Span, quote: Quote, in_brackets: bool) -> Place {
        Place {
            path,
            role: Role::Value { or_key: false },
            span,
            quote,
            in_brackets,
        }
    }
}

/// Whether a cursor touches a part of the text.
fn touches(span: &Span, at: usize) -> bool {
    span.start <= at && at <= span.end
}

fn step(key: &Key) -> Step {
    Step::Key(key.text.clone())
}

fn quote_of(node: &Node) -> Quote {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.quote,
        _ => Quote::None,
    }
}

/// Whether a cursor is between a value's brackets.
fn is_inside(node: &Node, at: usize) -> bool {
    match &node.kind {
        NodeKind::Map(_, Layout::Brackets { closed })
        | NodeKind::List(_, Layout::Brackets { closed }) => {
            node.span.start < at && (at < node.span.end || (!closed && at == node.span.end))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
