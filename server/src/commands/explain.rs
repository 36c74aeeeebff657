//! `mirrord-server explain`.

use anyhow::{Context, Result};
use mirrord_editor_protocol::explain::ExplainParams;

use crate::cli::Explain;

/// Prints where it would be.
pub fn run(arguments: Explain) -> Result<i32> {
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let flags = mirrord_config::Flags::default();
    let loaded = mirrord_config::load(arguments.config.as_deref(), &folder, &flags)?;
    let asked = ExplainParams {
        path: arguments.path,
        host: arguments.host,
        port: arguments.port,
        env: arguments.env,
        config_uri: None,
        workspace: None,
    };
    let result = crate::explain::explain(&loaded.config, &asked)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&result)?);
    } else {
        println!("{}", result.detail);
    }
    Ok(0)
}
