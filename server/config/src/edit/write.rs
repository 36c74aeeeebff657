//! Values as text, for JSON and YAML.

use serde_json::Value as Json;

/// Lists and objects up to this width stay on one line.
const WIDTH: usize = 60;

/// A value in JSON; `indent` are the blanks of the line that it begins in.
pub(super) fn json(value: &Json, indent: usize) -> String {
    let flat = flat(value);
    let nested = |value: &Json| value.is_array() || value.is_object();
    let (open, close, parts): (_, _, Vec<String>) = match value {
        Json::Object(map) if !map.is_empty() => {
            let parts = map.iter().map(|(key, value)| {
                format!("{}: {}", Json::from(key.as_str()), json(value, indent + 2))
            });
            ('{', '}', parts.collect())
        }
        Json::Array(list) if flat.len() > WIDTH && !list.is_empty() => (
            '[',
            ']',
            list.iter().map(|value| json(value, indent + 2)).collect(),
        ),
        _ => return flat,
    };
    if flat.len() <= WIDTH
        && !value
            .as_object()
            .is_some_and(|map| map.values().any(nested))
    {
        return flat;
    }
    let gap = " ".repeat(indent + 2);
    let lines: Vec<String> = parts.iter().map(|part| format!("{gap}{part}")).collect();
    format!(
        "{open}\n{}\n{}{close}",
        lines.join(",\n"),
        " ".repeat(indent)
    )
}

/// A value on one line; it means the same in JSON and in YAML.
pub(super) fn flat(value: &Json) -> String {
    match value {
        Json::Array(list) => {
            let items: Vec<String> = list.iter().map(flat).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Json::from(key.as_str()), flat(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        // JSON's escapes mean the same in YAML, but this character must not stand there.
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}

/// What stands behind `key:` or `-` in YAML, with the blank or line break in front. `indent` are
/// the blanks in front of the key.
pub(super) fn yaml(value: &Json, indent: usize) -> String {
    match value {
        Json::Object(map) if !map.is_empty() => {
            let gap = " ".repeat(indent + 2);
            let entries = map.iter().map(|(key, value)| {
                format!("\n{gap}{}:{}", yaml_text(key), yaml(value, indent + 2))
            });
            entries.collect()
        }
        Json::Array(list) if flat(value).len() > WIDTH => {
            let gap = " ".repeat(indent + 2);
            let items = list.iter().map(|item| match item {
                Json::String(text) => format!("\n{gap}- {}", yaml_text(text)),
                item => format!("\n{gap}- {}", flat(item)),
            });
            items.collect()
        }
        Json::String(text) => format!(" {}", yaml_text(text)),
        other => format!(" {}", flat(other)),
    }
}

/// Text in YAML, in quotation marks unless it can only be read as that text.
pub(super) fn yaml_text(text: &str) -> String {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    match plain {
        true => text.to_owned(),
        false => flat(&Json::from(text)),
    }
}
