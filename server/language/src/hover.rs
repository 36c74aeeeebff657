//! What a key means: its documentation, the values it takes, its default and variable, and what
//! holds now and why.

use ls_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};
use mirrord_config::{Surroundings, schema};

use crate::document::Document;
use crate::keys::{self, Forms};
use crate::place::Place;
use crate::syntax::Step;

impl Document {
    /// What stands at a position.
    pub fn hover(&self, position: Position, surroundings: &Surroundings<'_>) -> Option<Hover> {
        let at = self.byte(position);
        let place = Place::of(self.tree(), self.text(), self.format(), at)?;
        if place.span.is_empty() {
            return None;
        }
        let full = place.full_path(self.text());
        // A value inside a list is about the list's key.
        let names: Vec<&str> = full
            .iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .collect();
        let (known, own) = known_part(&names)?;
        let path: Vec<Step> = known
            .iter()
            .map(|key| Step::Key((*key).to_owned()))
            .collect();
        let mut text = schema::hover(known).unwrap_or_else(|| format!("**{}**", known.join(".")));
        let values = Forms::at(&path).describe();
        if !values.is_empty() {
            text.push_str(&format!("\n\nValues: {values}"));
        }
        if !own.is_empty() && Forms::at(&path).properties().is_empty() {
            text.push_str(&format!("\n\n`{}` is a name of your own.", own.join(".")));
        }
        for (template, value) in self.template_values(surroundings) {
            if place.span.start <= template.start && template.end <= place.span.end {
                let source = &self.text()[template];
                text.push_str(&format!("\n\n`{source}` is `{value}`"));
            }
        }
        Some(Hover {
            contents: HoverContents::Markup(MarkupContent {
                kind: MarkupKind::Markdown,
                value: text,
            }),
            range: Some(self.range(&place.span)),
        })
    }
}

/// The longest part of a path that is a known key, and what of the user's own is behind it. A path
/// with an unknown key has none: the diagnostic says what is to be said.
fn known_part<'a>(names: &'a [&'a str]) -> Option<(&'a [&'a str], &'a [&'a str])> {
    let path: Vec<Step> = names
        .iter()
        .map(|key| Step::Key((*key).to_owned()))
        .collect();
    let length = (1..=names.len())
        .rev()
        .find(|length| keys::property(&path[..*length]).is_some())?;
    let (known, own) = names.split_at(length);
    let open = own.is_empty() || Forms::at(&path[..length]).properties().is_empty();
    open.then_some((known, own))
}
