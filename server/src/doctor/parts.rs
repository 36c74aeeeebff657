//! What belongs to the product itself, and what it left behind.

use std::fs;
use std::process::{Command, Stdio};

use mirrord_editor_protocol::doctor::{Check, CheckStatus};

use super::found;
use crate::provider::local::beside_us;
use crate::runtime_dir;

/// The layer's file beside our own.
const LAYER: &str = "libmirrord_layer.so";

pub fn agent() -> Check {
    let (id, title) = ("parts.agent", "The agent for targets of this machine");
    match beside_us("mirrord-agent") {
        Ok(path) => found(id, title, CheckStatus::Ok, path.display().to_string(), None),
        Err(error) => found(
            id,
            title,
            CheckStatus::Fail,
            error.to_string(),
            Some("install the whole package: all its files lie in one folder"),
        ),
    }
}

pub fn layer() -> Check {
    let (id, title) = ("parts.layer", "The layer can be loaded into programs");
    let tried = beside_us(LAYER).and_then(|path| {
        let loaded = Command::new(std::env::current_exe()?)
            .arg("--version")
            .env_clear()
            .env("LD_PRELOAD", &path)
            .stdin(Stdio::null())
            .output()?;
        let words = String::from_utf8_lossy(&loaded.stderr).into_owned();
        anyhow::ensure!(
            loaded.status.success() && !words.contains("ld.so"),
            "a program with the layer said: {}",
            words.trim()
        );
        Ok(path)
    });
    match tried {
        Ok(path) => found(id, title, CheckStatus::Ok, path.display().to_string(), None),
        Err(error) => found(
            id,
            title,
            CheckStatus::Fail,
            format!("{error:#}"),
            Some("install the package for this machine's kind of processor and C library"),
        ),
    }
}

pub fn runtime_folder() -> Check {
    let (id, title) = ("parts.runtimeFolder", "The folder of sockets and sessions");
    match runtime_dir::user_folder() {
        Ok(path) => found(id, title, CheckStatus::Ok, path.display().to_string(), None),
        Err(error) => found(
            id,
            title,
            CheckStatus::Fail,
            format!("{error:#}"),
            Some("set XDG_RUNTIME_DIR to a folder of your own with mode 0700"),
        ),
    }
}

pub fn leftovers() -> Check {
    let (id, title) = (
        "parts.leftovers",
        "Nothing is left of sessions that were killed",
    );
    let Ok(entries) = runtime_dir::user_folder().and_then(|path| Ok(fs::read_dir(path)?)) else {
        let detail = "the runtime folder could not be read";
        return found(id, title, CheckStatus::Warn, detail, None);
    };
    let dead: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("session-"))
        .filter(|entry| is_dead(&entry.path()))
        .map(|entry| entry.path().display().to_string())
        .collect();
    if dead.is_empty() {
        return found(id, title, CheckStatus::Ok, "nothing", None);
    }
    found(
        id,
        title,
        CheckStatus::Warn,
        format!("folders of dead sessions: {}", dead.join(", ")),
        Some("the next session removes them"),
    )
}

/// Nobody holds the lock of its folder.
fn is_dead(folder: &std::path::Path) -> bool {
    fs::File::open(folder.join("lock")).is_ok_and(|lock| {
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok()
    })
}
