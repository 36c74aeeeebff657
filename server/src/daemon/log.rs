//! The daemon's log: files in the user's state folder, one for each day, the last few kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// Days that are kept.
const KEPT: usize = 5;

/// The folder of logs and memory: `$XDG_STATE_HOME/mirrord`, usually `~/.local/state/mirrord`;
/// where there is no home, the runtime folder.
pub fn state_folder() -> Result<PathBuf> {
    let folder = directories::ProjectDirs::from("", "", "mirrord")
        .and_then(|dirs| dirs.state_dir().map(Path::to_path_buf));
    let folder = match folder {
        Some(folder) => folder,
        None => crate::runtime_dir::user_folder()?.join("state"),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    Ok(folder)
}

/// Writes logs and panics there from now on.
pub fn start(folder: &Path, filter: &str) -> Result<()> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("daemon")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(folder)
        .with_context(|| format!("could not write logs into {}", folder.display()))?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::sync::Mutex::new(appender))
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}
