//! Formatting: JSON and YAML by libraries that keep comments; TOML, whose files people lay out
//! with care, gets its spaces and blank lines put right and nothing else.

mod toml;

use std::path::Path;

use dprint_plugin_json::configuration::ConfigurationBuilder;
use ls_types::TextEdit;
use mirrord_config::{Format, parse_tree};
use pretty_yaml::config::FormatOptions;

use crate::document::Document;

impl Document {
    /// The edits that lay the file out. None while it is broken: what is not understood is not
    /// moved.
    pub fn format_edits(&self) -> Vec<TextEdit> {
        let Some(formatted) = self.formatted() else {
            return Vec::new();
        };
        self.difference(&formatted).into_iter().collect()
    }

    fn formatted(&self) -> Option<String> {
        let before = parse_tree(self.text(), self.format())?;
        if self.text().trim().is_empty() {
            return None;
        }
        let formatted = match self.format() {
            Format::Json => {
                let mut builder = ConfigurationBuilder::new();
                let configuration = builder.indent_width(2).line_width(100).build();
                let path = Path::new("mirrord.json");
                dprint_plugin_json::format_text(path, self.text(), &configuration)
                    .ok()?
                    .unwrap_or_else(|| self.text().to_owned())
            }
            Format::Yaml => {
                pretty_yaml::format_text(self.text(), &FormatOptions::default()).ok()?
            }
            Format::Toml => toml::format(self.text(), self.tree()),
        };
        // Layout changes no value. Should a formatter be wrong about that, it is not asked.
        let after = parse_tree(&formatted, self.format())?;
        before.same_values(&after).then_some(formatted)
    }

    /// One edit from the first to the last difference, so that the cursor stays where it is.
    fn difference(&self, formatted: &str) -> Option<TextEdit> {
        let text = self.text();
        if text == formatted {
            return None;
        }
        let same = |left: char, right: char| left == right;
        let pairs = text.chars().zip(formatted.chars());
        let start: usize = pairs
            .take_while(|(l, r)| same(*l, *r))
            .map(|(l, _)| l.len_utf8())
            .sum();
        let (rest, new_rest) = (&text[start..], &formatted[start..]);
        let pairs = rest.chars().rev().zip(new_rest.chars().rev());
        let end: usize = pairs
            .take_while(|(l, r)| same(*l, *r))
            .map(|(l, _)| l.len_utf8())
            .sum();
        let new_text = new_rest[..new_rest.len() - end].to_owned();
        Some(self.edit(start..text.len() - end, new_text))
    }
}

#[cfg(test)]
mod tests;
