//! Inside `{{ … }}`: what a configuration's templates may name.

use ls_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, InsertTextFormat, TextEdit,
};

use super::Items;

/// Name, insertion with a place to fill in, the same without, and what it is.
const NAMES: &[(&str, &str, &str, &str)] = &[
    (
        "git_branch",
        "git_branch",
        "git_branch",
        "the branch that is checked out",
    ),
    ("key", "key", "key", "the session's key"),
    (
        "get_env",
        "get_env(name='$1')",
        "get_env(name='')",
        "an environment variable",
    ),
];

impl Items<'_> {
    /// Offers names when the cursor is inside an expression; whether it is.
    pub(super) fn offer_in_template(&mut self) -> bool {
        let text = self.document.text();
        let before = &text[..self.at];
        let Some(open) = before.rfind("{{") else {
            return false;
        };
        let inside = &before[open + 2..];
        // Two brackets of JSON that stand side by side are no template.
        if inside.contains("}}") || inside.contains(['\n', '"']) {
            return false;
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let start = self.at - inside.len() + inside.trim_end_matches(is_name).len();
        for (name, snippet, plain, detail) in NAMES {
            let with_snippet = self.abilities.snippets && snippet != plain;
            let new_text = if with_snippet { snippet } else { plain };
            self.items.push(CompletionItem {
                label: (*name).to_owned(),
                kind: Some(CompletionItemKind::VARIABLE),
                detail: Some((*detail).to_owned()),
                insert_text_format: Some(if with_snippet {
                    InsertTextFormat::SNIPPET
                } else {
                    InsertTextFormat::PLAIN_TEXT
                }),
                text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                    range: self.document.range(&(start..self.at)),
                    new_text: (*new_text).to_owned(),
                })),
                ..CompletionItem::default()
            });
        }
        true
    }
}
