//! What of a file can be folded.

use ls_types::{FoldingRange, FoldingRangeKind};

use crate::document::Document;
use crate::syntax::{Layout, Node, NodeKind, Span, StatementKind};

impl Document {
    /// What can be folded: maps and lists over several lines, and comments of several lines.
    pub fn folding(&self) -> Vec<FoldingRange> {
        let mut found = Vec::new();
        let tree = self.tree();
        self.fold(&tree.root, &mut found);
        self.fold_tables(&mut found);
        self.fold_comments(&mut found);
        found.sort_by_key(|range| (range.start_line, range.end_line));
        found.dedup_by_key(|range| (range.start_line, range.end_line));
        found
    }

    fn fold(&self, node: &Node, found: &mut Vec<FoldingRange>) {
        match &node.kind {
            NodeKind::Map(entries, layout) => {
                if let Layout::Brackets { closed } = layout {
                    self.fold_brackets(&node.span, *closed, found);
                }
                for entry in entries {
                    if let NodeKind::Map(_, Layout::Block { .. })
                    | NodeKind::List(_, Layout::Block { .. }) = &entry.value.kind
                    {
                        self.add(entry.span.start..entry.value.span.end, 0, None, found);
                    }
                    self.fold(&entry.value, found);
                }
            }
            NodeKind::List(items, layout) => {
                if let Layout::Brackets { closed } = layout {
                    self.fold_brackets(&node.span, *closed, found);
                }
                items.iter().for_each(|item| self.fold(item, found));
            }
            NodeKind::Missing | NodeKind::Scalar(_) => {}
        }
    }

    /// The line of the last bracket stays in sight.
    fn fold_brackets(&self, span: &Span, closed: bool, found: &mut Vec<FoldingRange>) {
        self.add(span.clone(), u32::from(closed), None, found);
    }

    /// TOML's tables, each up to the last line before the next.
    fn fold_tables(&self, found: &mut Vec<FoldingRange>) {
        let mut open: Option<Span> = None;
        for statement in &self.tree().statements {
            match (&statement.kind, &mut open) {
                (StatementKind::Header, _) => {
                    if let Some(span) = open.replace(statement.span.clone()) {
                        self.add(span, 0, None, found);
                    }
                }
                (StatementKind::Assignment { .. }, Some(span)) => span.end = statement.span.end,
                (StatementKind::Assignment { .. }, None) => {}
            }
        }
        if let Some(span) = open {
            self.add(span, 0, None, found);
        }
    }

    fn fold_comments(&self, found: &mut Vec<FoldingRange>) {
        let mut run: Option<Span> = None;
        let comments = &self.tree().comments;
        for comment in comments {
            let follows = run.as_ref().is_some_and(|run| {
                let between = &self.text()[run.end..comment.start.max(run.end)];
                between.trim().is_empty() && between.matches('\n').count() == 1
            });
            match &mut run {
                Some(run) if follows => run.end = comment.end,
                _ => {
                    if let Some(run) = run.replace(comment.clone()) {
                        self.add(run, 0, Some(FoldingRangeKind::Comment), found);
                    }
                }
            }
        }
        if let Some(run) = run {
            self.add(run, 0, Some(FoldingRangeKind::Comment), found);
        }
    }

    fn add(
        &self,
        span: Span,
        kept: u32,
        kind: Option<FoldingRangeKind>,
        found: &mut Vec<FoldingRange>,
    ) {
        let range = self.range(&span);
        let end_line = range.end.line.saturating_sub(kept);
        if end_line > range.start.line {
            found.push(FoldingRange {
                start_line: range.start.line,
                end_line,
                kind,
                ..FoldingRange::default()
            });
        }
    }
}
