//! Text to [`Node`]s, by parsers that keep positions.

mod json;
mod toml;
mod yaml;

use std::path::Path;

use crate::tree::{Node, Span, Value};

/// The languages a configuration can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON; comments and trailing commas are understood, with a warning.
    Json,
    /// YAML 1.2.
    Yaml,
    /// TOML.
    Toml,
}

impl Format {
    /// By a file's extension; none means JSON, as in mirrord.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") | None => Some(Format::Json),
            Some("yaml" | "yml") => Some(Format::Yaml),
            Some("toml") => Some(Format::Toml),
            Some(_) => None,
        }
    }
}

/// Text that is not of its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) span: Span,
}

/// A parsed text and what its author should know.
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// Comments or trailing commas in JSON: where the first stands.
    pub(crate) loose: Option<Span>,
}

/// The values of a whole text with their places; `None` when it is not of its language.
pub fn parse_tree(text: &str, format: Format) -> Option<Node> {
    parse(text, format).ok().map(|parsed| parsed.node)
}

/// Parses a text.
pub(crate) fn parse(text: &str, format: Format) -> Result<Parsed, Vec<SyntaxError>> {
    // A file with nothing in it is an empty configuration, also in JSON.
    if text.trim().is_empty() {
        let node = Node {
            value: Value::Map(Vec::new()),
            span: 0..0,
        };
        return Ok(Parsed { node, loose: None });
    }
    match format {
        Format::Json => json::parse(text),
        Format::Yaml => yaml::parse(text),
        Format::Toml => toml::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(text: &str, format: Format, path: &[&str]) -> (String, Value) {
        let parsed = parse(text, format).unwrap_or_else(|errors| panic!("{errors:?}"));
        let node = path
            .iter()
            .fold(&parsed.node, |node, key| node.get(key).unwrap());
        (text[node.span.clone()].to_owned(), node.value.clone())
    }

    #[test]
    fn each_language_tells_where_a_value_stands() {
        let json = "{\n  \"a\": {\"ä\": [1, \"x\\ny\"], \"n\": null}, // why\n \"b\": true}";
        assert_eq!(
            text_of(json, Format::Json, &["b"]),
            ("true".into(), Value::Bool(true))
        );
        assert_eq!(text_of(json, Format::Json, &["a", "ä"]).0, "[1, \"x\\ny\"]");
        assert_eq!(text_of(json, Format::Json, &["a", "n"]).1, Value::Null);

        let yaml = "# first\na:\n  ä: &x [1, 'x']\n  s: \"5\"\nb: true\nc: *x\n";
        assert_eq!(
            text_of(yaml, Format::Yaml, &["b"]),
            ("true".into(), Value::Bool(true))
        );
        assert_eq!(
            text_of(yaml, Format::Yaml, &["a", "s"]).1,
            Value::Text("5".into())
        );
        assert_eq!(text_of(yaml, Format::Yaml, &["a", "s"]).0, "\"5\"");
        assert!(matches!(
            text_of(yaml, Format::Yaml, &["c"]).1,
            Value::List(_)
        ));

        let toml = "b = true\n[a]\n\"ä\" = [1, \"x\"]\ns = '5'\n";
        assert_eq!(
            text_of(toml, Format::Toml, &["b"]),
            ("true".into(), Value::Bool(true))
        );
        assert_eq!(text_of(toml, Format::Toml, &["a", "ä"]).0, "[1, \"x\"]");
        assert_eq!(
            text_of(toml, Format::Toml, &["a", "s"]).1,
            Value::Text("5".into())
        );
    }

    #[test]
    fn errors_tell_where_they_are() {
        for (text, format, at) in [
            ("{\"a\": }", Format::Json, "}"),
            ("{\"a\": 'x'}", Format::Json, "'x'"),
            ("{\"a\" 1}", Format::Json, "1}"),
            ("a: [1, 2\nb: 3\n", Format::Yaml, ""),
            ("a = \n", Format::Toml, ""),
            ("a = 1\na = 2\n", Format::Toml, "a = 2"),
        ] {
            let Err(errors) = parse(text, format) else {
                panic!("{text} was accepted")
            };
            let start = errors[0].span.start;
            assert!(text[start..].starts_with(at), "{text:?}: {errors:?}");
        }
    }

    #[test]
    fn loose_json_is_reported() {
        for (text, loose) in [
            ("{\"a\": 1}", None),
            ("{\"a\": 1,}", Some(7)),
            ("// x\n{\"a\": 1}", Some(0)),
        ] {
            let parsed = parse(text, Format::Json).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(parsed.loose.map(|span| span.start), loose, "{text}");
        }
    }
}
