//! Values that are one of a few words.

use super::key::Word;
use super::names::nearest;
use crate::problem::Code;
use crate::reader::Reader;
use crate::tree::{Node, Value};

/// Reports a value that is none of these words.
pub(crate) fn wrong_word(words: &[Word], node: &Node, reader: &mut Reader) {
    let list: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.word))
        .collect();
    let message = format!("{} must be one of {}", reader.name(""), list.join(", "));
    let names: Vec<&str> = words.iter().map(|word| word.word).collect();
    let near = match &node.value {
        Value::Text(text) => nearest(&names, text),
        _ => None,
    };
    let fix = near.and_then(|word| reader.renaming(&node.span, word));
    let problem = reader.error(Code::UnknownValue, &node.span, message);
    problem.help = near.map(|word| format!("did you mean `{word}`?"));
    problem.fix = fix;
}

/// Declares an enum of words.
macro_rules! words {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $( $(#[doc = $wdoc:literal])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $wdoc])* $variant, )* }

        impl $name {
            const WORDS: &'static [(&'static str, $name)] = &[$( ($word, $name::$variant) ),*];
            const DOCS: &'static [$crate::group::Word] = &[$( $crate::group::Word {
                word: $word,
                doc: concat!($($wdoc),*).trim_ascii(),
            } ),*];

            /// The word in a configuration.
            pub fn as_str(self) -> &'static str {
                match self { $( $name::$variant => $word, )* }
            }

            fn from_word(word: &str) -> Option<Self> {
                Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
            }

            fn expected() -> String {
                let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
                format!("one of {}", words.join(", "))
            }
        }

        impl $crate::reader::Kind for $name {
            fn read(
                node: &$crate::tree::Node,
                reader: &mut $crate::reader::Reader,
            ) -> Option<Self> {
                let value = match &node.value {
                    $crate::tree::Value::Text(word) => Self::from_word(word),
                    _ => None,
                };
                if value.is_none() {
                    $crate::group::wrong_word(Self::DOCS, node, reader);
                }
                value
            }

            fn from_env(text: &str, _: &str) -> Result<Self, String> {
                Self::from_word(text).ok_or_else(Self::expected)
            }

            fn schema() -> serde_json::Value {
                let words: Vec<_> = Self::WORDS.iter().map(|(word, _)| *word).collect();
                serde_json::json!({ "enum": words })
            }

            fn to_json(&self) -> serde_json::Value {
                serde_json::json!(self.as_str())
            }

            fn words() -> Vec<$crate::group::Word> {
                Self::DOCS.to_vec()
            }
        }
    };
}
pub(crate) use words;
