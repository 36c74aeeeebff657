//! Kinds of problems, so that an editor or a script can tell them apart.

use std::fmt;

macro_rules! codes {
    ($( $(#[doc = $doc:literal])* $variant:ident = $word:literal, )*) => {
        /// Which kind of trouble a problem is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $( $(#[doc = $doc])* $variant, )* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Code] = &[$( Code::$variant, )*];

            /// Its word, which stays the same from version to version.
            pub fn as_str(self) -> &'static str {
                match self { $( Code::$variant => $word, )* }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $( Code::$variant => concat!($($doc),*).trim_ascii(), )* }
            }
        }
    };
}

codes! {
    /// The text is not JSON, YAML or TOML.
    Syntax = "syntax",
    /// A template cannot be rendered.
    Template = "template",
    /// JSON with comments or trailing commas.
    LooseJson = "loose-json",
    /// The file cannot be read.
    Unreadable = "unreadable",
    /// There are several configurations.
    SeveralFiles = "several-files",
    /// There is no such key.
    UnknownKey = "unknown-key",
    /// A key stands twice in one object.
    DuplicateKey = "duplicate-key",
    /// A value of another type is needed.
    WrongType = "wrong-type",
    /// A value is none of the known ones.
    UnknownValue = "unknown-value",
    /// A number is too small or too large.
    OutOfRange = "out-of-range",
    /// A value is missing or empty.
    Missing = "missing",
    /// A regular expression does not compile.
    BadPattern = "bad-pattern",
    /// A filter (of addresses, requests or bodies) cannot be read.
    BadFilter = "bad-filter",
    /// A target cannot be read.
    BadTarget = "bad-target",
    /// Two values exclude each other.
    Conflict = "conflict",
    /// A value changes nothing.
    NoEffect = "no-effect",
    /// Something that is not served yet.
    NotYet = "not-yet",
    /// Something that only mirrord's paid operator serves.
    OperatorOnly = "operator-only",
    /// A key or value that has had its day.
    Deprecated = "deprecated",
    /// An environment variable or a flag has a wrong value.
    Environment = "environment",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_a_meaning() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(code.meaning().ends_with('.'), "{code}");
            assert!(
                Code::ALL[..index]
                    .iter()
                    .all(|other| other.as_str() != code.as_str()),
                "{code}"
            );
        }
    }
}
