//! What may be written at the cursor: the keys that are valid there and not there yet, the values
//! of a key, and live values (targets, namespaces, containers, ports, variables).

pub(crate) use written::is_plain_yaml;

mod commas;
mod keys;
mod templates;
mod values;
mod written;

use ls_types::{
    CompletionItem, CompletionItemKind, CompletionItemTag, CompletionList, CompletionTextEdit,
    Documentation, InsertTextFormat, InsertTextMode, MarkupContent, MarkupKind, Position, TextEdit,
};

use commas::Commas;

use crate::document::Document;
use crate::live::Live;
use crate::place::{Place, Role};
use crate::syntax::{Quote, Span};

/// What a client can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Insertions with places to fill in.
    pub snippets: bool,
}

impl Document {
    /// What may be written at a position.
    pub fn completion(
        &self,
        position: Position,
        live: &dyn Live,
        abilities: Abilities,
    ) -> CompletionList {
        let at = self.byte(position);
        let mut items = Items {
            document: self,
            live,
            abilities,
            at,
            commas: Commas::default(),
            items: Vec::new(),
        };
        let in_template = items.offer_in_template();
        let place = Place::of(self.tree(), self.text(), self.format(), at);
        if let Some(place) = place.filter(|_| !in_template) {
            items.commas = commas::around(self.text(), self.tree(), &place, self.format());
            items.offer(&place);
        }
        CompletionList {
            is_incomplete: !live.is_complete(),
            items: items.items,
        }
    }
}

/// What is offered, while it is being collected.
struct Items<'a> {
    document: &'a Document,
    live: &'a dyn Live,
    abilities: Abilities,
    /// The cursor.
    at: usize,
    /// What an insertion needs around itself.
    commas: Commas,
    items: Vec<CompletionItem>,
}

/// One offer, before it has its place in the text.
struct Offer {
    label: String,
    detail: Option<String>,
    documentation: Option<String>,
    kind: CompletionItemKind,
    deprecated: bool,
    /// Offers of a lower rank come first.
    rank: u8,
    /// What is inserted, with `$1` and `${1|a,b|}` for places to fill in.
    snippet: String,
    /// The same as plain text, for clients without snippets.
    plain: String,
}

impl Items<'_> {
    fn offer(&mut self, place: &Place) {
        match &place.role {
            Role::Key { others, separated } => {
                self.keys(place, others, *separated);
                if place.path.is_empty() && place.span.is_empty() {
                    self.headers(place);
                }
            }
            Role::Header => self.header_names(place),
            Role::Value { or_key } => {
                // On a line of its own a key is what is wanted more often.
                if *or_key {
                    self.keys(place, &[], false);
                }
                self.values(place);
            }
        }
    }

    fn push(&mut self, place: &Place, offer: Offer) {
        let document = self.document;
        let text = document.text();
        let with_snippet =
            self.abilities.snippets && offer.snippet != written::escape(&offer.plain);
        let mut new_text = if with_snippet {
            offer.snippet
        } else {
            offer.plain
        };
        new_text.push_str(self.commas.after);
        let additional = self.commas.before.map(|at| TextEdit {
            range: document.range(&(at..at)),
            new_text: ",".to_owned(),
        });
        // The client compares with what stands in the range before the cursor, quotes included.
        let typed = &text[place.span.start..self.at.clamp(place.span.start, place.span.end)];
        let filter = match place.quote {
            Quote::Double if typed.starts_with('"') => format!("\"{}\"", offer.label),
            Quote::Single if typed.starts_with('\'') => format!("'{}'", offer.label),
            _ => offer.label.clone(),
        };
        let documentation = offer.documentation.map(|value| {
            Documentation::MarkupContent(MarkupContent {
                kind: MarkupKind::Markdown,
                value,
            })
        });
        self.items.push(CompletionItem {
            filter_text: (filter != offer.label).then_some(filter),
            sort_text: Some(format!("{}{:04}", offer.rank, self.items.len())),
            label: offer.label,
            detail: offer.detail,
            documentation,
            kind: Some(offer.kind),
            tags: offer
                .deprecated
                .then(|| vec![CompletionItemTag::DEPRECATED]),
            insert_text_format: Some(if with_snippet {
                InsertTextFormat::SNIPPET
            } else {
                InsertTextFormat::PLAIN_TEXT
            }),
            insert_text_mode: Some(InsertTextMode::ADJUST_INDENTATION),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                range: document.range(&self.replaced(place)),
                new_text,
            })),
            additional_text_edits: additional.map(|edit| vec![edit]),
            ..CompletionItem::default()
        });
    }

    /// What an insertion replaces; a quote that nothing closes takes no more than was typed.
    fn replaced(&self, place: &Place) -> Span {
        let written = &self.document.text()[place.span.clone()];
        let quoted = matches!(place.quote, Quote::Double | Quote::Single);
        let closed = written.len() > 1 && written.ends_with(['"', '\'']);
        if quoted && !closed && self.at > place.span.start {
            return place.span.start..self.at;
        }
        place.span.clone()
    }
}

impl Offer {
    fn plain(text: String, kind: CompletionItemKind) -> Self {
        Offer {
            label: text.clone(),
            detail: None,
            documentation: None,
            kind,
            deprecated: false,
            rank: 0,
            snippet: written::escape(&text),
            plain: text,
        }
    }
}

#[cfg(test)]
mod tests;
