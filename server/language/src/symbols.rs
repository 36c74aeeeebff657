//! The outline of a file.

use ls_types::{DocumentSymbol, SymbolKind};

use crate::document::Document;
use crate::syntax::{Entry, Node, NodeKind};

/// Longer values are cut in the outline.
const LONGEST_DETAIL: usize = 60;

impl Document {
    /// The keys as a tree.
    pub fn symbols(&self) -> Vec<DocumentSymbol> {
        self.tree()
            .root
            .entries()
            .iter()
            .map(|entry| self.symbol(entry))
            .collect()
    }

    // `deprecated` is an old field that must be named.
    #[allow(deprecated)]
    fn symbol(&self, entry: &Entry) -> DocumentSymbol {
        let children = self.children(&entry.value);
        let (kind, detail) = match &entry.value.kind {
            NodeKind::Missing => (SymbolKind::NULL, None),
            NodeKind::Map(..) => (SymbolKind::OBJECT, None),
            NodeKind::List(items, _) => {
                (SymbolKind::ARRAY, Some(format!("{} elements", items.len())))
            }
            NodeKind::Scalar(scalar) => (
                SymbolKind::STRING,
                Some(scalar.text.chars().take(LONGEST_DETAIL).collect()),
            ),
        };
        // Clients refuse an outline whose parts do not lie inside each other.
        let inner = children.iter().flatten().map(|child| child.range);
        let mut range = self.range(&entry.span);
        for child in inner {
            range.start = range.start.min(child.start);
            range.end = range.end.max(child.end);
        }
        let mut selection_range = self.range(&entry.key.span);
        if selection_range.start < range.start || selection_range.end > range.end {
            selection_range = range;
        }
        let empty = entry.key.text.is_empty();
        DocumentSymbol {
            name: if empty {
                "(empty)".to_owned()
            } else {
                entry.key.text.clone()
            },
            detail,
            kind,
            tags: None,
            deprecated: None,
            range,
            selection_range,
            children,
        }
    }

    fn children(&self, node: &Node) -> Option<Vec<DocumentSymbol>> {
        let entries = match &node.kind {
            NodeKind::Map(entries, _) => entries.iter().collect::<Vec<_>>(),
            NodeKind::List(items, _) => items.iter().flat_map(Node::entries).collect(),
            NodeKind::Missing | NodeKind::Scalar(_) => return None,
        };
        Some(
            entries
                .into_iter()
                .map(|entry| self.symbol(entry))
                .collect(),
        )
    }
}
