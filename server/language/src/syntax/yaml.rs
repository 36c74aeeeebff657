//! YAML in block style, by indentation. It takes what people write in configurations (maps, lists,
//! plain and quoted values, block scalars, brackets), and passes over tags and anchors.

mod scalars;

use super::scalar::Quote;
use super::{DEEPEST, Entry, Key, Layout, Node, NodeKind, Span, Tree, line_end, line_start};

pub(super) fn parse(text: &str) -> Tree {
    let mut reader = Yaml {
        text,
        at: 0,
        comments: Vec::new(),
        depth: 0,
    };
    let mut root = reader.block(None, false);
    // What is left begins further left than the first line did; it is still part of the file.
    while let Some((at, column)) = reader.next() {
        reader.at = at;
        let more = reader.map(column);
        match (&mut root.kind, more.kind) {
            (NodeKind::Map(entries, _), NodeKind::Map(more_entries, _)) => {
                entries.extend(more_entries);
                root.span.end = more.span.end;
            }
            (_, kind) => {
                root = Node {
                    span: more.span,
                    kind,
                }
            }
        }
    }
    Tree {
        root,
        comments: reader.comments,
        statements: Vec::new(),
    }
}

struct Yaml<'t> {
    text: &'t str,
    at: usize,
    comments: Vec<Span>,
    depth: usize,
}

impl Yaml<'_> {
    /// The next content and its column, past white space, comments and document marks.
    fn next(&mut self) -> Option<(usize, usize)> {
        loop {
            let rest = &self.text[self.at..];
            let content = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            let at = self.at + rest.len() - content.len();
            let start = line_start(self.text, at);
            let begins_line = self.text[start..at].chars().all(char::is_whitespace);
            let mark = at == start
                && ["---", "...", "%"]
                    .iter()
                    .any(|mark| content.starts_with(mark));
            if content.is_empty() {
                self.at = at;
                return None;
            } else if content.starts_with('#') && (begins_line || at > self.at || at == 0) {
                self.at = line_end(self.text, at);
                self.comments.push(at..self.at);
            } else if mark {
                // `--- key: 1` is not written in configurations.
                self.at = line_end(self.text, at);
            } else {
                self.at = at;
                let column = self.text[start..at]
                    .chars()
                    .filter(|c| *c != '\u{feff}')
                    .count();
                return Some((at, column));
            }
        }
    }

    /// What stands further right than `parent`. `list_too`: a list may stand right below its key.
    fn block(&mut self, parent: Option<usize>, list_too: bool) -> Node {
        let before = self.at;
        let Some((at, column)) = self.next() else {
            return Node::missing(before);
        };
        let inside = parent.is_none_or(|parent| column > parent);
        let below_its_key = list_too && self.is_item(at) && parent == Some(column);
        if !(inside || below_its_key) {
            self.at = before.min(at);
            return Node::missing(before);
        }
        if self.depth >= DEEPEST {
            return self.plain(at, line_end(self.text, at));
        }
        self.depth += 1;
        let node = if self.is_item(at) {
            self.list(column)
        } else if self.key_end(at).is_some() || self.is_half_typed(at, column) {
            self.map(column)
        } else {
            self.scalar(at, parent)
        };
        self.depth -= 1;
        node
    }

    fn is_item(&self, at: usize) -> bool {
        let rest = &self.text[at..];
        rest.starts_with('-') && rest[1..].chars().next().is_none_or(char::is_whitespace)
    }

    /// A word that stands in one column with keys after it will be a key.
    fn is_half_typed(&mut self, at: usize, column: usize) -> bool {
        if self.text[at..].starts_with(['[', '{', '"', '\'', '|', '>']) {
            return false;
        }
        let comments = self.comments.len();
        self.at = line_end(self.text, at);
        let next = self.next();
        self.comments.truncate(comments);
        self.at = at;
        next.is_some_and(|(next, next_column)| {
            next_column == column && self.key_end(next).is_some()
        })
    }

    fn list(&mut self, column: usize) -> Node {
        let start = self.at;
        let mut end = start;
        let mut items = Vec::new();
        while let Some((at, at_column)) = self.next() {
            if at_column != column || !self.is_item(at) {
                break;
            }
            self.at = at + 1;
            let stop = line_end(self.text, self.at);
            let content = self.text[self.at..stop].trim_start();
            let mut item = if content.is_empty() || content.starts_with('#') {
                self.block(Some(column), false)
            } else {
                let inner = stop - content.len();
                self.at = inner;
                let inner_column = column + self.text[at..inner].chars().count();
                if self.is_item(inner) && self.depth < DEEPEST {
                    self.depth += 1;
                    let list = self.list(inner_column);
                    self.depth -= 1;
                    list
                } else if self.key_end(inner).is_some() && self.depth < DEEPEST {
                    self.depth += 1;
                    let map = self.map(inner_column);
                    self.depth -= 1;
                    map
                } else {
                    self.scalar(inner, Some(column))
                }
            };
            if item.is_missing() {
                item = Node::missing(at + 1);
            }
            end = item.span.end.max(at + 1);
            items.push(item);
        }
        Node {
            span: start..end,
            kind: NodeKind::List(items, Layout::Block { column }),
        }
    }

    /// Entries in this column, and those that were mistakenly indented further.
    fn map(&mut self, column: usize) -> Node {
        let start = self.at;
        let mut end = start;
        let mut entries = Vec::new();
        while let Some((at, at_column)) = self.next() {
            if at_column < column {
                break;
            }
            if self.is_item(at) {
                if at_column == column && !entries.is_empty() {
                    // A list without its key.
                    break;
                }
                self.at = line_end(self.text, at);
                continue;
            }
            let entry = self.entry(at, column);
            end = entry.span.end;
            entries.push(entry);
        }
        // Whatever broke off above is the caller's; but nothing is read twice.
        if entries.is_empty() {
            self.at = self.at.max(line_end(self.text, start));
        }
        Node {
            span: start..end,
            kind: NodeKind::Map(entries, Layout::Block { column }),
        }
    }

    fn entry(&mut self, at: usize, column: usize) -> Entry {
        let Some((key, separator)) = self.key_end(at) else {
            let stop = self.content_end(at);
            self.at = stop;
            self.rest_of_line();
            return Entry {
                key: Key {
                    text: self.text[at..stop].to_owned(),
                    span: at..stop,
                    quote: Quote::None,
                },
                separator: None,
                value: Node::missing(stop),
                span: at..stop,
            };
        };
        self.at = separator;
        let stop = line_end(self.text, separator);
        let content = self.text[separator..stop].trim_start();
        let mut value = if content.is_empty() || content.starts_with('#') {
            self.block(Some(column), true)
        } else {
            self.scalar(stop - content.len(), Some(column))
        };
        if value.is_missing() {
            value = Node::missing(separator);
        }
        let span = at..value.span.end.max(separator);
        Entry {
            key,
            separator: Some(separator),
            value,
            span,
        }
    }
}
