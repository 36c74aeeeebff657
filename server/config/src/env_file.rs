//! `feature.env.env_file`: a file of `NAME=value` lines, read with dotenvy's rules as in mirrord.
//! It is read once when the configuration is loaded, so that a wrong file is told before anything
//! starts, and again for each program.

use std::sync::Arc;

use crate::problem::{Code, Place, Problem, SourceFile};
use crate::setting::Setting;

/// The variables of the file, if one is named.
pub(crate) fn read(setting: &Setting<Option<String>>) -> Result<Vec<(String, String)>, Problem> {
    let Some(path) = &setting.value else {
        return Ok(Vec::new());
    };
    let unreadable = |why: &dyn std::fmt::Display| {
        let message = format!(
            "feature.env.env_file: could not read {path} (named by {}): {why}",
            setting.origin
        );
        Problem::error(Code::Unreadable, message)
            .at(setting.origin.place().cloned())
            .help(
                "check the path and its permissions; it is relative to the folder that the \
                 program is started in",
            )
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
    let variables: Result<Vec<_>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
    variables.map_err(|error| match &error {
        dotenvy::Error::LineParse(line, at) => {
            let message = "feature.env.env_file: this is not a variable".to_owned();
            Problem::error(Code::Syntax, message)
                .at(Some(place(path, &text, line, *at)))
                .help("write one `NAME=value` a line, values with blanks in quotes")
        }
        error => unreadable(error),
    })
}

/// Where dotenvy stopped: it tells the text of the variable and a byte of it. A quotation mark
/// that is never closed swallows all lines after it; its own line is the one to look at.
fn place(path: &str, text: &str, line: &str, at: usize) -> Place {
    let start = text.find(line).unwrap_or(0);
    let first = line.lines().next().unwrap_or("").trim_end();
    let at = match line.trim_end().len() > first.len() {
        true => 0,
        false => (0..=at.min(first.len()))
            .rev()
            .find(|at| first.is_char_boundary(*at))
            .unwrap_or(0),
    };
    Place {
        file: Arc::new(SourceFile {
            path: path.into(),
            text: text.to_owned(),
        }),
        span: start + at..start + first.len(),
    }
}
