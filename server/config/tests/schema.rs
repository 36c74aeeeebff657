//! The JSON Schema in `schemas/` is that of the code.

use std::path::PathBuf;

use mirrord_config::schema::{hover, json_schema};
use serde_json::Value;

#[test]
fn the_checked_in_schema_is_that_of_the_code() {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/mirrord-config.schema.json");
    let mut schema = serde_json::to_string_pretty(&json_schema()).unwrap();
    schema.push('\n');
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        schema == checked_in,
        "schemas/mirrord-config.schema.json is not up to date: run `cargo xtask schemas`"
    );
}

#[test]
fn every_key_has_a_description() {
    fn visit(path: &str, schema: &Value, count: &mut usize) {
        let forms = schema
            .get("anyOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for form in std::iter::once(schema).chain(forms) {
            let properties = form.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                if name == "$schema" {
                    continue;
                }
                let path = format!("{path}.{name}");
                // Keys of what we do not serve are mirrord's to describe.
                if let Some(text) = property.get("description").and_then(Value::as_str) {
                    assert!(!text.is_empty(), "{path}");
                    *count += 1;
                    visit(&path, property, count);
                }
            }
        }
    }
    let mut count = 0;
    visit("", &json_schema(), &mut count);
    assert!(count > 60, "only {count} keys");
}

#[test]
fn hovers_tell_meaning_default_and_variable() {
    let text = hover(&["feature", "fs", "mode"]).unwrap();
    for part in [
        "**feature.fs.mode**",
        "no list names",
        "Default: `\"read\"`",
        "MIRRORD_FILE_MODE",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(hover(&["agent", "metrics"]).unwrap().contains("not yet"));
    assert_eq!(hover(&["feature", "nothing"]), None);
}
