//! What is known of a key besides its value: for schema, hover, completion and suggestions.

use serde_json::Value as Json;

use crate::problem::{Code, Severity};

/// What we do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// What it says.
    Served,
    /// Nothing yet; what it waits for.
    NotYet(&'static str),
    /// Nothing: it belongs to mirrord's paid operator; why, and what to use instead.
    Operator(&'static str),
    /// Nothing: there is nothing to do here, and why.
    NotNeeded(&'static str),
    /// Nothing: it has had its day.
    Deprecated {
        /// Why.
        why: &'static str,
        /// The key beside it that is to be used instead.
        replacement: Option<&'static str>,
    },
}

impl Status {
    /// The sentence for a warning or a hover text.
    pub fn sentence(self) -> Option<String> {
        match self {
            Status::Served => None,
            Status::NotYet(why) => Some(format!("not yet: {why}")),
            Status::Operator(why) => {
                Some(format!("only mirrord's paid operator serves this: {why}"))
            }
            Status::NotNeeded(why) => Some(format!("this has no effect: {why}")),
            Status::Deprecated {
                why,
                replacement: Some(new),
            } => Some(format!("this is deprecated, use `{new}`: {why}")),
            Status::Deprecated { why, .. } => Some(format!("this is deprecated: {why}")),
        }
    }

    /// How a value that asks for it is reported.
    pub(crate) fn report(self) -> Option<(Severity, Code)> {
        match self {
            Status::Served => None,
            Status::NotYet(_) => Some((Severity::Warning, Code::NotYet)),
            Status::Operator(_) => Some((Severity::Warning, Code::OperatorOnly)),
            Status::NotNeeded(_) => Some((Severity::Note, Code::NoEffect)),
            Status::Deprecated { .. } => Some((Severity::Warning, Code::Deprecated)),
        }
    }
}

/// One of the words that a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub word: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// A key, for schema, hover and suggestions.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// Its name.
    pub name: &'static str,
    /// What it means, in one paragraph.
    pub doc: String,
    /// JSON Schema of its values; of shorthand forms only, when it has keys below it.
    pub schema: Json,
    /// Its default, or null.
    pub default: Json,
    /// Environment variables that set it, the first one wins.
    pub env: &'static [&'static str],
    /// What we do with it.
    pub status: Status,
    /// The words that it can be, when there is a closed list of them.
    pub words: Vec<Word>,
    /// The keys below it.
    pub children: Option<Vec<KeyInfo>>,
}

impl KeyInfo {
    /// The key at a path below these keys.
    pub fn find<'a>(keys: &'a [KeyInfo], path: &[&str]) -> Option<&'a KeyInfo> {
        let (first, rest) = path.split_first()?;
        let key = keys.iter().find(|key| key.name == *first)?;
        match rest {
            [] => Some(key),
            rest => KeyInfo::find(key.children.as_deref()?, rest),
        }
    }
}

/// The lines of a doc comment as one paragraph.
pub(crate) fn paragraph(doc: &str) -> String {
    let lines: Vec<&str> = doc
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}
