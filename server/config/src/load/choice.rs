//! Which configuration file is used, and why. The order is the one that users of mirrord's own
//! plugins know: the active file, then the launch's `MIRRORD_CONFIG_FILE`, then the first file by
//! name in the folder's `.mirrord`.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::unreadable;
use crate::problem::{Code, Problem};

/// The variable that names a file.
const VARIABLE: &str = "MIRRORD_CONFIG_FILE";

/// What is known about a run when its file is chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Named for this run: on the command line, or by the editor.
    pub explicit: Option<&'a Path>,
    /// The file that the user set active for the workspace.
    pub active: Option<&'a Path>,
    /// `MIRRORD_CONFIG_FILE` of the launch's own environment.
    pub launch: Option<&'a str>,
    /// `MIRRORD_CONFIG_FILE` of the environment around it.
    pub environment: Option<&'a str>,
    /// The folder that the run belongs to; with several, see [`owning_folder`].
    pub folder: Option<&'a Path>,
}

/// By what a file was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was named for this run.
    Explicit,
    /// It is the active one.
    Active,
    /// The launch's environment names it.
    Launch,
    /// The environment names it.
    Environment,
    /// It was found in the folder.
    Found,
    /// There is none.
    Nothing,
}

impl Source {
    /// The editors' protocol's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Explicit => "explicit",
            Source::Active => "active",
            Source::Launch | Source::Environment => "environment",
            Source::Found => "default",
            Source::Nothing => "none",
        }
    }
}

/// A chosen file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The file; none: everything is as by default.
    pub path: Option<PathBuf>,
    /// By what.
    pub source: Source,
    /// Why, in a sentence.
    pub why: String,
    /// Files of the folder that are not used.
    pub others: Vec<PathBuf>,
    /// What the user should know about it.
    pub warnings: Vec<Problem>,
}

/// Chooses the file of a run.
pub fn choose(wanted: &Wanted<'_>) -> Result<Choice, Problem> {
    let named = |text: Option<&str>| {
        text.filter(|text| !text.is_empty())
            .map(|text| place(text, wanted.folder))
    };
    let candidates = [
        (
            wanted.explicit.map(Path::to_owned),
            Source::Explicit,
            "it was named for this run",
        ),
        (
            wanted.active.map(Path::to_owned),
            Source::Active,
            "it is the active configuration of this workspace",
        ),
        (
            named(wanted.launch),
            Source::Launch,
            "MIRRORD_CONFIG_FILE of the launch configuration names it",
        ),
        (
            named(wanted.environment),
            Source::Environment,
            "MIRRORD_CONFIG_FILE of the environment names it",
        ),
    ];
    for (path, source, why) in candidates {
        if let Some(path) = path {
            let why = format!("{} is used, for {why}", path.display());
            return Ok(Choice {
                path: Some(path),
                source,
                why,
                others: Vec::new(),
                warnings: Vec::new(),
            });
        }
    }
    match wanted.folder {
        Some(folder) => found(folder),
        None => Ok(nothing(
            "no configuration is used: the run belongs to no folder".to_owned(),
        )),
    }
}

/// A relative path is one of the folder; editors' own words for the folder are understood.
fn place(text: &str, folder: Option<&Path>) -> PathBuf {
    let Some(folder) = folder else {
        return PathBuf::from(text);
    };
    const FOLDER: &[&str] = &[
        "${workspaceFolder}",
        "${workspaceRoot}",
        "$ProjectFileDir$",
        "$PROJECT_DIR$",
    ];
    let rest = FOLDER.iter().find_map(|word| text.strip_prefix(word));
    folder.join(rest.map_or(text, |rest| rest.trim_start_matches('/')))
}

/// `.mirrord/*mirrord.{json,toml,yml,yaml}` of a folder, by name.
pub fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let inside = folder.join(".mirrord");
    let entries = match fs::read_dir(&inside) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&inside, &error)),
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&inside, &error))?.path();
        if is_config_name(&path) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file is called as configurations are.
pub fn is_config_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    matches!(extension, Some("json" | "toml" | "yml" | "yaml"))
        && stem.is_some_and(|stem| stem.ends_with("mirrord"))
}

fn found(folder: &Path) -> Result<Choice, Problem> {
    let mut files = files_of(folder)?.into_iter();
    let Some(first) = files.next() else {
        return Ok(nothing(format!(
            "no configuration is used: there is none in {}",
            folder.join(".mirrord").display()
        )));
    };
    let others: Vec<PathBuf> = files.collect();
    let names: Vec<String> = others
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut warnings = Vec::new();
    let mut why = format!("{} is used, for it is the folder's", first.display());
    if !others.is_empty() {
        why = format!(
            "{} is used, for it is the first by name in its folder",
            first.display()
        );
        let message = format!(
            "several configurations: {} is used, and not {}",
            first.display(),
            names.join(", ")
        );
        let problem = Problem::warning(Code::SeveralFiles, message);
        warnings.push(problem.help("name the one to use with --config"));
    }
    Ok(Choice {
        path: Some(first),
        source: Source::Found,
        why,
        others,
        warnings,
    })
}

fn nothing(why: String) -> Choice {
    Choice {
        path: None,
        source: Source::Nothing,
        why,
        others: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The folder of a workspace with several that a run belongs to: the one that the launch names, or
/// the nearest around the working directory or the program, or the only one. The sentence says
/// why.
pub fn owning_folder<'a>(
    folders: &'a [PathBuf],
    launch: Option<&'a Path>,
    inside: &[&Path],
) -> Option<(&'a Path, String)> {
    if let Some(folder) = launch {
        let why = format!("the launch belongs to {}", folder.display());
        return Some((folder, why));
    }
    for path in inside {
        let around = folders.iter().filter(|folder| path.starts_with(folder));
        if let Some(folder) = around.max_by_key(|folder| folder.components().count()) {
            let why = format!("{} lies in {}", path.display(), folder.display());
            return Some((folder, why));
        }
    }
    match folders {
        [] => None,
        [only] => Some((only, format!("{} is the only folder", only.display()))),
        [first, ..] => {
            let why = format!(
                "{} is the first of several folders, and nothing says which is meant",
                first.display()
            );
            Some((first, why))
        }
    }
}

/// The environment's own word on the file, when it has one.
pub(super) fn from_environment(env: &std::collections::HashMap<String, String>) -> Option<&str> {
    env.get(VARIABLE).map(String::as_str)
}
