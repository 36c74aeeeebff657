//! Comments in front of keys and of values in lists, in languages that have them.

use crate::parse::{Format, parse};
use crate::tree::{Node, Value};

/// The text with a comment in front of each of these; the path of a value in a list ends with its
/// number. What stands on no line of its own is told in front of that line. In JSON, and where a
/// comment would change what the text says, the text stays as it is.
pub fn commented(text: &str, format: Format, comments: &[(Vec<String>, String)]) -> String {
    let Some(before) = parse(text, format).ok().map(|parsed| parsed.node) else {
        return text.to_owned();
    };
    if format == Format::Json {
        return text.to_owned();
    }
    let mut placed: Vec<(usize, &str)> = comments
        .iter()
        .filter_map(|(path, comment)| Some((line_of(text, &before, path)?, comment.as_str())))
        .collect();
    // Stable: of those in front of one line the order stays.
    placed.sort_by_key(|(at, _)| *at);
    let mut now = text.to_owned();
    for (at, comment) in placed.into_iter().rev() {
        let indent = now[at..].len() - now[at..].trim_start_matches([' ', '\t']).len();
        let indent = now[at..at + indent].to_owned();
        // Of one line, whatever it says.
        let comment = comment.replace(['\n', '\r'], " ");
        now.insert_str(at, &format!("{indent}# {comment}\n"));
    }
    match parse(&now, format) {
        Ok(parsed) if parsed.node.same_values(&before) => now,
        _ => text.to_owned(),
    }
}

/// Where the line begins in which a key or a list's value stands.
fn line_of(text: &str, root: &Node, path: &[String]) -> Option<usize> {
    let mut at = None;
    let mut node = root;
    for part in path {
        match &node.value {
            Value::Map(entries) => {
                let entry = entries.iter().find(|entry| entry.key == *part)?;
                (at, node) = (Some(entry.key_span.start), &entry.value);
            }
            Value::List(items) => {
                node = items.get(part.parse::<usize>().ok()?)?;
                at = Some(node.span.start);
            }
            _ => return None,
        }
    }
    let at = at?;
    Some(text[..at].rfind('\n').map_or(0, |newline| newline + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comments(list: &[(&str, &str)]) -> Vec<(Vec<String>, String)> {
        let of = |(path, why): &(&str, &str)| {
            (
                path.split('.').map(str::to_owned).collect(),
                (*why).to_owned(),
            )
        };
        list.iter().map(of).collect()
    }

    #[test]
    fn yaml_has_them_in_front_of_keys_and_items() {
        let text = "feature:\n  fs:\n    read_only:\n      - ^/a$\n      - ^/b$\n  env: true\n";
        let comments = comments(&[
            ("feature.fs.read_only", "read"),
            ("feature.fs.read_only.1", "b: it\nwas opened"),
            ("feature.env", "why"),
            ("feature.nothing", "not there"),
        ]);
        assert_eq!(
            commented(text, Format::Yaml, &comments),
            "feature:\n  fs:\n    # read\n    read_only:\n      - ^/a$\n      # b: it was \
             opened\n      - ^/b$\n  # why\n  env: true\n"
        );
    }

    #[test]
    fn toml_has_them_too_and_json_none() {
        let text = "[feature]\nenv = true\n\n[feature.fs]\nlocal = [\"a\", \"b\"]\n";
        let comments = comments(&[
            ("feature.fs", "files"),
            ("feature.fs.local", "two"),
            ("feature.fs.local.0", "a is here"),
        ]);
        assert_eq!(
            commented(text, Format::Toml, &comments),
            "[feature]\nenv = true\n\n# files\n[feature.fs]\n# two\n# a is here\nlocal = [\"a\", \
             \"b\"]\n"
        );
        let json = "{ \"feature\": {} }";
        assert_eq!(commented(json, Format::Json, &comments), json);
    }

    #[test]
    fn a_line_inside_a_text_gets_none() {
        let text = "feature: { env: { override: { A: \"x\n  y\", B: z } } }\n";
        let comments = comments(&[("feature.env.override.B", "why")]);
        assert_eq!(commented(text, Format::Yaml, &comments), text);
    }
}
