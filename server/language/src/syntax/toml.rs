//! TOML, line by line: headers and assignments, and the tree that they make together.

use super::brackets::{Brackets, nest};
use super::scalar::Dialect;
use super::{
    Entry, Key, Layout, Node, NodeKind, Span, Statement, StatementKind, Step, Tree, line_end,
};

pub(super) fn parse(text: &str) -> Tree {
    let mut tree = Tree {
        root: Node {
            span: 0..text.len(),
            kind: NodeKind::Map(Vec::new(), Layout::Assembled),
        },
        ..Tree::default()
    };
    let mut table: Vec<Step> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let blank = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                .len();
        at += blank;
        match text[at..].chars().next() {
            None => break,
            Some('#') => {
                let end = line_end(text, at);
                tree.comments.push(at..end);
                at = end;
            }
            Some('[') => {
                let statement;
                (statement, table, at) = header(text, at, &mut tree);
                tree.statements.push(statement);
            }
            Some(_) => {
                let (statement, end) = assignment(text, at, &table, &mut tree);
                // A line that begins with nothing we know (`= 5`) is left alone.
                at = end.max(at + text[at..].chars().next().map_or(1, char::len_utf8));
                tree.statements.extend(statement);
            }
        }
    }
    tree
}

/// Reads `[a.b]` or `[[a.b]]` up to the end of its line.
fn header(text: &str, start: usize, tree: &mut Tree) -> (Statement, Vec<Step>, usize) {
    let end = line_end(text, start);
    let line = &text[..end];
    let list = line[start..].starts_with("[[");
    let mut reader = Brackets::new(line, start + 1 + usize::from(list), Dialect::Toml);
    reader.at += line[reader.at..].len() - line[reader.at..].trim_start_matches([' ', '\t']).len();
    let keys = reader.keys();
    let mut close = reader.at;
    let rest = &line[close..];
    if let Some(bracket) = rest
        .find(']')
        .filter(|bracket| rest[..*bracket].trim().is_empty())
    {
        close += bracket + 1;
        close += usize::from(list && line[close..].starts_with(']'));
    }
    comment(line, close, tree);
    let names = keys.iter().map(|key| key.text.clone());
    let mut table: Vec<Step> = names.map(Step::Key).collect();
    if let Some(index) = tree.root.open_table(&keys, list, start..end) {
        table.push(Step::Index(index));
    }
    let statement = Statement {
        table: table.clone(),
        keys,
        kind: StatementKind::Header,
        span: start..close,
    };
    (statement, table, end)
}

/// Reads `a.b = value`, and what else is on its last line.
fn assignment(
    text: &str,
    start: usize,
    table: &[Step],
    tree: &mut Tree,
) -> (Option<Statement>, usize) {
    let mut reader = Brackets::new(text, start, Dialect::Toml);
    let keys = reader.keys();
    if keys.iter().all(|key| key.span.is_empty()) {
        return (None, line_end(text, start));
    }
    let spaces = |at: usize| text[at..].len() - text[at..].trim_start_matches([' ', '\t']).len();
    let mut separator = None;
    let mut value = Node::missing(reader.at);
    let equals = reader.at + spaces(reader.at);
    if text[equals..].starts_with('=') {
        separator = Some(equals + 1);
        reader.at = equals + 1 + spaces(equals + 1);
        let is_comment = text[reader.at..].starts_with('#');
        value = if is_comment {
            Node::missing(equals + 1)
        } else {
            reader.value()
        };
        if value.is_missing() {
            value = Node::missing(equals + 1);
        }
    }
    let after = reader.at;
    tree.comments.append(&mut reader.comments);
    let end = line_end(text, after);
    comment(&text[..end], after, tree);
    let entry = nest(keys.clone(), separator, value.clone());
    if let Some(place) = tree.root.table_mut(table) {
        place.put(entry);
    }
    let kind = StatementKind::Assignment { separator, value };
    let statement = Statement {
        table: table.to_vec(),
        keys,
        kind,
        span: start..after,
    };
    (Some(statement), end)
}

/// Notes the comment at the end of a line.
fn comment(line: &str, after: usize, tree: &mut Tree) {
    if let Some(mark) = line[after..].find('#') {
        tree.comments.push(after + mark..line.len());
    }
}

impl Node {
    /// Makes the tables of a header, and gives the number of the new one in a list of tables.
    fn open_table(&mut self, keys: &[Key], list: bool, line: Span) -> Option<usize> {
        let empty = || NodeKind::Map(Vec::new(), Layout::Assembled);
        let mut node = self;
        let mut number = None;
        for (index, key) in keys.iter().enumerate() {
            let last = index + 1 == keys.len();
            let kind = if last && list {
                NodeKind::List(Vec::new(), Layout::Assembled)
            } else {
                empty()
            };
            node = node.child(key, kind, &line)?;
            if let (true, true, NodeKind::List(items, Layout::Assembled)) =
                (last, list, &mut node.kind)
            {
                number = Some(items.len());
                items.push(Node {
                    span: line.clone(),
                    kind: empty(),
                });
            }
        }
        number
    }

    /// The value below a key, made when it is not there; in a list of tables, of its last one.
    fn child(&mut self, key: &Key, kind: NodeKind, line: &Span) -> Option<&mut Node> {
        self.span.end = self.span.end.max(line.end);
        if !matches!(self.kind, NodeKind::List(..)) {
            return self.child_of_map(key, kind, line);
        }
        match &mut self.kind {
            NodeKind::List(items, Layout::Assembled) => {
                items.last_mut()?.child_of_map(key, kind, line)
            }
            _ => None,
        }
    }

    fn child_of_map(&mut self, key: &Key, kind: NodeKind, line: &Span) -> Option<&mut Node> {
        let node = self;
        node.span.end = node.span.end.max(line.end);
        let NodeKind::Map(entries, Layout::Assembled) = &mut node.kind else {
            return None;
        };
        let known = entries.iter().rposition(|entry| entry.key.text == key.text);
        let index = known.unwrap_or_else(|| {
            entries.push(Entry {
                key: key.clone(),
                separator: None,
                value: Node {
                    span: line.clone(),
                    kind,
                },
                span: line.clone(),
            });
            entries.len() - 1
        });
        let entry = &mut entries[index];
        entry.span.end = entry.span.end.max(line.end);
        entry.value.span.end = entry.value.span.end.max(line.end);
        Some(&mut entry.value)
    }

    /// The table that assignments go to.
    fn table_mut(&mut self, path: &[Step]) -> Option<&mut Node> {
        path.iter()
            .try_fold(self, |node, step| match (step, &mut node.kind) {
                (Step::Key(key), NodeKind::Map(entries, _)) => entries
                    .iter_mut()
                    .rfind(|entry| entry.key.text == *key)
                    .map(|entry| &mut entry.value),
                // A header below a list of tables (`[a.b]` after `[[a]]`) means its last one.
                (Step::Key(key), NodeKind::List(items, _)) => match &mut items.last_mut()?.kind {
                    NodeKind::Map(entries, _) => entries
                        .iter_mut()
                        .rfind(|entry| entry.key.text == *key)
                        .map(|entry| &mut entry.value),
                    _ => None,
                },
                (Step::Index(index), NodeKind::List(items, _)) => items.get_mut(*index),
                _ => None,
            })
    }

    /// Adds an entry; one that dotted keys made goes into the table that is there.
    fn put(&mut self, entry: Entry) {
        self.span.end = self.span.end.max(entry.span.end);
        let NodeKind::Map(entries, _) = &mut self.kind else {
            return;
        };
        let dotted = matches!(&entry.value.kind, NodeKind::Map(_, Layout::Assembled));
        let known = dotted
            .then(|| {
                entries
                    .iter()
                    .rposition(|other| other.key.text == entry.key.text)
            })
            .flatten();
        match (known, entry.value.kind) {
            (Some(index), NodeKind::Map(inner, _)) => {
                entries[index].span.end = entries[index].span.end.max(entry.span.end);
                inner
                    .into_iter()
                    .for_each(|inner| entries[index].value.put(inner));
            }
            (_, kind) => entries.push(Entry {
                value: Node {
                    kind,
                    span: entry.value.span,
                },
                key: entry.key,
                separator: entry.separator,
                span: entry.span,
            }),
        }
    }
}
