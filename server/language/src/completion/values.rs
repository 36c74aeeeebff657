//! Values at the cursor: words, truth values, brackets to fill in, and live values.

use ls_types::CompletionItemKind;
use mirrord_config::Format;
use serde_json::Value as Json;

use super::{Items, Offer, written};
use crate::keys::{self, Forms, Shape};
use crate::place::Place;
use crate::syntax::{Quote, Step, line_start};

/// Which live values belong at a path.
enum Source {
    Targets,
    /// Names of targets of one kind (`{"pod": …}`).
    Names(String),
    Namespaces,
    Containers,
    Ports,
    Variables,
    Nothing,
}

impl Items<'_> {
    pub(super) fn values(&mut self, place: &Place) {
        let forms = Forms::at(&place.path);
        self.live_values(place);
        let quoted = matches!(place.quote, Quote::Double | Quote::Single);
        let default = keys::property(&place.path).and_then(|property| property.default());
        for word in forms.words() {
            let mut offer = Offer::plain(word.to_owned(), CompletionItemKind::ENUM_MEMBER);
            if default.and_then(Json::as_str) == Some(word) {
                offer.detail = Some("the default".to_owned());
            }
            self.push_text(place, offer, word);
        }
        if quoted {
            return;
        }
        if forms.has(Shape::Truth) {
            for value in [true, false] {
                let mut offer = Offer::plain(value.to_string(), CompletionItemKind::VALUE);
                if default == Some(&Json::Bool(value)) {
                    offer.detail = Some("the default".to_owned());
                }
                self.push_value(place, offer);
            }
        }
        self.brackets(place, &forms);
    }

    /// `{…}` and `[…]`, where something is to be written in them.
    fn brackets(&mut self, place: &Place, forms: &Forms) {
        let block = self.document.format() == Format::Yaml && !place.in_brackets;
        let shapes = [
            (Shape::Object, "{ $1 }", "{}", "{…}"),
            (Shape::List, "[$1]", "[]", "[…]"),
        ];
        for (shape, snippet, plain, label) in shapes {
            if forms.has(shape) && !block && place.span.is_empty() {
                let mut offer = Offer::plain(plain.to_owned(), CompletionItemKind::SNIPPET);
                offer.label = label.to_owned();
                offer.snippet = snippet.to_owned();
                self.push_value(place, offer);
            }
        }
    }

    fn live_values(&mut self, place: &Place) {
        let namespace = self.document.namespace();
        let target = self.document.meant_target();
        let target = target.as_deref();
        match source(&place.path) {
            Source::Targets => {
                for found in self.live.targets(namespace) {
                    let mut offer = Offer::plain(found.path.clone(), CompletionItemKind::REFERENCE);
                    offer.detail = found.detail;
                    self.push_text(place, offer, &found.path);
                }
                for form in mirrord_config::config::target::FORMS {
                    let offer = Offer::plain((*form).to_owned(), CompletionItemKind::SNIPPET);
                    self.push_text(place, offer, form);
                }
            }
            Source::Names(kind) => {
                for found in self.live.targets(namespace) {
                    let mut parts = found.path.splitn(3, '/');
                    if let (Some(own), Some(name)) = (parts.next(), parts.next())
                        && own == kind
                        && parts.next().is_none()
                    {
                        let mut offer =
                            Offer::plain(name.to_owned(), CompletionItemKind::REFERENCE);
                        offer.detail = found.detail.clone();
                        self.push_text(place, offer, name);
                    }
                }
            }
            Source::Namespaces => self.texts(place, self.live.namespaces()),
            Source::Containers => {
                // Not of the container that is being typed.
                let whole = target.and_then(|target| target.split("/container/").next());
                if let Some(target) = whole {
                    self.texts(place, self.live.containers(target, namespace));
                }
            }
            Source::Ports => {
                let ports = target.map(|target| self.live.ports(target, namespace));
                for port in ports.unwrap_or_default() {
                    let mut offer = Offer::plain(port.port.to_string(), CompletionItemKind::VALUE);
                    offer.detail = port.detail;
                    self.push_value(place, offer);
                }
            }
            Source::Variables => {
                let names = target.map(|target| self.live.env_names(target, namespace));
                self.texts(place, names.unwrap_or_default());
            }
            Source::Nothing => {}
        }
    }

    /// Names for the keys of a map of the user's own names.
    pub(super) fn live_keys(&self, place: &Place) -> Vec<String> {
        let names: Vec<&str> = place.path.iter().filter_map(key_of).collect();
        match (names.as_slice(), self.document.meant_target()) {
            (["feature", "env", "override"], Some(target)) => {
                self.live.env_names(&target, self.document.namespace())
            }
            _ => Vec::new(),
        }
    }

    fn texts(&mut self, place: &Place, values: Vec<String>) {
        for value in values {
            let offer = Offer::plain(value.clone(), CompletionItemKind::REFERENCE);
            self.push_text(place, offer, &value);
        }
    }

    /// Offers a text in the language's quotes, or in those that are there already.
    fn push_text(&mut self, place: &Place, mut offer: Offer, value: &str) {
        let format = self.document.format();
        let written = match (format, place.quote) {
            (Format::Yaml | Format::Toml, Quote::Single) if !value.contains('\'') => {
                format!("'{value}'")
            }
            (Format::Yaml, Quote::Double) => written::text(value, Format::Json),
            _ => written::text(value, format),
        };
        offer.snippet = written::escape(&written);
        offer.plain = written;
        self.push_value(place, offer);
    }

    /// Offers a value, with the space that belongs before it when it stands right at its colon.
    fn push_value(&mut self, place: &Place, mut offer: Offer) {
        let text = self.document.text();
        let before = &text[line_start(text, place.span.start)..place.span.start];
        if before.ends_with([':', '=']) || (before.ends_with('-') && !place.in_brackets) {
            offer.snippet.insert(0, ' ');
            offer.plain.insert(0, ' ');
        }
        self.push(place, offer);
    }
}

/// The live values of a path.
fn source(path: &[Step]) -> Source {
    let names: Vec<&str> = path.iter().filter_map(key_of).collect();
    match names.as_slice() {
        ["target"] | ["target", "path"] => Source::Targets,
        ["target", "namespace"] | ["agent", "namespace"] => Source::Namespaces,
        ["target", "container"] | ["target", "path", "container"] => Source::Containers,
        ["target", kind] | ["target", "path", kind] => Source::Names(kind.replace('_', "")),
        [
            "feature",
            "network",
            "incoming",
            "ports" | "ignore_ports" | "port_mapping",
        ]
        | ["feature", "network", "incoming", "http_filter", "ports"] => Source::Ports,
        ["feature", "env", "include" | "exclude" | "unset"] => Source::Variables,
        _ => Source::Nothing,
    }
}

fn key_of(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) => None,
    }
}
