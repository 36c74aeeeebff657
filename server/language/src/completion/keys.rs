//! Keys at the cursor: those of the schema that are not there yet, the user's own names where they
//! are known, and TOML's headers.

use ls_types::CompletionItemKind;
use mirrord_config::Format;
use mirrord_config::group::Status;

use super::{Items, Offer, written};
use crate::keys::{Forms, Property, tables};
use crate::place::Place;
use crate::syntax::{Step, line_start};

impl Items<'_> {
    pub(super) fn keys(&mut self, place: &Place, others: &[String], separated: bool) {
        let forms = Forms::at(&place.path);
        let properties = forms.properties().into_iter();
        for property in properties.filter(|property| !others.iter().any(|key| key == property.name))
        {
            let offer = self.key(&property, place, separated);
            self.push(place, offer);
        }
        // Maps of the user's own names: those of variables are known.
        if forms.properties().is_empty() {
            for name in self.live_keys(place) {
                if !others.contains(&name) {
                    let offer = self.own_key(&name, place, separated);
                    self.push(place, offer);
                }
            }
        }
    }

    fn key(&self, property: &Property, place: &Place, separated: bool) -> Offer {
        let forms = Forms::of(property.schema);
        let key = written::key(property.name, self.document.format(), place);
        let mut snippet = written::escape(&key);
        let mut plain = key;
        if !separated {
            let indent = self.is_indented(place);
            let value = written::value(
                &forms,
                property.default(),
                self.document.format(),
                place,
                indent,
            );
            snippet.push_str(&value.snippet);
            plain.push_str(&value.plain);
        }
        Offer {
            label: property.name.to_owned(),
            detail: Some(forms.describe()).filter(|detail| !detail.is_empty()),
            documentation: property.doc().map(str::to_owned),
            kind: CompletionItemKind::PROPERTY,
            deprecated: property.is_deprecated(),
            rank: rank(&place.path, property),
            snippet,
            plain,
        }
    }

    fn own_key(&self, name: &str, place: &Place, separated: bool) -> Offer {
        let key = written::key(name, self.document.format(), place);
        let (mut snippet, mut plain) = (written::escape(&key), key);
        if !separated {
            let text = written::text_value(self.document.format());
            snippet.push_str(&text.snippet);
            plain.push_str(&text.plain);
        }
        Offer {
            label: name.to_owned(),
            detail: Some("variable of the target".to_owned()),
            documentation: None,
            kind: CompletionItemKind::VARIABLE,
            deprecated: false,
            rank: 0,
            snippet,
            plain,
        }
    }

    /// TOML's headers, on an empty line before the first.
    pub(super) fn headers(&mut self, place: &Place) {
        if self.document.format() != Format::Toml || place.in_brackets {
            return;
        }
        for path in tables() {
            let header = format!("[{}]", path.join("."));
            self.push(place, Offer::plain(header, CompletionItemKind::MODULE));
        }
    }

    /// Names inside `[…]`.
    pub(super) fn header_names(&mut self, place: &Place) {
        let above: Vec<String> = place
            .path
            .iter()
            .map(|step| match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            })
            .collect();
        for path in tables() {
            let below = path.strip_prefix(
                above
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .as_slice(),
            );
            if let Some(rest) = below.filter(|rest| !rest.is_empty()) {
                self.push(
                    place,
                    Offer::plain(rest.join("."), CompletionItemKind::MODULE),
                );
            }
        }
    }

    /// Whether a map that goes on below this place is indented already by its line.
    fn is_indented(&self, place: &Place) -> bool {
        let text = self.document.text();
        let start = line_start(text, place.span.start);
        text[start..place.span.start].trim().is_empty()
    }
}

/// Keys that do something come before those that do nothing yet, and those before the rest.
fn rank(path: &[Step], property: &Property) -> u8 {
    let keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let path: Vec<&str> = keys.chain([property.name]).collect();
    match mirrord_config::schema::find(&path).map(|key| key.status) {
        Some(Status::Served) => 0,
        Some(Status::NotYet(_)) => 1,
        Some(_) => 2,
        // A key of a value's own object is as good as the value's key; `$schema` is nobody's.
        None => u8::from(property.name.starts_with('$')) * 2,
    }
}
