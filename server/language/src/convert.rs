//! The same configuration in another language, with its comments where that language has them.

mod comments;
mod write;

use mirrord_config::{Format, parse_tree};

use crate::document::Document;
use comments::Comments;

/// A converted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The text.
    pub text: String,
    /// Comments that could not be kept (JSON has none).
    pub lost_comments: usize,
}

impl Document {
    /// The file in another language; the error says in a few words why it cannot be.
    pub fn convert(&self, to: Format) -> Result<Converted, String> {
        if self.text().contains("{%") {
            return Err("its template statements would lose their lines".to_owned());
        }
        let Some(root) = parse_tree(self.text(), self.format()) else {
            return Err("what is wrong with its text has to be mended first".to_owned());
        };
        let comments = Comments::attach(self.text(), &self.tree().comments, &root);
        let (text, lost_comments) = match to {
            Format::Json => (write::json(&root), self.tree().comments.len()),
            Format::Yaml => (write::yaml(&root, &comments), 0),
            Format::Toml => (write::toml(&root, &comments), 0),
        };
        // What was written must say the same; a value that a language cannot hold stops here.
        let read = parse_tree(&text, to);
        match read.is_some_and(|read| write::same(&root, &read)) {
            true => Ok(Converted {
                text,
                lost_comments,
            }),
            false => Err("a value in it cannot be written in that language".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
