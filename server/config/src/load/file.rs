//! Reading a file's text.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::problem::{Code, Place, Problem, SourceFile};

/// Reads a file; `-` is standard input.
pub(super) fn read_file(path: &Path) -> Result<SourceFile, Problem> {
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
            let message = "the configuration is not UTF-8 text".to_owned();
            Err(Problem::error(Code::Unreadable, message).at(place))
        }
    }
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let message = format!(
        "could not read the configuration {}: {error}",
        path.display()
    );
    Problem::error(Code::Unreadable, message).help("check the path and its permissions")
}
