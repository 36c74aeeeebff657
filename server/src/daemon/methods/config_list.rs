//! `mirrord/config/list`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mirrord_editor_protocol::config::{ConfigFile, FileKind, ListParams, ListResult};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::{Text, format_of};
use crate::daemon::uri;

/// Lists the configuration files of a folder, or of all the client's folders.
pub async fn list(client: &Client, params: ListParams) -> Outcome<ListResult> {
    let folders = match params.workspace.as_deref().and_then(uri::to_path) {
        Some(folder) => vec![folder],
        None => client.said().folders.clone(),
    };
    let env = client.environment(&BTreeMap::new());
    let mut files = Vec::new();
    for folder in folders {
        let active = client.active_file(&folder);
        let env = env.clone();
        let part = apart(move || Ok(files_of(&folder, active.as_deref(), &env))).await?;
        match &params.partial_result_token {
            Some(token) => client.peer().progress(token, &ListResult { files: part }),
            None => files.extend(part),
        }
    }
    Ok(ListResult { files })
}

fn files_of(
    folder: &Path,
    active: Option<&Path>,
    env: &BTreeMap<String, String>,
) -> Vec<ConfigFile> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder.join(".mirrord"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_config(path))
        .collect();
    paths.sort();
    let default = paths.first().cloned();
    let active = active.filter(|path| path.is_file());
    if let Some(active) = active {
        paths.retain(|path| path != active);
        paths.insert(0, active.to_path_buf());
    }
    let file = |path: PathBuf| {
        let text = Text {
            text: std::fs::read_to_string(&path).unwrap_or_default(),
            path,
        };
        let (config, _) = text.check(env);
        ConfigFile {
            uri: uri::from_path(&text.path),
            workspace: Some(uri::from_path(folder)),
            kind: if Some(text.path.as_path()) == active {
                FileKind::Active
            } else if Some(&text.path) == default.as_ref() {
                FileKind::Default
            } else {
                FileKind::Found
            },
            format: format_of(&text.path),
            valid: config.is_some(),
            target: config.and_then(|config| config.target_name()),
        }
    };
    paths.into_iter().map(file).collect()
}

/// `*mirrord.{json,toml,yml,yaml}`.
fn is_config(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let ending = path.extension().and_then(|ending| ending.to_str());
    stem.is_some_and(|stem| stem.ends_with("mirrord"))
        && matches!(ending, Some("json" | "toml" | "yml" | "yaml"))
        && path.is_file()
}
