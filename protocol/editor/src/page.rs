//! The page of the protocol, made from the schema so that it is never out of date.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::methods::METHODS;
use crate::schema::{direction, schema};

const INTRODUCTION: &str = "\
# Protocol

<!-- Made by `cargo xtask schemas` from `protocol/editor`; change it there. -->

One connection with LSP's framing (`Content-Length`, JSON-RPC 2.0) carries LSP features on
configuration files and the `mirrord/*` methods below. `mirrord-server --stdio` is that
connection on stdin and stdout.

- Ids are opaque, durations are integers named `…Ms`, instants are RFC 3339 in UTC.
- Enums are open: a value that you do not know is ignored. Unknown fields are ignored too.
- Every request is answered exactly once. One that is cancelled (`$/cancelRequest`) is answered
  with the code −32800, after everything that it began was undone.
- With a `partialResultToken` rows come as `$/progress` whose value has the shape of the result,
  and the final list is empty.
- Every error has `data` as [ErrorData](#errordata) says.
- The daemon going away ends `mirrord-server --stdio` with status 75; start it again, list the
  sessions and subscribe with `sinceSeq`.
";

/// The whole page as Markdown.
pub fn page() -> String {
    let schema = schema();
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "\n## Methods\n\n| method | from | params | result | purpose |\n|---|---|---|---|---|\n",
    );
    for method in METHODS {
        let entry = &schema["methods"][method.name];
        let from = match direction(method.direction) {
            "clientToServer" => "client",
            _ => "daemon",
        };
        let result = entry.get("result").map_or("–".to_owned(), type_name);
        let _ = writeln!(
            page,
            "| `{}` | {from} | {} | {result} | {} |",
            method.name,
            type_name(&entry["params"]),
            method.purpose.trim(),
        );
    }
    page.push_str("\n`initialize` carries [InitializationOptions](#initializationoptions) as \
                   `initializationOptions`; its answer has\n[ServerCapabilities](#servercapabilities) \
                   as `capabilities.experimental.mirrord`.\n\n## Types\n");
    let empty = Map::new();
    let definitions = schema["$defs"].as_object().unwrap_or(&empty);
    for (name, definition) in definitions {
        let _ = writeln!(page, "\n### {name}\n");
        describe(&mut page, definition);
    }
    page
}

fn describe(page: &mut String, definition: &Value) {
    if let Some(text) = definition["description"].as_str() {
        let _ = writeln!(page, "{}\n", one_line(text));
    }
    fields(page, definition);
    let forms = definition["oneOf"]
        .as_array()
        .or(definition["anyOf"].as_array());
    for form in forms.into_iter().flatten() {
        match form["properties"].is_object() {
            true => {
                let text = form["description"].as_str().unwrap_or("One form:");
                let _ = writeln!(page, "\n{}\n", one_line(text));
                fields(page, form);
            }
            false => {
                let text = form["description"]
                    .as_str()
                    .map(one_line)
                    .unwrap_or_default();
                let _ = writeln!(page, "- {} {text}", type_name(form));
            }
        }
    }
}

fn fields(page: &mut String, definition: &Value) {
    let Some(properties) = definition["properties"].as_object() else {
        return;
    };
    let required: Vec<&str> = definition["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in properties {
        let mark = if required.contains(&name.as_str()) {
            ""
        } else {
            "?"
        };
        let text = property["description"]
            .as_str()
            .map(one_line)
            .unwrap_or_default();
        let _ = writeln!(page, "- `{name}{mark}`: {}. {text}", type_name(property));
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A type in few words, with links to other types.
fn type_name(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        let forms: Vec<String> = forms
            .iter()
            .filter(|form| form["type"] != "null")
            .map(type_name)
            .collect();
        return forms.join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => {
            format!("list of {}", type_name(&schema["items"]))
        }
        Value::String(name) if name == "object" => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("map to {}", type_name(values)),
            _ => "object".to_owned(),
        },
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names: Vec<&str> = names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| *name != "null")
                .collect();
            if names == ["array"] {
                return format!("list of {}", type_name(&schema["items"]));
            }
            names.join(" or ")
        }
        _ => "any value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_method_and_links_to_types_that_are_there() {
        let page = page();
        for method in METHODS {
            assert!(page.contains(&format!("| `{}` |", method.name)));
        }
        for link in page.split("](#").skip(1) {
            let anchor = link.split(')').next().unwrap();
            let heading = page
                .lines()
                .filter_map(|line| line.strip_prefix("### "))
                .any(|name| name.to_lowercase() == anchor);
            assert!(heading, "{anchor}");
        }
    }
}
