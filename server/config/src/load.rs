//! From a folder, a file, the environment and flags to a configuration that was checked, or all
//! that is wrong with it.

mod file;
mod text;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::check::check;
use crate::config::Config;
use crate::config::incoming::{IncomingMode, Mode};
use crate::env_file;
use crate::group::Group;
use crate::problem::{ConfigErrors, Place, Problem, Severity};
use crate::reader::Reader;
use crate::setting::{Origin, Setting};

pub use file::discover;
use file::read_file;
use text::read_text;
pub use text::{git_branch, template_values};

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--target`.
    pub target: Option<String>,
    /// `--steal`.
    pub steal: bool,
    /// `--mirror`.
    pub mirror: bool,
}

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedConfig {
    /// The values, each with its origin.
    pub config: Config,
    /// What its author should know, each with its place.
    pub warnings: Vec<Problem>,
    /// The file it was read from.
    pub file: Option<PathBuf>,
}

/// Where things are looked up that are not in the file.
pub struct Surroundings<'a> {
    /// Environment variables.
    pub env: HashMap<String, String>,
    /// The checked-out branch, asked for only when a template names it.
    pub git_branch: &'a dyn Fn() -> Option<String>,
}

impl Surroundings<'_> {
    /// Those of this process, with `folder`'s branch.
    pub fn of_this_process(git_branch: &dyn Fn() -> Option<String>) -> Surroundings<'_> {
        // A value that is not text is no value of ours; it must not pass for "not set".
        let env = std::env::vars_os().filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        });
        Surroundings {
            env: env.collect(),
            git_branch,
        }
    }
}

/// Loads `file`, or the one that `MIRRORD_CONFIG_FILE` names, or the one found in `folder`, or
/// none. `-` is standard input.
pub fn load(
    file: Option<&Path>,
    folder: &Path,
    flags: &Flags,
) -> Result<LoadedConfig, ConfigErrors> {
    let git_branch = || git_branch(folder);
    load_in(
        file,
        folder,
        flags,
        &Surroundings::of_this_process(&git_branch),
    )
}

/// As [`load`], in surroundings that the caller gives.
pub fn load_in(
    file: Option<&Path>,
    folder: &Path,
    flags: &Flags,
    surroundings: &Surroundings<'_>,
) -> Result<LoadedConfig, ConfigErrors> {
    let named = file.map(Path::to_owned).or_else(|| {
        surroundings
            .env
            .get("MIRRORD_CONFIG_FILE")
            .filter(|file| !file.is_empty())
            .map(PathBuf::from)
    });
    let (file, mut warnings) = match named {
        Some(file) => (Some(file), Vec::new()),
        None => discover(folder)?,
    };
    let source = file.as_deref().map(read_file).transpose()?;
    let text = source
        .as_ref()
        .map(|source| (source.path.as_path(), source.text.as_str()));
    // Which of several files is wrong belongs to what is wrong.
    let with_warnings = |mut errors: ConfigErrors, warnings: &[Problem]| {
        errors.0.extend_from_slice(warnings);
        errors
    };
    let (mut config, mut problems) =
        assemble(text, flags, surroundings).map_err(|errors| with_warnings(errors, &warnings))?;
    let env_file = &mut config.feature.env.env_file;
    if let Some(file) = &mut env_file.value
        && let Some(whole) = folder.join(&*file).to_str()
    {
        *file = whole.to_owned();
    }
    problems.extend(env_file::read(env_file).err());
    let (config, more) =
        settle(config, problems).map_err(|errors| with_warnings(errors, &warnings))?;
    warnings.extend(more);
    Ok(LoadedConfig {
        config,
        warnings,
        file,
    })
}

/// Reads a configuration from a text with the path it stands at (whose extension tells the
/// language), the environment and flags.
pub fn from_text(
    text: Option<(&Path, &str)>,
    flags: &Flags,
    surroundings: &Surroundings<'_>,
) -> Result<(Config, Vec<Problem>), ConfigErrors> {
    let (config, problems) = assemble(text, flags, surroundings)?;
    settle(config, problems)
}

/// The configuration as far as it can be read, and everything wrong with it.
fn assemble(
    text: Option<(&Path, &str)>,
    flags: &Flags,
    surroundings: &Surroundings<'_>,
) -> Result<(Config, Vec<Problem>), ConfigErrors> {
    let mut reader = Reader {
        env: surroundings.env.clone(),
        source: None,
        problems: Vec::new(),
        path: Vec::new(),
    };
    let mut config = Config::default();
    if let Some((path, text)) = text {
        read_text(&mut config, path, text, surroundings, &mut reader)?;
    }
    // A file that was rendered without a way back has no part in what follows.
    config.read_env(&mut reader);
    config.feature.fs.read_old_env(&mut reader);
    read_flags(&mut config, flags, &mut reader);

    let mut problems = std::mem::take(&mut reader.problems);
    problems.extend(check(&config));
    Ok((config, problems))
}

/// The configuration with its warnings, or all that is wrong when there is an error.
fn settle(
    config: Config,
    mut problems: Vec<Problem>,
) -> Result<(Config, Vec<Problem>), ConfigErrors> {
    // In the order of the file; what has no place there comes last.
    problems.sort_by_key(|problem| {
        problem
            .place
            .as_ref()
            .map_or(usize::MAX, |place| place.span.start)
    });
    let (errors, warnings): (Vec<_>, Vec<_>) = problems
        .into_iter()
        .partition(|problem| problem.severity == Severity::Error);
    if errors.is_empty() {
        return Ok((config, warnings));
    }
    Err(ConfigErrors(errors.into_iter().chain(warnings).collect()))
}

fn read_flags(config: &mut Config, flags: &Flags, reader: &mut Reader) {
    let mut wrong = |message: String| {
        reader.problems.push(Problem {
            severity: Severity::Error,
            message,
            place: None,
            help: None,
        });
    };
    if let Some(target) = &flags.target {
        match target.parse() {
            Ok(target) => {
                let origin = Origin::Flag("--target");
                config.target.path = Setting {
                    value: Some(target),
                    origin,
                };
            }
            Err(message) => wrong(format!("--target: {message}")),
        }
    }
    if flags.steal && flags.mirror {
        wrong("--steal and --mirror cannot both be given".to_owned());
    }
    let mode = match (flags.steal, flags.mirror) {
        (true, _) => Some((IncomingMode::Steal, "--steal")),
        (_, true) => Some((IncomingMode::Mirror, "--mirror")),
        _ => None,
    };
    if let Some((mode, flag)) = mode {
        config.feature.network.incoming.mode = Setting {
            value: Mode(mode),
            origin: Origin::Flag(flag),
        };
    }
}

/// One error and nothing else.
fn one(message: String, place: Option<Place>, help: Option<&str>) -> ConfigErrors {
    let help = help.map(str::to_owned);
    ConfigErrors(vec![Problem {
        severity: Severity::Error,
        message,
        place,
        help,
    }])
}
