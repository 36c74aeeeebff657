//! Configuration files for the handlers: which one a launch uses, what is in it, and what is
//! wrong with it, in the editors' protocol's types.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use mirrord_config::{
    Config, ConfigErrors, Flags, Format, LoadedConfig, Problem, Severity, Surroundings, git_branch,
};
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{self as wire, ConfigChoice, ConfigSource};
use mirrord_editor_protocol::text::{Position, Range};
use mirrord_language::{Document, Encoding};

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
    /// Which file it is, and why; no file means the one found in the folder, or none.
    pub fn choose(&self) -> (Option<PathBuf>, ConfigSource, String) {
        if let Some(file) = &self.explicit {
            return (
                Some(file.clone()),
                ConfigSource::Explicit,
                "the launch names it".into(),
            );
        }
        if let Some(file) = self
            .env
            .get("MIRRORD_CONFIG_FILE")
            .filter(|file| !file.is_empty())
        {
            let file = self.folder.join(file);
            return (
                Some(file),
                ConfigSource::Environment,
                "MIRRORD_CONFIG_FILE names it".into(),
            );
        }
        // A file that was removed since is no longer active.
        if let Some(file) = self.active.as_ref().filter(|file| file.is_file()) {
            return (
                Some(file.clone()),
                ConfigSource::Active,
                "it is set active".into(),
            );
        }
        match mirrord_config::discover(&self.folder) {
            Ok((Some(file), _)) => {
                let why = "it is the first by name in .mirrord".into();
                (Some(file), ConfigSource::Default, why)
            }
            _ => (
                None,
                ConfigSource::None,
                "there is no file: defaults alone".into(),
            ),
        }
    }

    /// The same for the wire.
    pub fn choice(&self) -> ConfigChoice {
        let (file, source, why) = self.choose();
        ConfigChoice {
            uri: file.as_deref().map(uri::from_path),
            source,
            why: Some(why),
        }
    }

    /// Loads it.
    pub fn load(&self) -> Result<LoadedConfig, Failure> {
        let (file, _, _) = self.choose();
        let flags = Flags {
            target: self.target.clone(),
            ..Flags::default()
        };
        let branch = || git_branch(&self.folder);
        let surroundings = Surroundings {
            env: self.env.clone().into_iter().collect(),
            git_branch: &branch,
        };
        mirrord_config::load_in(file.as_deref(), &self.folder, &flags, &surroundings)
            .map_err(|errors| invalid(&errors, file.as_deref()))
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
        let read = mirrord_config::from_text(
            Some((&self.path, &self.text)),
            &Flags::default(),
            &surroundings,
        );
        let (config, problems) = match read {
            Ok((config, warnings)) => (Some(config), warnings),
            Err(ConfigErrors(problems)) => (None, problems),
        };
        (config, self.diagnostics(&problems))
    }

    fn diagnostics(&self, problems: &[Problem]) -> Vec<wire::Diagnostic> {
        let format = Format::of(&self.path).unwrap_or(Format::Json);
        let name = uri::from_path(&self.path);
        let Ok(uri) = name.parse() else {
            return Vec::new();
        };
        let document = Document::new(
            uri,
            self.path.clone(),
            format,
            Encoding::Utf16,
            self.text.clone(),
        );
        let of = |problem: &Problem| {
            let here = problem
                .place
                .as_ref()
                .filter(|place| place.file.text == self.text);
            let range = here.map(|place| document.range(&place.span));
            wire::Diagnostic {
                uri: None,
                range: range.map_or_else(Range::default, range_of),
                severity: match problem.severity {
                    Severity::Error => wire::Severity::Error,
                    Severity::Warning => wire::Severity::Warning,
                },
                code: "config".to_owned(),
                message: problem.message.clone(),
                help: problem.help.clone(),
                fix: None,
            }
        };
        problems.iter().map(of).collect()
    }
}

fn range_of(range: tower_lsp::ls_types::Range) -> Range {
    let position = |at: tower_lsp::ls_types::Position| Position {
        line: at.line,
        character: at.character,
    };
    Range {
        start: position(range.start),
        end: position(range.end),
    }
}

/// A language's name on the wire.
pub fn format_of(path: &Path) -> wire::Format {
    match Format::of(path) {
        Some(Format::Yaml) => wire::Format::Yaml,
        Some(Format::Toml) => wire::Format::Toml,
        Some(Format::Json) | None => wire::Format::Json,
    }
}
