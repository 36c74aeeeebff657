//! Finding the configuration of a folder, and reading a file's text.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::one;
use crate::problem::{ConfigErrors, Place, Problem, Severity, SourceFile};

/// The configuration of a folder: `.mirrord/*mirrord.{json,toml,yml,yaml}`, the first by name.
pub fn discover(folder: &Path) -> Result<(Option<PathBuf>, Vec<Problem>), ConfigErrors> {
    let inside = folder.join(".mirrord");
    let entries = match fs::read_dir(&inside) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((None, vec![])),
        Err(error) => return Err(unreadable(&inside, &error)),
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&inside, &error))?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or("");
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = matches!(extension, Some("json" | "toml" | "yml" | "yaml"));
        if known && stem.ends_with("mirrord") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut files = files.into_iter();
    let first = files.next();
    let others: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let warnings = match &first {
        Some(first) if !others.is_empty() => vec![Problem {
            severity: Severity::Warning,
            message: format!(
                "several configurations: {} is used, and not {}",
                first.display(),
                others.join(", ")
            ),
            place: None,
            help: Some("name the one to use with --config".to_owned()),
        }],
        _ => Vec::new(),
    };
    Ok((first, warnings))
}

/// Reads a file; `-` is standard input.
pub(super) fn read_file(path: &Path) -> Result<SourceFile, ConfigErrors> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|error| unreadable(path, &error))?;
    match String::from_utf8(bytes) {
        Ok(text) => {
            // Editors on other systems put a byte-order mark in front.
            let text = text
                .strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(text);
            Ok(SourceFile {
                path: path.to_owned(),
                text,
            })
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let file = Arc::new(SourceFile {
                path: path.to_owned(),
                text,
            });
            let place = Some(Place {
                file,
                span: at..at + 1,
            });
            Err(one(
                "the configuration is not UTF-8 text".to_owned(),
                place,
                None,
            ))
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigErrors {
    one(
        format!(
            "could not read the configuration {}: {error}",
            path.display()
        ),
        None,
        Some("check the path and its permissions"),
    )
}
