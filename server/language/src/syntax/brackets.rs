//! Values in brackets: all of JSON, YAML's flow style, TOML's arrays and inline tables. One reader,
//! for they differ only in separators, comments and quotes.

use super::scalar::{Dialect, Quote, plain_end, quoted};
use super::{DEEPEST, Entry, Key, Layout, Node, NodeKind, Scalar, Span, Tree, line_end};

/// Reads a whole text as JSON.
pub(super) fn json(text: &str) -> Tree {
    let mut reader = Brackets::new(text, 0, Dialect::Json);
    reader.skip();
    let root = reader.value();
    // Comments behind the last bracket are still comments of the file.
    reader.skip();
    Tree {
        root,
        comments: reader.comments,
        statements: Vec::new(),
    }
}

/// Reads at a place of a text.
pub(super) struct Brackets<'t> {
    text: &'t str,
    pub(super) at: usize,
    dialect: Dialect,
    pub(super) comments: Vec<Span>,
    /// The brackets that are open.
    open: Vec<char>,
}

impl<'t> Brackets<'t> {
    pub(super) fn new(text: &'t str, at: usize, dialect: Dialect) -> Self {
        Brackets {
            text,
            at,
            dialect,
            comments: Vec::new(),
            open: Vec::new(),
        }
    }

    /// One value, or nothing when something else stands here.
    pub(super) fn value(&mut self) -> Node {
        let start = self.at;
        let kind = match self.peek() {
            Some('{') if self.open.len() < DEEPEST => self.map(),
            Some('[') if self.open.len() < DEEPEST => self.list(),
            Some('"' | '\'') => {
                let (span, scalar) = quoted(self.text, self.at, self.dialect);
                self.at = span.end;
                NodeKind::Scalar(scalar)
            }
            None | Some(',' | ']' | '}' | '\n' | '\r') => NodeKind::Missing,
            Some(separator) if separator == self.separator() => NodeKind::Missing,
            Some(first) => {
                let end = plain_end(self.text, self.at, self.dialect);
                // Brackets that are too deep are one character of plain text each, and so is a space
                // that is none in the language (U+0085).
                let end = end.max(start + first.len_utf8());
                self.at = end;
                NodeKind::Scalar(Scalar {
                    text: self.text[start..end].to_owned(),
                    quote: Quote::None,
                })
            }
        };
        Node {
            span: start..self.at,
            kind,
        }
    }

    fn map(&mut self) -> NodeKind {
        self.open.push('}');
        self.at += 1;
        let mut entries = Vec::new();
        let closed = loop {
            self.skip();
            match self.peek() {
                None => break false,
                Some('}') => {
                    self.at += 1;
                    break true;
                }
                Some(']') if self.open.contains(&']') => break false,
                Some('{' | '[') => drop(self.value()),
                Some(',' | ']' | ':' | '=') => self.at += 1,
                Some(_) => entries.push(self.entry()),
            }
        };
        self.open.pop();
        NodeKind::Map(entries, Layout::Brackets { closed })
    }

    fn list(&mut self) -> NodeKind {
        self.open.push(']');
        self.at += 1;
        let mut items = Vec::new();
        let closed = loop {
            self.skip();
            match self.peek() {
                None => break false,
                Some(']') => {
                    self.at += 1;
                    break true;
                }
                Some('}') if self.open.contains(&'}') => break false,
                Some(',' | '}' | ':' | '=') => self.at += 1,
                Some(_) => items.push(self.value()),
            }
        };
        self.open.pop();
        NodeKind::List(items, Layout::Brackets { closed })
    }

    fn entry(&mut self) -> Entry {
        let keys = self.keys();
        let after_keys = self.at;
        self.skip();
        if self.peek() != Some(self.separator()) {
            self.at = after_keys;
            return nest(keys, None, Node::missing(after_keys));
        }
        self.at += 1;
        let separator = self.at;
        self.skip();
        let value = if self.is_next_key(separator) {
            self.at = separator;
            Node::missing(separator)
        } else {
            let value = self.value();
            if value.is_missing() {
                Node::missing(separator)
            } else {
                value
            }
        };
        nest(keys, Some(separator), value)
    }

    /// The key of an entry; in TOML it may be several with dots between.
    pub(super) fn keys(&mut self) -> Vec<Key> {
        let mut keys = vec![self.key()];
        while self.dialect == Dialect::Toml {
            let rest = &self.text[self.at..];
            let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            if !rest[spaces..].starts_with('.') {
                break;
            }
            self.at += spaces + 1;
            let rest = &self.text[self.at..];
            self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
            keys.push(self.key());
        }
        keys
    }

    fn key(&mut self) -> Key {
        let start = self.at;
        let (text, quote) = match self.peek() {
            Some('"' | '\'') => {
                let (span, scalar) = quoted(self.text, start, self.dialect);
                self.at = span.end;
                (scalar.text, scalar.quote)
            }
            _ => {
                let mut end = plain_end(self.text, start, self.dialect);
                if self.dialect == Dialect::Toml {
                    end = self.text[start..end]
                        .find('.')
                        .map_or(end, |dot| start + dot);
                }
                self.at = end;
                (self.text[start..end].to_owned(), Quote::None)
            }
        };
        Key {
            text,
            span: start..self.at,
            quote,
        }
    }

    /// Whether what stands on a later line is the next key, so that the value is missing.
    fn is_next_key(&mut self, separator: usize) -> bool {
        if !self.text[separator..self.at].contains(['\n', '\r'])
            || matches!(self.peek(), None | Some('{' | '[' | '}' | ']' | ','))
        {
            return false;
        }
        let (at, comments) = (self.at, self.comments.len());
        self.keys();
        self.skip();
        let found = self.peek() == Some(self.separator());
        self.at = at;
        self.comments.truncate(comments);
        found
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn separator(&self) -> char {
        if self.dialect == Dialect::Toml {
            '='
        } else {
            ':'
        }
    }

    /// Skips white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            self.at += rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                    .len();
            let rest = &self.text[self.at..];
            let end = match self.dialect {
                Dialect::Json if rest.starts_with("//") => line_end(self.text, self.at),
                Dialect::Json if rest.starts_with("/*") => rest[2..]
                    .find("*/")
                    .map_or(self.text.len(), |end| self.at + end + 4),
                Dialect::Yaml | Dialect::Toml if rest.starts_with('#') => {
                    line_end(self.text, self.at)
                }
                _ => return,
            };
            self.comments.push(self.at..end);
            self.at = end;
        }
    }
}

/// An entry of the last key, inside one of the key before, and so on.
pub(super) fn nest(mut keys: Vec<Key>, separator: Option<usize>, value: Node) -> Entry {
    let end = value.span.end.max(separator.unwrap_or(0));
    let mut entry: Option<Entry> = None;
    let (mut separator, mut value) = (separator, value);
    while let Some(key) = keys.pop() {
        if let Some(inner) = entry.take() {
            let span = inner.span.clone();
            separator = inner.separator;
            value = Node {
                span,
                kind: NodeKind::Map(vec![inner], Layout::Assembled),
            };
        }
        let span = key.span.start..end.max(key.span.end);
        entry = Some(Entry {
            key,
            separator,
            value: std::mem::take(&mut value),
            span,
        });
    }
    entry.unwrap_or_else(|| Entry {
        key: Key {
            text: String::new(),
            span: end..end,
            quote: Quote::None,
        },
        separator,
        value,
        span: end..end,
    })
}
