//! A key that stands in the wrong map (`fs` at the top of the file) goes where it belongs
//! (`feature.fs`): the parents that lack are written around it.

use ls_types::{CodeAction, Diagnostic, TextEdit};
use mirrord_config::Format;

use crate::document::Document;
use crate::keys::{self, Forms};
use crate::syntax::{Entry, Layout, Node, NodeKind, Span, Step, line_end, line_start};

impl Document {
    /// Quick fixes for the misplaced keys that a part of the text touches.
    pub(super) fn moves(&self, touched: &Span, diagnostics: &[Diagnostic]) -> Vec<CodeAction> {
        let mut found = Vec::new();
        misplaced(&self.tree().root, &mut Vec::new(), touched, &mut found);
        let mut actions = Vec::new();
        for (path, entry) in found {
            let Some(home) = home(&path, &entry.key.text) else {
                continue;
            };
            // Parents between where it stands and where it belongs.
            let Some(parents) = home[..home.len() - 1].strip_prefix(path.as_slice()) else {
                continue;
            };
            let edits = match self.format() {
                Format::Toml => self.prefix(&path, entry, parents),
                Format::Json | Format::Yaml => self.rehouse(&path, entry, parents),
            };
            if let Some(edits) = edits {
                let range = self.range(&entry.key.span);
                let about = diagnostics
                    .iter()
                    .filter(|diagnostic| diagnostic.range == range);
                let title = format!("Move to `{}`", home.join("."));
                actions.push(self.fix(title, edits, about.cloned().collect()));
            }
        }
        actions
    }

    /// TOML: the parents' names in front of the key, in every line that has it.
    fn prefix(&self, path: &[String], entry: &Entry, parents: &[String]) -> Option<Vec<TextEdit>> {
        let prefix = format!("{}.", parents.join("."));
        let mut edits = Vec::new();
        for statement in &self.tree().statements {
            let is_header = matches!(statement.kind, crate::syntax::StatementKind::Header);
            let table = if is_header {
                &[][..]
            } else {
                &statement.table[..]
            };
            let names = statement.keys.iter().map(|key| Step::Key(key.text.clone()));
            let whole: Vec<Step> = table.iter().cloned().chain(names).collect();
            let is_here = path.len() < whole.len()
                && path
                    .iter()
                    .zip(&whole)
                    .all(|(key, step)| *step == Step::Key(key.clone()))
                && whole[path.len()] == Step::Key(entry.key.text.clone());
            // Lines below its own header follow that header.
            if let Some(key) = path
                .len()
                .checked_sub(table.len())
                .and_then(|at| statement.keys.get(at))
                && is_here
            {
                let at = key.span.start;
                edits.push(self.edit(at..at, prefix.clone()));
            }
        }
        (!edits.is_empty()).then_some(edits)
    }

    /// JSON and YAML: into the nearest parent that is there, or with new parents where it is.
    fn rehouse(&self, path: &[String], entry: &Entry, parents: &[String]) -> Option<Vec<TextEdit>> {
        let steps: Vec<Step> = path.iter().cloned().map(Step::Key).collect();
        let map = self.tree().root.at(&steps)?;
        let mut host = None;
        let mut node = map;
        for (depth, parent) in parents.iter().enumerate() {
            let Some(below) = node.get(parent) else {
                break;
            };
            // Already there, or there with another kind of value (`feature: true`).
            let NodeKind::Map(entries, layout) = &below.kind else {
                return None;
            };
            if entries.iter().any(|other| other.key.text == entry.key.text)
                && depth + 1 == parents.len()
            {
                return None;
            }
            host = Some((entries.last()?, *layout, &parents[depth + 1..]));
            node = below;
        }
        let own = self.written(entry)?;
        match host {
            None => {
                let indent = self.indent(entry.span.start);
                let text = self.wrapped(&own, parents, indent);
                Some(vec![self.edit(entry.span.clone(), text)])
            }
            Some((last, layout, parents)) => {
                let indent = self.indent(last.span.start);
                let text = self.wrapped(&own, parents, indent);
                let gap = format!("\n{}", " ".repeat(indent));
                let comma = matches!(layout, Layout::Brackets { .. });
                let comma = if comma { "," } else { "" };
                let at = last.span.end;
                let insert = self.edit(at..at, format!("{comma}{gap}{text}"));
                let remove = self.edit(self.removed(map, entry)?, String::new());
                Some(vec![insert, remove])
            }
        }
    }

    /// The entry with lines indented as if it stood at the left.
    fn written(&self, entry: &Entry) -> Option<String> {
        let indent = self.indent(entry.span.start);
        let text = &self.text()[entry.span.clone()];
        let mut lines = text.split('\n');
        let first = lines.next()?.to_owned();
        let rest = lines.map(|line| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            format!("\n{}", &line[spaces.min(indent)..])
        });
        Some(first + &rest.collect::<String>())
    }

    fn wrapped(&self, own: &str, parents: &[String], indent: usize) -> String {
        let mut text = own.to_owned();
        for parent in parents.iter().rev() {
            let inner = text.replace('\n', "\n  ");
            text = match self.format() {
                Format::Json => format!("\"{parent}\": {{\n  {inner}\n}}"),
                _ => format!("{parent}:\n  {inner}"),
            };
        }
        text.replace('\n', &format!("\n{}", " ".repeat(indent)))
    }

    fn indent(&self, at: usize) -> usize {
        let text = self.text();
        let line = &text[line_start(text, at)..];
        line.len() - line.trim_start_matches(' ').len()
    }

    /// What goes away with an entry: its comma, or its lines.
    fn removed(&self, map: &Node, entry: &Entry) -> Option<Span> {
        let text = self.text();
        let NodeKind::Map(entries, layout) = &map.kind else {
            return None;
        };
        let index = entries.iter().position(|other| other.span == entry.span)?;
        match layout {
            Layout::Brackets { .. } => Some(match (entries.get(index + 1), index.checked_sub(1)) {
                (Some(next), _) => entry.span.start..next.span.start,
                (None, Some(before)) => entries[before].span.end..entry.span.end,
                (None, None) => entry.span.clone(),
            }),
            Layout::Block { .. } | Layout::Assembled => {
                let end = line_end(text, entry.span.end);
                Some(line_start(text, entry.span.start)..(end + 1).min(text.len()))
            }
        }
    }
}

/// Keys that the schema does not have where they stand.
fn misplaced<'t>(
    node: &'t Node,
    path: &mut Vec<String>,
    touched: &Span,
    found: &mut Vec<(Vec<String>, &'t Entry)>,
) {
    let steps: Vec<Step> = path.iter().cloned().map(Step::Key).collect();
    let known = Forms::at(&steps).properties();
    for entry in node.entries() {
        if !known.iter().any(|property| property.name == entry.key.text) {
            let key = &entry.key.span;
            if !known.is_empty() && key.start <= touched.end && touched.start <= key.end {
                found.push((path.clone(), entry));
            }
            continue;
        }
        path.push(entry.key.text.clone());
        misplaced(&entry.value, path, touched, found);
        path.pop();
    }
}

/// The one nearest place below a path that has a key of this name.
fn home(path: &[String], name: &str) -> Option<Vec<String>> {
    let mut homes: Vec<Vec<String>> = keys::tables()
        .into_iter()
        .map(|table| table.into_iter().map(str::to_owned).collect::<Vec<_>>())
        .filter(|table| table.starts_with(path) && table.len() > path.len())
        .filter(|table| {
            let steps: Vec<Step> = table.iter().cloned().map(Step::Key).collect();
            Forms::at(&steps)
                .properties()
                .iter()
                .any(|property| property.name == name)
        })
        .collect();
    // `mode` could be that of several: then nobody knows which was meant.
    if homes.len() != 1 {
        return None;
    }
    let mut home = homes.pop()?;
    home.push(name.to_owned());
    Some(home)
}
