//! `cargo xtask schemas`: the JSON Schemas and the pages made from the Rust types. With `--check`
//! nothing is written, and a file that differs is an error.

use anyhow::{Context, Result};

use crate::command::root;

/// Writes the files, or tells which of them differ; `true`: all is as it should be.
pub fn run(check: bool) -> Result<bool> {
    let mut as_made = true;
    for (path, made) in files()? {
        let file = root().join(path);
        let now = std::fs::read_to_string(&file).unwrap_or_default();
        if now == made {
            continue;
        }
        if check {
            println!("{path} is not up to date: run `cargo xtask schemas`");
            as_made = false;
        } else {
            std::fs::write(&file, made).with_context(|| format!("could not write {path}"))?;
            println!("{path}");
        }
    }
    Ok(as_made)
}

fn files() -> Result<[(&'static str, String); 4]> {
    let pretty = |schema: &serde_json::Value| -> Result<String> {
        let text = serde_json::to_string_pretty(schema).context("could not write a schema")?;
        Ok(text + "\n")
    };
    Ok([
        (
            "schemas/mirrord-config.schema.json",
            pretty(&mirrord_config::schema::json_schema())?,
        ),
        (
            "schemas/mirrord-protocol.schema.json",
            pretty(&mirrord_editor_protocol::schema())?,
        ),
        ("docs/configuration.md", mirrord_config::page()),
        ("docs/protocol.md", mirrord_editor_protocol::page()),
    ])
}
