//! The JSON Schema of the protocol.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::methods::{Direction, METHODS};
use crate::{ErrorData, PROTOCOL_VERSION, lifecycle};

/// The whole protocol: `methods` maps each name to its direction and the schemas of its params
/// and result, `initialize` and `error` those of what LSP leaves open; all types are in `$defs`.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut methods = Map::new();
    for method in METHODS {
        let mut entry = json!({
            "direction": direction(method.direction),
            "kind": if method.result.is_some() { "request" } else { "notification" },
            "description": method.purpose.trim(),
            "params": (method.params)(&mut generator),
        });
        if let Some(result) = method.result {
            entry["result"] = result(&mut generator).to_value();
        }
        methods.insert(method.name.to_owned(), entry);
    }
    let initialize = json!({
        "initializationOptions":
            generator.subschema_for::<lifecycle::InitializationOptions>(),
        "capabilities.experimental.mirrord":
            generator.subschema_for::<lifecycle::ServerCapabilities>(),
    });
    let error = generator.subschema_for::<ErrorData>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mirrord protocol",
        "description": "What editors and other clients say to mirrord-server beside plain LSP.",
        "protocolVersion": PROTOCOL_VERSION,
        "methods": methods,
        "initialize": initialize,
        "error": { "data": error },
        "$defs": generator.take_definitions(true),
    })
}

pub(crate) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::ClientToServer => "clientToServer",
        Direction::ServerToClient => "serverToClient",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match (key.as_str(), value) {
                        ("$ref", Value::String(text)) => found.push(text),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_has_its_definition() {
        let schema = schema();
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(found.len() > 50, "{}", found.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(schema.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn types_of_one_name_are_not_mixed_up() {
        // schemars numbers types of one name in different modules (`ListParams2`), which would
        // change with the order of the table; each must have a name of its own.
        let schema = schema();
        for name in schema["$defs"].as_object().unwrap().keys() {
            assert!(
                !name.ends_with(|last: char| last.is_ascii_digit()),
                "{name}"
            );
        }
    }

    #[test]
    fn every_method_is_there_once_and_has_a_purpose() {
        let mut names: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METHODS.len());
        for method in METHODS {
            assert!(method.name.starts_with("mirrord/"));
            assert!(method.purpose.trim().ends_with('.'), "{}", method.name);
        }
    }
}
