//! What the launch table has to know: facts about the launch's files, and what the session gives.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use mirrord_editor_protocol::launch::Launch;
use mirrord_launch::{Facts, Injection, PRELOAD, subject};
use mirrord_protocol::session_control::Prepared;

use crate::daemon::failure::Failure;
use crate::daemon::methods::{Outcome, apart};

/// Looks at the launch's files.
pub async fn facts(
    launch: &Launch,
    folder: &Path,
    environment: &BTreeMap<String, String>,
) -> Outcome<Facts> {
    let subject = subject(launch);
    let working_directory = launch
        .cwd
        .as_ref()
        .map_or_else(|| folder.to_path_buf(), |cwd| folder.join(cwd));
    let search_path = environment.get("PATH").cloned();
    let inherited_preload = environment.get(PRELOAD).cloned();
    let env_file = launch.env_file.as_ref().map(|file| folder.join(file));
    apart(move || {
        let executable = subject.and_then(|program| {
            mirrord_launch::executable::facts(
                &program,
                search_path.as_deref().map(OsStr::new),
                &working_directory,
            )
        });
        Ok(Facts {
            executable,
            env_file: env_file.map(read_env_file).transpose()?.unwrap_or_default(),
            inherited_preload,
        })
    })
    .await
}

/// The debugger reads it too, and says itself when it is not there.
fn read_env_file(path: PathBuf) -> anyhow::Result<BTreeMap<String, String>> {
    let entries = match dotenvy::from_path_iter(&path) {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return Ok(BTreeMap::new()),
        Err(error) => {
            return Err(Failure::invalid(format!(
                "could not read envFile {}: {error}",
                path.display()
            ))
            .into());
        }
    };
    // A line that cannot be read belongs to the debugger, which tells its user.
    Ok(entries.flatten().collect())
}

/// Stands for a session while nothing is started yet.
pub fn placeholder() -> Injection {
    Injection {
        layer: "/layer".to_owned(),
        socket: "/socket".to_owned(),
        token: "token".to_owned(),
        launcher: "/launcher".to_owned(),
        unset: Vec::new(),
    }
}

/// What a session that is ready gives to its programs.
pub fn injection_of(prepared: &Prepared) -> Result<Injection, Failure> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::from(anyhow::anyhow!(
                "the path {} is not text, which editors could carry",
                path.display()
            ))
        })
    };
    let launcher = prepared.launcher.first().cloned();
    Ok(Injection {
        layer: text(&prepared.layer)?,
        socket: text(&prepared.socket)?,
        token: prepared.token.clone(),
        launcher: launcher
            .ok_or_else(|| Failure::from(anyhow::anyhow!("the session named no launcher")))?,
        unset: Vec::new(),
    })
}
