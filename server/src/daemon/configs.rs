//! Configuration files for the handlers: which one a launch uses, what is in it, and what is
//! wrong with it, in the editors' protocol's types.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use mirrord_config::{
    Choice, Config, ConfigErrors, Flags, Format, LoadedConfig, Problem, Severity, Surroundings,
    edit, edit::EditError, git_branch, setting::Origin,
};
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{self as wire, ConfigChoice, ConfigSource};
use mirrord_editor_protocol::text::{Position, Range, TextEdit, WorkspaceEdit};
use mirrord_language::{Document, Encoding};
use serde_json::Value;

use super::failure::Failure;
use super::uri;

/// What a launch says about its configuration.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The folder that owns the launch.
    pub folder: PathBuf,
    /// The file that the launch names.
    pub explicit: Option<PathBuf>,
    /// The file that is set active for the folder.
    pub active: Option<PathBuf>,
    /// The launch's environment.
    pub env: BTreeMap<String, String>,
    /// A target that beats the file's.
    pub target: Option<String>,
}

impl Wanted {
    /// Which file it is, and why.
    pub fn choose(&self) -> Result<Choice, Failure> {
        // A file that was removed since is no longer active.
        let active = self.active.as_deref().filter(|file| file.is_file());
        let wanted = mirrord_config::Wanted {
            explicit: self.explicit.as_deref(),
            active,
            launch: self.env.get("MIRRORD_CONFIG_FILE").map(String::as_str),
            environment: None,
            folder: Some(&self.folder),
        };
        mirrord_config::choose(&wanted)
            .map_err(|problem| invalid(&ConfigErrors(vec![problem]), None))
    }

    /// Loads it.
    pub fn load(&self) -> Result<LoadedConfig, Failure> {
        let choice = self.choose()?;
        let file = choice.path.clone();
        let flags = Flags {
            target: self.target.clone(),
            ..Flags::default()
        };
        let branch = || git_branch(&self.folder);
        let surroundings = Surroundings {
            env: self.env.clone().into_iter().collect(),
            git_branch: &branch,
        };
        mirrord_config::load_chosen(choice, &self.folder, &flags, &surroundings)
            .map_err(|errors| invalid(&errors, file.as_deref()))
    }
}

/// A choice for the wire.
pub fn choice_of(choice: &Choice) -> ConfigChoice {
    ConfigChoice {
        uri: choice.path.as_deref().map(uri::from_path),
        source: ConfigSource::from(choice.source.name()),
        why: Some(choice.why.clone()),
    }
}

/// Where a value comes from, for the wire.
pub fn origin_of(origin: &Origin) -> wire::Origin {
    let (kind, name) = match origin {
        Origin::Default => (wire::OriginKind::Default, None),
        Origin::File(_) => (wire::OriginKind::File, None),
        Origin::Template(_) => (wire::OriginKind::Template, None),
        Origin::Env(name) => (wire::OriginKind::Env, Some(name.clone())),
        Origin::Flag(flag) => (wire::OriginKind::Flag, Some((*flag).to_owned())),
    };
    let text = origin.place().map(|place| {
        let (path, text) = (place.file.path.clone(), place.file.text.clone());
        (Text { path, text }, place)
    });
    wire::Origin {
        kind,
        name,
        uri: text.as_ref().map(|(text, _)| uri::from_path(&text.path)),
        range: text.and_then(|(text, place)| text.range(&place.span)),
    }
}

/// A configuration with errors, as a failure.
pub fn invalid(errors: &ConfigErrors, file: Option<&Path>) -> Failure {
    let mut errors_only = errors
        .0
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    let first = errors_only
        .next()
        .map_or("it cannot be read", |problem| &problem.message);
    let more = match errors_only.count() {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let of = file.map_or_else(String::new, |file| format!(" {}", file.display()));
    let mut failure = Failure::new(
        ErrorKind::ConfigInvalid,
        format!("the configuration{of} has errors: {first}{more}"),
    );
    failure.0.causes = errors.0.iter().map(ToString::to_string).collect();
    failure.0.diagnostics_uri = file.map(uri::from_path);
    failure
}

/// A file's text that was read, or is open.
pub struct Text {
    /// Where it stands; its ending tells the language.
    pub path: PathBuf,
    /// The text.
    pub text: String,
}

impl Text {
    /// The configuration, if it has no errors, and everything that is wrong.
    pub fn check(&self, env: &BTreeMap<String, String>) -> (Option<Config>, Vec<wire::Diagnostic>) {
        let folder = self.path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let branch = || git_branch(&folder);
        let surroundings = Surroundings {
            env: env.clone().into_iter().collect::<HashMap<_, _>>(),
            git_branch: &branch,
        };
        let text = Some((self.path.as_path(), self.text.as_str()));
        let reading = mirrord_config::read_in(text, None, &Flags::default(), &surroundings);
        let diagnostics = self.diagnostics(&reading.problems);
        (reading.is_ok().then_some(reading.config), diagnostics)
    }

    fn document(&self) -> Option<Document> {
        let format = Format::of(&self.path).unwrap_or(Format::Json);
        let uri = uri::from_path(&self.path).parse().ok()?;
        let (path, text) = (self.path.clone(), self.text.clone());
        Some(Document::new(uri, path, format, Encoding::Utf16, text))
    }

    /// The edit that gives one key a value, or takes it out when that is null.
    pub fn setting(&self, key: &[String], value: &Value) -> Result<WorkspaceEdit, EditError> {
        let format = Format::of(&self.path).unwrap_or(Format::Json);
        let key: Vec<&str> = key.iter().map(String::as_str).collect();
        let changes = match value {
            Value::Null => edit::remove(&self.text, format, &key),
            value => edit::set(&self.text, format, &key, value.clone()),
        }?;
        let document = self.document().ok_or(EditError::Style)?;
        let edits = changes.into_iter().map(|change| TextEdit {
            range: range_of(document.range(&change.span)),
            new_text: change.new_text,
        });
        let uri = uri::from_path(&self.path);
        Ok(WorkspaceEdit::of_text(uri, None, edits.collect()))
    }

    /// The edit that makes it this other text; `version`: of the open text that it is.
    pub fn changed(&self, new: &str, version: Option<i32>) -> Option<WorkspaceEdit> {
        let document = self.document()?;
        let edits = edit::difference(&self.text, new).into_iter();
        let edits = edits.map(|change| TextEdit {
            range: range_of(document.range(&change.span)),
            new_text: change.new_text,
        });
        let uri = uri::from_path(&self.path);
        Some(WorkspaceEdit::of_text(uri, version, edits.collect()))
    }

    /// Where bytes of it are, for an editor.
    pub fn range(&self, span: &std::ops::Range<usize>) -> Option<Range> {
        Some(range_of(self.document()?.range(span)))
    }

    /// What is wrong with it, for an editor.
    pub fn diagnostics(&self, problems: &[Problem]) -> Vec<wire::Diagnostic> {
        let Some(document) = self.document() else {
            return Vec::new();
        };
        let of = |problem: &Problem| {
            let here = problem
                .place
                .as_ref()
                .filter(|place| place.file.text == self.text);
            let range = here.map(|place| document.range(&place.span));
            let fix = problem.fix.as_ref().filter(|_| here.is_some());
            let edit = |edit: &mirrord_config::TextEdit| TextEdit {
                range: range_of(document.range(&edit.span)),
                new_text: edit.new_text.clone(),
            };
            wire::Diagnostic {
                uri: None,
                range: range.map_or_else(Range::default, range_of),
                severity: match problem.severity {
                    Severity::Error => wire::Severity::Error,
                    Severity::Warning => wire::Severity::Warning,
                    Severity::Note => wire::Severity::Info,
                },
                code: problem.code.to_string(),
                message: problem.message.clone(),
                help: problem.help.clone(),
                fix: fix.map(|fix| wire::Fix {
                    title: fix.title.clone(),
                    edits: fix.edits.iter().map(edit).collect(),
                }),
            }
        };
        problems.iter().map(of).collect()
    }
}

/// A range of the language features, for the wire.
pub fn range_of(range: tower_lsp::ls_types::Range) -> Range {
    let position = |at: tower_lsp::ls_types::Position| Position {
        line: at.line,
        character: at.character,
    };
    Range {
        start: position(range.start),
        end: position(range.end),
    }
}

/// The language and the ending of a new file; JSON when nothing is said.
pub fn format_for(wanted: Option<&wire::Format>) -> Result<(Format, &'static str), Failure> {
    Ok(match wanted {
        None | Some(wire::Format::Json) => (Format::Json, "json"),
        Some(wire::Format::Yaml) => (Format::Yaml, "yaml"),
        Some(wire::Format::Toml) => (Format::Toml, "toml"),
        Some(other) => {
            let message = format!("{:?} is none of json, yaml and toml", other.as_str());
            return Err(Failure::invalid(message));
        }
    })
}

/// A language's name on the wire.
pub fn format_of(path: &Path) -> wire::Format {
    match Format::of(path) {
        Some(Format::Yaml) => wire::Format::Yaml,
        Some(Format::Toml) => wire::Format::Toml,
        Some(Format::Json) | None => wire::Format::Json,
    }
}
