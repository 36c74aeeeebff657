//! From a folder, a file, the environment and flags to a configuration that was checked, or all
//! that is wrong with it.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::check::check;
use crate::config::Config;
use crate::config::incoming::{IncomingMode, Mode};
use crate::env_file;
use crate::group::Group;
use crate::parse::{Format, parse};
use crate::problem::{ConfigErrors, Place, Problem, Severity, SourceFile};
use crate::reader::Reader;
use crate::setting::{Origin, Setting};
use crate::template::{self, Rendered};
use crate::tree::Value;

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
        let env = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
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
    let (mut config, mut problems) = assemble(text, flags, surroundings)?;
    let env_file = &mut config.feature.env.env_file;
    if let Some(file) = &mut env_file.value
        && let Some(whole) = folder.join(&*file).to_str()
    {
        *file = whole.to_owned();
    }
    problems.extend(env_file::read(env_file).err());
    let (config, more) = settle(config, problems)?;
    warnings.extend(more);
    Ok(LoadedConfig {
        config,
        warnings,
        file,
    })
}

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

fn read_text(
    config: &mut Config,
    path: &Path,
    text: &str,
    surroundings: &Surroundings<'_>,
    reader: &mut Reader,
) -> Result<(), ConfigErrors> {
    let Some(format) = Format::of(path) else {
        return Err(one(
            format!("{}: unknown kind of file", path.display()),
            None,
            Some("name it .json, .yaml, .yml or .toml"),
        ));
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
            one(message, place, None)
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
                reader.warning(&span, message.to_owned(), None);
            }
            config.read(&parsed.node, reader);
        }
        Err(errors) => {
            for error in errors {
                reader.error(&error.span, error.message, None);
            }
        }
    }
    Ok(())
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
            Some(key) => template::render(&key, &variables, &surroundings.env)?.text,
            None => random_key(),
        },
    };
    variables.push(("key", key));
    template::render(text, &variables, &surroundings.env)
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

fn read_file(path: &Path) -> Result<SourceFile, ConfigErrors> {
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

fn one(message: String, place: Option<Place>, help: Option<&str>) -> ConfigErrors {
    let help = help.map(str::to_owned);
    ConfigErrors(vec![Problem {
        severity: Severity::Error,
        message,
        place,
        help,
    }])
}

fn git_branch(folder: &Path) -> Option<String> {
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
