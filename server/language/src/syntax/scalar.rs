//! Single values and keys: quoted in the ways of the three languages, or plain.

use super::{Scalar, Span, line_end};

/// How a text is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quote {
    None,
    /// `"…"`.
    Double,
    /// `'…'`.
    Single,
    /// TOML's `"""…"""` and `'''…'''`, YAML's `|` and `>`.
    Lines,
}

/// What a language lets quotes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Json,
    /// YAML in brackets, and its keys.
    Yaml,
    Toml,
}

/// Reads the quoted text at `at`, which begins with a quote. A quote that nothing closes reaches to
/// the end of its line (in YAML too, which lets quoted text go on: half-typed quotes are common, long
/// quoted texts are not).
pub(super) fn quoted(text: &str, at: usize, dialect: Dialect) -> (Span, Scalar) {
    let rest = &text[at..];
    let mark = &rest[..1];
    let triple = mark.repeat(3);
    if dialect == Dialect::Toml && rest.starts_with(&triple) {
        let body = &rest[3..];
        let end = body.find(&triple).map_or(body.len(), |end| {
            // Up to two quotes may stand right before the closing ones.
            end + body[end + 3..]
                .bytes()
                .take(2)
                .take_while(|byte| *byte == mark.as_bytes()[0])
                .count()
        });
        let inner = body[..end].strip_prefix('\n').unwrap_or(&body[..end]);
        let stop = (at + 3 + end + 3).min(text.len());
        let scalar = Scalar {
            text: inner.to_owned(),
            quote: Quote::Lines,
        };
        return (at..stop, scalar);
    }
    let single = mark == "'";
    let escapes = !single || dialect == Dialect::Json;
    let mut characters = rest[1..].char_indices().peekable();
    let mut end = None;
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' if escapes => {
                characters.next_if(|next| !matches!(next.1, '\n' | '\r'));
            }
            '\n' | '\r' => break,
            '\'' if single
                && dialect == Dialect::Yaml
                && characters.next_if(|next| next.1 == '\'').is_some() => {}
            _ if mark.starts_with(character) => {
                end = Some(1 + index);
                break;
            }
            _ => {}
        }
    }
    let quote = if single { Quote::Single } else { Quote::Double };
    let (span, inner) = match end {
        Some(end) => (at..at + end + 1, &rest[1..end]),
        None => {
            let stop = line_end(text, at);
            (at..stop, &text[at + 1..stop])
        }
    };
    let text = match quote {
        Quote::Single if dialect == Dialect::Yaml => inner.replace("''", "'"),
        Quote::Single => inner.to_owned(),
        // What the languages share of escapes is JSON's; others stay as they are written.
        _ => serde_json::from_str(&format!("\"{inner}\"")).unwrap_or_else(|_| inner.to_owned()),
    };
    (span, Scalar { text, quote })
}

/// Where the plain text at `at` ends, inside brackets.
pub(super) fn plain_end(text: &str, at: usize, dialect: Dialect) -> usize {
    let rest = &text[at..];
    let mut before = ' ';
    let mut end = rest.len();
    for (index, character) in rest.char_indices() {
        let after = rest[index + character.len_utf8()..].chars().next();
        let stops = match character {
            '\n' | '\r' | ',' | '[' | ']' | '{' | '}' => true,
            ':' if dialect == Dialect::Json => true,
            ':' if dialect == Dialect::Yaml => {
                after.is_none_or(|next| next.is_whitespace() || ",[]{}".contains(next))
            }
            '#' => dialect == Dialect::Toml || (dialect == Dialect::Yaml && before.is_whitespace()),
            '=' if dialect == Dialect::Toml => true,
            '"' if dialect == Dialect::Json => true,
            '/' if dialect == Dialect::Json => matches!(after, Some('/' | '*')),
            other if dialect != Dialect::Yaml => other.is_whitespace(),
            _ => false,
        };
        if stops {
            end = index;
            break;
        }
        before = character;
    }
    at + rest[..end].trim_end().len()
}
