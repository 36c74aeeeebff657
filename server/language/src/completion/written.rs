//! How keys and values are written in each language, as snippets and as plain text.

use mirrord_config::Format;
use serde_json::Value as Json;

use crate::keys::{Forms, Shape};
use crate::place::Place;

/// A text with places to fill in, and without.
pub(super) struct Written {
    pub(super) snippet: String,
    pub(super) plain: String,
}

/// A key with its quotes.
pub(super) fn key(name: &str, format: Format, place: &Place) -> String {
    let bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let quoted = place.quote != crate::syntax::Quote::None;
    match format {
        Format::Json => text(name, Format::Json),
        _ if bare && !quoted => name.to_owned(),
        Format::Yaml if quoted => format!("\"{name}\""),
        Format::Yaml => text(name, Format::Yaml),
        Format::Toml => text(name, Format::Toml),
    }
}

/// Text as a value.
pub(super) fn text(value: &str, format: Format) -> String {
    let double = || Json::String(value.to_owned()).to_string();
    match format {
        Format::Json | Format::Toml => double(),
        Format::Yaml if is_plain_yaml(value) => value.to_owned(),
        Format::Yaml => double(),
    }
}

/// Whether YAML reads a text as itself when it has no quotes.
pub(crate) fn is_plain_yaml(value: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "~"];
    let first = value.chars().next();
    first.is_some_and(|c| c.is_alphanumeric() || "/_.^$(".contains(c))
        && !first.is_some_and(|c| c.is_ascii_digit() || c == '.')
        && !words.contains(&value.to_lowercase().as_str())
        && !value.contains(": ")
        && !value.contains(" #")
        && !value.ends_with(':')
        && value.trim() == value
        && !value.contains(['\n', '\r', '\t', '"', '\'', '[', ']', '{', '}', ','])
}

/// What follows a new key: the separator and a value to fill in.
pub(super) fn value(
    forms: &Forms,
    default: Option<&Json>,
    format: Format,
    place: &Place,
    own_line: bool,
) -> Written {
    let separator = if format == Format::Toml { " = " } else { ": " };
    let in_brackets = place.in_brackets;
    let lines = in_brackets && format == Format::Json && own_line;
    let (snippet, plain) = match forms.shape() {
        Shape::Object if format == Format::Yaml && !in_brackets => {
            return both(":\n  $1", ":\n  ");
        }
        Shape::Object if lines => ("{\n  $1\n}".to_owned(), "{}".to_owned()),
        Shape::Object => ("{ $1 }".to_owned(), "{}".to_owned()),
        Shape::List => {
            let item = match forms.items().shape() {
                Shape::Text | Shape::Words if format != Format::Yaml || in_brackets => "\"$1\"",
                Shape::List => "[$1]",
                _ => "$1",
            };
            if format == Format::Yaml && !in_brackets {
                return both(&format!(":\n  - {item}"), ":\n  - ");
            }
            (format!("[{item}]"), "[]".to_owned())
        }
        Shape::Words => {
            let mut words = forms.words();
            words.sort_by_key(|word| default.and_then(Json::as_str) != Some(word));
            let choice = format!("${{1|{}|}}", words.join(","));
            let first = words.first().copied().unwrap_or("");
            let quoted = format != Format::Yaml || !words.iter().all(|word| is_plain_yaml(word));
            match quoted {
                true => (format!("\"{choice}\""), format!("\"{first}\"")),
                false => (choice, first.to_owned()),
            }
        }
        // Whoever writes the key wants what is not the default.
        Shape::Truth if default == Some(&Json::Bool(true)) => {
            ("${1|false,true|}".to_owned(), "false".to_owned())
        }
        Shape::Truth => ("${1|true,false|}".to_owned(), "true".to_owned()),
        Shape::Text => return text_value(format),
        Shape::Number | Shape::Anything => ("$1".to_owned(), String::new()),
    };
    both(
        &format!("{separator}{snippet}"),
        &format!("{separator}{plain}"),
    )
}

/// What follows a new key whose value is text.
pub(super) fn text_value(format: Format) -> Written {
    match format {
        Format::Json => both(": \"$1\"", ": \"\""),
        Format::Yaml => both(": $1", ": "),
        Format::Toml => both(" = \"$1\"", " = \"\""),
    }
}

/// A text that means itself in a snippet.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('$', "\\$")
        .replace('}', "\\}")
}

fn both(snippet: &str, plain: &str) -> Written {
    Written {
        snippet: snippet.to_owned(),
        plain: plain.to_owned(),
    }
}
