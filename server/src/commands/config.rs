//! `mirrord-server config verify`: what the editor shows, in the terminal.

use anyhow::{Context, Result};
use mirrord_config::ConfigErrors;
use mirrord_editor_protocol::config::{Severity, VerifyResult};

use crate::cli::Verify;
use crate::daemon::configs::Text;

/// Exit status of a configuration with errors.
const EXIT_INVALID: i32 = 1;

/// Prints what is wrong.
pub fn verify(arguments: Verify) -> Result<i32> {
    if arguments.json {
        return verify_json(arguments);
    }
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let flags = mirrord_config::Flags::default();
    let (problems, file, status) =
        match mirrord_config::load(arguments.file.as_deref(), &folder, &flags) {
            Ok(loaded) => (loaded.warnings, loaded.file.zip(Some(loaded.why)), 0),
            Err(ConfigErrors(problems)) => (problems, None, EXIT_INVALID),
        };
    for problem in &problems {
        println!("{problem}");
    }
    if status == 0 {
        match file {
            Some((file, why)) => println!("{} can be used ({why})", file.display()),
            None => println!("there is no configuration file; the defaults are used"),
        }
    }
    Ok(status)
}

fn verify_json(arguments: Verify) -> Result<i32> {
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let file = match arguments.file {
        Some(file) => Some(folder.join(file)),
        None => {
            let named = std::env::var("MIRRORD_CONFIG_FILE").ok();
            let wanted = mirrord_config::Wanted {
                environment: named.as_deref(),
                folder: Some(&folder),
                ..Default::default()
            };
            let choice = mirrord_config::choose(&wanted);
            choice.map_err(|problem| ConfigErrors(vec![problem]))?.path
        }
    };
    let diagnostics = match file {
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("could not read {}", path.display()))?;
            Text { path, text }.check(&std::env::vars().collect()).1
        }
        None => Vec::new(),
    };
    let ok = !diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error);
    let result = VerifyResult { ok, diagnostics };
    println!("{}", serde_json::to_string_pretty(&result)?);
    Ok(if ok { 0 } else { EXIT_INVALID })
}
