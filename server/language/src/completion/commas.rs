//! The commas that a new key or value in brackets needs around itself.

use mirrord_config::Format;

use crate::place::{Place, Role};
use crate::syntax::Tree;

/// What is missing.
#[derive(Debug, Default)]
pub(super) struct Commas {
    /// A place before, where one has to be added.
    pub(super) before: Option<usize>,
    /// What goes behind what is inserted.
    pub(super) after: &'static str,
}

pub(super) fn around(text: &str, tree: &Tree, place: &Place, format: Format) -> Commas {
    let mut commas = Commas {
        before: None,
        after: "",
    };
    if !place.in_brackets || (format == Format::Json && place.path.is_empty() && is_value(place)) {
        return commas;
    }
    let is_item = matches!(place.path.last(), Some(crate::syntax::Step::Index(_)));
    let begins = matches!(place.role, Role::Key { .. }) || (is_value(place) && is_item);
    let before = significant_end(text, tree, place.span.start);
    if begins && !text[..before].ends_with(['{', '[', ',', ':', '=']) && before > 0 {
        commas.before = Some(before);
    }
    let separated = matches!(
        place.role,
        Role::Key {
            separated: true,
            ..
        }
    );
    let next = significant_start(text, tree, place.span.end);
    let goes_on = text[next..].chars().next();
    if !separated && goes_on.is_some_and(|next| !matches!(next, ',' | '}' | ']' | ':' | '=')) {
        commas.after = ",";
    }
    commas
}

fn is_value(place: &Place) -> bool {
    matches!(place.role, Role::Value { .. })
}

/// The end of what stands before, past white space and comments.
fn significant_end(text: &str, tree: &Tree, mut at: usize) -> usize {
    loop {
        at = text[..at].trim_end().len();
        match tree
            .comments
            .iter()
            .rfind(|comment| comment.start < at && at <= comment.end)
        {
            Some(comment) => at = comment.start,
            None => return at,
        }
    }
}

/// The beginning of what stands behind, past white space and comments.
fn significant_start(text: &str, tree: &Tree, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        match tree
            .comments
            .iter()
            .find(|comment| comment.start == at && !comment.is_empty())
        {
            Some(comment) => at = comment.end,
            None => return at,
        }
    }
}
