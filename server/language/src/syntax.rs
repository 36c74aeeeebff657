//! Configuration files as trees that are also there while the text is broken: what a cursor stands
//! in must be known exactly when somebody is typing. Nothing here is an error; what is wrong with a
//! file is said by `mirrord-config`, whose parsers take whole texts only.

mod block_scalar;
mod brackets;
mod scalar;
mod toml;
mod yaml;

use std::ops::Range;

use mirrord_config::Format;

pub(crate) use scalar::Quote;

/// Bytes of the text.
pub(crate) type Span = Range<usize>;

/// Deeper brackets are read as plain text, so that no text overruns the stack.
const DEEPEST: usize = 100;

/// A text as far as it can be understood.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    /// Comments with their marks, in order.
    pub(crate) comments: Vec<Span>,
    /// TOML's headers and assignments, in order; the tree above them is put together from these.
    pub(crate) statements: Vec<Statement>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: NodeKind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    /// Not written yet.
    Missing,
    Scalar(Scalar),
    List(Vec<Node>, Layout),
    Map(Vec<Entry>, Layout),
}

/// A single value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    /// Without quotes and escapes.
    pub(crate) text: String,
    pub(crate) quote: Quote,
}

/// How a list or map is laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Layout {
    /// In brackets; the last one may be missing.
    Brackets { closed: bool },
    /// YAML: by indentation, in this column.
    Block { column: usize },
    /// TOML: put together from headers and dotted keys.
    Assembled,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    /// Where the `:` or `=` ends, when there is one.
    pub(crate) separator: Option<usize>,
    pub(crate) value: Node,
    /// From the key to the end of the value.
    pub(crate) span: Span,
}

/// A key as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    /// With its quotes.
    pub(crate) span: Span,
    pub(crate) quote: Quote,
}

/// A line of TOML.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// The table it is in (for an assignment) or names (for a header).
    pub(crate) table: Vec<Step>,
    pub(crate) keys: Vec<Key>,
    pub(crate) kind: StatementKind,
    pub(crate) span: Span,
}

/// What a line of TOML does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StatementKind {
    /// `[a.b]`, `[[a.b]]`.
    Header,
    /// `a.b = value`.
    Assignment {
        separator: Option<usize>,
        value: Node,
    },
}

/// One step from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Default for Node {
    fn default() -> Self {
        Node::missing(0)
    }
}

impl Node {
    pub(crate) fn missing(at: usize) -> Self {
        Node {
            span: at..at,
            kind: NodeKind::Missing,
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.kind == NodeKind::Missing
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map(entries, _) => entries,
            _ => &[],
        }
    }

    /// The value below a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key.text == key)
    }

    /// The value at the end of a path.
    pub(crate) fn at(&self, path: &[Step]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => match &node.kind {
                NodeKind::List(items, _) => items.get(*index),
                _ => None,
            },
        })
    }

    /// The text, when it is one value.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }
}

/// Reads a text, whatever it is.
pub(crate) fn parse(text: &str, format: Format) -> Tree {
    match format {
        Format::Json => brackets::json(text),
        Format::Yaml => yaml::parse(text),
        Format::Toml => toml::parse(text),
    }
}

/// The beginning of the line that a byte is in.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at];
    let end = before.iter().rposition(|byte| is_line_end(*byte));
    end.map_or(0, |end| end + 1)
}

/// The end of the line that a byte is in, without its line break.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let behind = &text.as_bytes()[at..];
    let end = behind.iter().position(|byte| is_line_end(*byte));
    end.map_or(text.len(), |end| at + end)
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
