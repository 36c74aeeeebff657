//! This user's sessions, found by their folders: whoever asks needs no memory of them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use mirrord_protocol::session_control::SessionStatus;

use super::client::SessionClient;
use super::warm::WARM_FILE;
use crate::runtime_dir;

/// A session that does not answer for so long is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// A session that answered.
#[derive(Debug, Clone)]
pub struct Found {
    /// To ask it more.
    pub client: SessionClient,
    /// What it said.
    pub status: SessionStatus,
}

/// Every session that lives, the oldest first, also those that are over and keep their agent warm
/// (`status.warm_until`). What killed ones left behind is removed.
pub async fn sessions() -> Result<Vec<Found>> {
    let parent = runtime_dir::user_folder()?;
    runtime_dir::remove_dead_sessions(&parent);
    let asked = folders(&parent)?.into_iter().map(|folder| async move {
        let client = SessionClient::new(folder);
        let status = tokio::time::timeout(PATIENCE, client.status()).await;
        // It may have ended between being listed and being asked.
        let status = status.ok()?.ok()?;
        Some(Found { client, status })
    });
    let mut found: Vec<Found> = futures::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect();
    found.sort_by(|a, b| a.status.started_at.cmp(&b.status.started_at));
    Ok(found)
}

/// The session of this id.
pub async fn find(id: &str) -> Result<Option<Found>> {
    let all = sessions().await?;
    Ok(all.into_iter().find(|found| found.status.id == id))
}

/// Sessions that keep an agent that is found by this ([`super::agent::warm_key`]).
pub fn warm_for(warm_key: &str) -> Result<Vec<SessionClient>> {
    let folders = folders(&runtime_dir::user_folder()?)?;
    let is_for = |folder: &PathBuf| {
        std::fs::read_to_string(folder.join(WARM_FILE)).is_ok_and(|text| text == warm_key)
    };
    Ok(folders
        .into_iter()
        .filter(is_for)
        .map(SessionClient::new)
        .collect())
}

fn folders(parent: &std::path::Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("session-") {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}
