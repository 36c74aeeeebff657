//! From a folder, a file, the environment and flags to a configuration that was checked, or all
//! that is wrong with it.

mod choice;
mod file;
mod text;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::check::check;
use crate::config::Config;
use crate::config::incoming::{IncomingMode, Mode};
use crate::effective::Unserved;
use crate::env_file;
use crate::group::Group;
use crate::problem::{Code, ConfigErrors, Problem, Severity};
use crate::reader::Reader;
use crate::schema;
use crate::setting::{Origin, Setting};

pub use choice::{Choice, Source, Wanted, choose, files_of, is_config_name, owning_folder};
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
    /// Other flags that stand for a key.
    pub settings: Vec<FlagSetting>,
}

/// A flag that stands for a key: `--fs-mode write` for `feature.fs.mode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagSetting {
    /// The flag, as it is written.
    pub flag: &'static str,
    /// The key.
    pub key: String,
    /// The value as text; lists are separated by `;`.
    pub value: String,
}

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedConfig {
    /// The values, each with its origin.
    pub config: Config,
    /// What its author should know, each with its place.
    pub warnings: Vec<Problem>,
    /// The file it was read from.
    pub file: Option<PathBuf>,
    /// By what it was chosen.
    pub source: Source,
    /// Why that one, in a sentence.
    pub why: String,
    /// Keys that are recognised and not served.
    pub unserved: Vec<Unserved>,
}

/// A configuration as far as it can be read, and everything that is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The values; those that cannot be read are as by default.
    pub config: Config,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
    /// Keys that are recognised and not served.
    pub unserved: Vec<Unserved>,
}

impl Reading {
    /// Whether nothing stands against a start.
    pub fn is_ok(&self) -> bool {
        let mut problems = self.problems.iter();
        problems.all(|problem| problem.severity != Severity::Error)
    }
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
    let wanted = Wanted {
        explicit: file,
        environment: choice::from_environment(&surroundings.env),
        folder: Some(folder),
        ..Wanted::default()
    };
    let choice = choose(&wanted).map_err(|problem| ConfigErrors(vec![problem]))?;
    load_chosen(choice, folder, flags, surroundings)
}

/// Loads the file that was chosen.
pub fn load_chosen(
    choice: Choice,
    folder: &Path,
    flags: &Flags,
    surroundings: &Surroundings<'_>,
) -> Result<LoadedConfig, ConfigErrors> {
    let source = choice.path.as_deref().map(read_file).transpose();
    let source = source.map_err(|problem| ConfigErrors(vec![problem]))?;
    let text = source
        .as_ref()
        .map(|source| (source.path.as_path(), source.text.as_str()));
    let reading = read_in(text, Some(folder), flags, surroundings);
    let (config, unserved) = (reading.config, reading.unserved);
    match settle(reading.problems) {
        Ok(notes) => Ok(LoadedConfig {
            config,
            warnings: choice.warnings.into_iter().chain(notes).collect(),
            file: choice.path,
            source: choice.source,
            why: choice.why,
            unserved,
        }),
        // Which of several files is wrong belongs to what is wrong.
        Err(mut errors) => {
            errors.0.extend(choice.warnings);
            Err(errors)
        }
    }
}

/// Reads a configuration from a text with the path it stands at (whose extension tells the
/// language), the environment and flags.
pub fn from_text(
    text: Option<(&Path, &str)>,
    flags: &Flags,
    surroundings: &Surroundings<'_>,
) -> Result<(Config, Vec<Problem>), ConfigErrors> {
    let reading = read_in(text, None, flags, surroundings);
    settle(reading.problems).map(|notes| (reading.config, notes))
}

/// Reads a configuration as far as that is possible. With a folder, files that it names are looked
/// at too.
pub fn read_in(
    text: Option<(&Path, &str)>,
    folder: Option<&Path>,
    flags: &Flags,
    surroundings: &Surroundings<'_>,
) -> Reading {
    let mut reader = Reader {
        env: surroundings.env.clone(),
        source: None,
        problems: Vec::new(),
        path: Vec::new(),
        unserved: Vec::new(),
    };
    let mut config = Config::default();
    if let Some((path, text)) = text
        && let Err(problem) = read_text(&mut config, path, text, surroundings, &mut reader)
    {
        reader.problems.push(problem);
    }
    // A file that was rendered without a way back has no part in what follows.
    config.read_env(&mut reader);
    config.feature.fs.read_old_env(&mut reader);
    crate::config::agent::Image::read_parts(&mut config.agent.image, &mut reader);
    read_flags(&mut config, flags, &mut reader);

    let mut problems = reader.problems;
    problems.extend(check(&config, &reader.unserved));
    let env_file = &mut config.feature.env.env_file;
    if let (Some(folder), Some(file)) = (folder, &mut env_file.value) {
        if let Some(whole) = folder.join(&*file).to_str() {
            *file = whole.to_owned();
        }
        problems.extend(env_file::read(env_file).err());
    }
    // In the order of the file; what has no place there comes last.
    problems.sort_by_key(|problem| {
        problem
            .place
            .as_ref()
            .map_or(usize::MAX, |place| place.span.start)
    });
    Reading {
        config,
        problems,
        unserved: reader.unserved,
    }
}

/// Everything that does not stand against a start, or all that is wrong when there is an error.
fn settle(mut problems: Vec<Problem>) -> Result<Vec<Problem>, ConfigErrors> {
    problems.sort_by_key(|problem| problem.severity);
    match problems.first() {
        Some(first) if first.severity == Severity::Error => Err(ConfigErrors(problems)),
        _ => Ok(problems),
    }
}

fn read_flags(config: &mut Config, flags: &Flags, reader: &mut Reader) {
    let mut wrong = |message: String| {
        reader
            .problems
            .push(Problem::error(Code::Environment, message));
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
    for setting in &flags.settings {
        let path: Vec<&str> = setting.key.split('.').collect();
        if !config.set_text(&path, &setting.value, setting.flag, reader) {
            not_set(setting, &path, reader);
        }
    }
}

/// A flag whose key is recognised and not served, or that has none.
fn not_set(setting: &FlagSetting, path: &[&str], reader: &mut Reader) {
    let flag = setting.flag;
    let statuses = (1..=path.len()).filter_map(|length| schema::find(&path[..length]));
    let unserved = statuses.map(|key| key.status).find_map(|status| {
        let (severity, code) = status.report()?;
        Some((status, severity, code, status.sentence()?))
    });
    let Some((status, severity, code, sentence)) = unserved else {
        let message = format!("{flag}: there is no key `{}`", setting.key);
        return reader
            .problems
            .push(Problem::error(Code::UnknownKey, message));
    };
    let problem = Problem::error(code, format!("{flag}: {sentence}"));
    reader.problems.push(Problem {
        severity,
        ..problem
    });
    reader.unserved.push(Unserved {
        path: setting.key.clone(),
        value: setting.value.as_str().into(),
        origin: Origin::Flag(flag),
        status,
    });
}
