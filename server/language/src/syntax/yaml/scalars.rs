//! What stands on a line of YAML: keys, and values that are neither block list nor block map.

use super::super::block_scalar::block_scalar;
use super::super::brackets::Brackets;
use super::super::scalar::{Dialect, Quote, quoted};
use super::super::{DEEPEST, Key, Node, NodeKind, Scalar, line_end};
use super::Yaml;

impl Yaml<'_> {
    /// The key that begins here, and where its colon ends.
    pub(super) fn key_end(&self, at: usize) -> Option<(Key, usize)> {
        let line = &self.text[..line_end(self.text, at)];
        let (span, scalar) = match line[at..].chars().next()? {
            '"' | '\'' => quoted(line, at, Dialect::Yaml),
            '[' | '{' | '#' | '|' | '>' => return None,
            _ => {
                let colon = line[at..].char_indices().find(|(index, character)| {
                    let after = line[at + index + character.len_utf8()..].chars().next();
                    *character == ':' && after.is_none_or(char::is_whitespace)
                });
                let end = at + colon?.0;
                let text = line[at..end].trim_end();
                if text.contains(" #") {
                    return None;
                }
                let scalar = Scalar {
                    text: text.to_owned(),
                    quote: Quote::None,
                };
                (at..at + text.len(), scalar)
            }
        };
        let rest = &line[span.end..];
        let colon = span.end + rest.len() - rest.trim_start().len();
        let after = line[colon..].strip_prefix(':')?;
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return None;
        }
        let key = Key {
            text: scalar.text,
            span,
            quote: scalar.quote,
        };
        Some((key, colon + 1))
    }

    /// A value that is neither block list nor block map.
    pub(super) fn scalar(&mut self, at: usize, parent: Option<usize>) -> Node {
        let stop = line_end(self.text, at);
        match self.text[at..].chars().next() {
            Some('[' | '{') => {
                let mut reader = Brackets::new(self.text, at, Dialect::Yaml);
                let node = reader.value();
                self.at = reader.at;
                self.comments.append(&mut reader.comments);
                self.rest_of_line();
                node
            }
            Some('"' | '\'') => {
                let (span, scalar) = quoted(&self.text[..stop], at, Dialect::Yaml);
                self.at = span.end;
                self.rest_of_line();
                Node {
                    span,
                    kind: NodeKind::Scalar(scalar),
                }
            }
            Some('|' | '>') => {
                let (node, end) = block_scalar(self.text, at, parent);
                self.at = end;
                node
            }
            // Tags and anchors stand in front of a value.
            Some('!' | '&') if self.depth < DEEPEST => {
                let word = self.text[at..stop]
                    .find(' ')
                    .map_or(stop, |space| at + space);
                let content = self.text[word..stop].trim_start();
                self.depth += 1;
                let node = if content.is_empty() || content.starts_with('#') {
                    self.at = word;
                    self.block(parent, true)
                } else {
                    self.scalar(stop - content.len(), parent)
                };
                self.depth -= 1;
                node
            }
            _ => self.plain_lines(at, parent),
        }
    }

    /// Plain text, with the lines that go on with it.
    fn plain_lines(&mut self, at: usize, parent: Option<usize>) -> Node {
        let mut node = self.plain(at, self.content_end(at));
        self.rest_of_line();
        loop {
            let (before, comments) = (self.at, self.comments.len());
            let next = self.next().filter(|(next, column)| {
                parent.is_none_or(|parent| *column > parent)
                    && self.comments.len() == comments
                    && !self.is_item(*next)
                    && self.key_end(*next).is_none()
            });
            let Some((next, _)) = next else {
                self.at = before;
                self.comments.truncate(comments);
                return node;
            };
            let end = self.content_end(next);
            if let NodeKind::Scalar(scalar) = &mut node.kind {
                scalar.text.push(' ');
                scalar.text.push_str(&self.text[next..end]);
            }
            node.span.end = end;
            self.at = end;
            self.rest_of_line();
        }
    }

    pub(super) fn plain(&mut self, at: usize, end: usize) -> Node {
        self.at = end;
        Node {
            span: at..end,
            kind: NodeKind::Scalar(Scalar {
                text: self.text[at..end].to_owned(),
                quote: Quote::None,
            }),
        }
    }

    /// Where what is on this line ends, without its comment.
    pub(super) fn content_end(&self, at: usize) -> usize {
        let line = &self.text[at..line_end(self.text, at)];
        let end = line
            .find(" #")
            .or_else(|| line.find("\t#"))
            .unwrap_or(line.len());
        at + line[..end]
            .trim_end()
            .len()
            .max(line.chars().next().map_or(0, char::len_utf8))
    }

    /// Passes to the end of the line, noting a comment.
    pub(super) fn rest_of_line(&mut self) {
        let end = line_end(self.text, self.at);
        let rest = &self.text[self.at..end];
        if let Some(mark) = rest
            .find('#')
            .filter(|mark| rest[..*mark].trim().is_empty())
        {
            self.comments.push(self.at + mark..end);
        }
        self.at = end;
    }
}
