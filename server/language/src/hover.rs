//! What a key means: its documentation, the values it takes, its default and variable, and what
//! holds now and why.

use ls_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};
use mirrord_config::setting::Origin;
use mirrord_config::{Flags, Surroundings, effective_at, read_in, schema};

use crate::document::Document;
use crate::keys::{self, Forms, Shape};
use crate::live::{Live, TargetState};
use crate::place::Place;
use crate::syntax::Step;

impl Document {
    /// What stands at a position.
    pub fn hover(
        &self,
        position: Position,
        live: &dyn Live,
        surroundings: &Surroundings<'_>,
    ) -> Option<Hover> {
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
        // Words are listed with their meanings already.
        let forms = Forms::at(&path);
        let values = forms.describe();
        if !values.is_empty() && !forms.has(Shape::Words) {
            text.push_str(&format!("\n\nValues: {values}"));
        }
        if let Some(now) = self.effective(known, surroundings) {
            text.push_str(&format!("\n\n{now}"));
        }
        if let ["target"] | ["target", "path"] = known
            && let Some(there) = self.target_there(live)
        {
            text.push_str(&format!("\n\n{there}"));
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

impl Document {
    /// The value that holds for a key, and where it comes from.
    fn effective(&self, path: &[&str], surroundings: &Surroundings<'_>) -> Option<String> {
        let text = Some((self.path(), self.text()));
        let reading = read_in(text, None, &Flags::default(), surroundings);
        let found = effective_at(&reading.config, &reading.unserved, path)?;
        let value = shortened(&found.value.to_string());
        Some(match &found.origin {
            Origin::Default => format!("Now: `{value}`, the default"),
            Origin::File(place) | Origin::Template(place) => {
                format!("Now: `{value}`, from line {}", place.start().line)
            }
            origin => format!("Now: `{value}`, from `{origin}`"),
        })
    }
}

impl Document {
    /// What is known of the target just now.
    fn target_there(&self, live: &dyn Live) -> Option<String> {
        let target = self.meant_target()?;
        let namespace = self.namespace();
        let reason = match live.target_state(&target, namespace)? {
            TargetState::Missing(message) => return Some(format!("⚠ {message}")),
            TargetState::There { reason } => reason,
        };
        let mut parts = Vec::new();
        let containers = live.containers(&target, namespace);
        if !containers.is_empty() {
            parts.push(format!("containers {}", containers.join(", ")));
        }
        let ports = live.ports(&target, namespace);
        if !ports.is_empty() {
            let ports: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
            parts.push(format!("ports {}", ports.join(", ")));
        }
        parts.push(reason.unwrap_or_else(|| "ready".to_owned()));
        Some(format!("Just now: {}", parts.join("; ")))
    }
}

/// A hover is no place for a list of hundreds.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 100;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
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
