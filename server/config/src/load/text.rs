//! From a text to values: templates, the language's parser, then the keys.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::Surroundings;
use crate::config::Config;
use crate::group::Group;
use crate::parse::{Format, parse};
use crate::problem::{Code, Place, Problem, SourceFile};
use crate::reader::Reader;
use crate::template::{self, Rendered};
use crate::tree::Value;

/// Reads a text into the configuration; what is wrong with it goes to the reader. An error means
/// that there is nothing to read.
pub(super) fn read_text(
    config: &mut Config,
    path: &Path,
    text: &str,
    surroundings: &Surroundings<'_>,
    reader: &mut Reader,
) -> Result<(), Problem> {
    let Some(format) = Format::of(path) else {
        let message = format!("{}: unknown kind of file", path.display());
        let problem = Problem::error(Code::Unreadable, message);
        return Err(problem.help("name it .json, .yaml, .yml or .toml"));
    };
    let mut file = Arc::new(SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    });
    let mut rendered = Rendered::plain(text);
    if template::is_template(text) {
        rendered = render(text, format, surroundings).map_err(|error| {
            let place = error.span.map(|span| Place {
                file: file.clone(),
                span,
            });
            let message = match &place {
                Some(_) => error.message,
                None => format!("{}: {}", path.display(), error.message),
            };
            let help = message.contains("`git_branch`").then_some(
                "this folder is not on a git branch; set MIRRORD_BRANCH_NAME, or write \
                 `{{ git_branch | default(value='shared') }}`",
            );
            let problem = Problem::error(Code::Template, message).at(place);
            Problem {
                help: help.map(str::to_owned),
                ..problem
            }
        })?;
        if !rendered.is_traceable() {
            let path = PathBuf::from(format!("{} (rendered)", path.display()));
            file = Arc::new(SourceFile {
                path,
                text: rendered.text.clone(),
            });
        }
    }
    reader.source = Some((file, rendered.clone()));
    match parse(&rendered.text, format) {
        Ok(parsed) => {
            if let Some(span) = parsed.loose {
                let message = "mirrord itself takes no comments and no trailing commas in JSON";
                reader.warning(Code::LooseJson, &span, message.to_owned());
            }
            config.read(&parsed.node, reader);
        }
        Err(errors) => {
            for error in errors {
                reader.error(Code::Syntax, &error.span, error.message);
            }
        }
    }
    Ok(())
}

/// Each `{{ … }}` of a text with what it comes out as. Nothing, when the text cannot be rendered.
pub fn template_values(
    text: &str,
    format: Format,
    surroundings: &Surroundings<'_>,
) -> Vec<(std::ops::Range<usize>, String)> {
    if !template::is_template(text) {
        return Vec::new();
    }
    let rendered = render(text, format, surroundings);
    rendered.map_or_else(|_| Vec::new(), |rendered| rendered.expressions())
}

/// Renders with `git_branch` and `key`. The key itself may be a template of the others: it is
/// taken from the text as it stands.
fn render(
    text: &str,
    format: Format,
    surroundings: &Surroundings<'_>,
) -> Result<Rendered, template::TemplateError> {
    let mut variables = Vec::new();
    if text.contains("git_branch") {
        let named = surroundings
            .env
            .get("MIRRORD_BRANCH_NAME")
            .filter(|name| !name.is_empty());
        let branch = named.cloned().or_else(surroundings.git_branch);
        variables.extend(branch.map(|branch| ("git_branch", branch)));
    }
    let written = || match parse(text, format)
        .ok()?
        .node
        .get("key")
        .map(|key| key.value.clone())
    {
        Some(Value::Text(key)) => Some(key),
        _ => None,
    };
    let key = match surroundings.env.get("MIRRORD_KEY") {
        Some(key) => key.clone(),
        None => match written() {
            Some(key) => {
                let rendered = template::render(&key, &variables, &surroundings.env);
                rendered.map_err(|error| in_whole(error, &key, text))?.text
            }
            None => random_key(),
        },
    };
    variables.push(("key", key));
    template::render(text, &variables, &surroundings.env)
}

/// An error in the key's own template, as one of the whole text.
fn in_whole(error: template::TemplateError, key: &str, text: &str) -> template::TemplateError {
    let tag = error.span.and_then(|span| key.get(span));
    let span = tag.and_then(|tag| text.find(tag).map(|at| at..at + tag.len()));
    template::TemplateError { span, ..error }
}

/// The branch that is checked out in a folder, if any.
pub fn git_branch(folder: &Path) -> Option<String> {
    let mut command = Command::new("git");
    let output = command
        .args(["branch", "--show-current"])
        .current_dir(folder)
        .output()
        .ok()?;
    let branch = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !branch.is_empty()).then_some(branch)
}

/// Five hexadecimal digits, as mirrord makes them up.
fn random_key() -> String {
    let number = getrandom::u32().unwrap_or_else(|_| std::process::id());
    format!("{:05x}", number & 0xf_ffff)
}
