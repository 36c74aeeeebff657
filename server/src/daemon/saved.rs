//! What the daemon remembers for its user: active files, toggles, mutes, and when a target was
//! last used. A small JSON file, replaced in one step; a broken one is put aside and said so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The remembered things.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Folder (URI) to its active file (URI).
    pub active_files: BTreeMap<String, String>,
    /// Folder (URI) to the toggle's last value.
    pub toggles: BTreeMap<String, bool>,
    /// Kinds of messages that are not shown.
    pub muted: BTreeSet<String>,
    /// Target to the instant of its last session.
    pub last_used: BTreeMap<String, String>,
}

/// More targets than that are forgotten, the oldest first.
const MOST_TARGETS: usize = 200;

/// The memory and its file.
pub struct Saved {
    path: PathBuf,
    memory: Mutex<Memory>,
}

impl Saved {
    /// Reads the file in `folder`, which need not be there.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join("remembered.json");
        let memory = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let aside = path.with_extension("broken");
                tracing::warn!(
                    "{} is broken ({error}); it is put aside as {} and begun anew",
                    path.display(),
                    aside.display()
                );
                if let Err(error) = std::fs::rename(&path, &aside) {
                    tracing::warn!("could not put it aside: {error}");
                }
                Memory::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Memory::default(),
            Err(error) => {
                tracing::warn!("could not read {}: {error}", path.display());
                Memory::default()
            }
        };
        Saved {
            path,
            memory: Mutex::new(memory),
        }
    }

    /// What is remembered now.
    pub fn get<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        look(
            &self
                .memory
                .lock()
                .unwrap_or_else(|broken| broken.into_inner()),
        )
    }

    /// Changes it and writes it down.
    pub fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<()> {
        let mut memory = self
            .memory
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        let before = memory.clone();
        change(&mut memory);
        forget_old(&mut memory);
        if *memory == before {
            return Ok(());
        }
        self.write(&memory)
            .with_context(|| format!("could not write {}", self.path.display()))
    }

    fn write(&self, memory: &Memory) -> Result<()> {
        let folder = self.path.parent().context("it has no folder")?;
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, memory)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

fn forget_old(memory: &mut Memory) {
    while memory.last_used.len() > MOST_TARGETS {
        let oldest = memory.last_used.iter().min_by_key(|(_, instant)| *instant);
        let Some(oldest) = oldest.map(|(target, _)| target.clone()) else {
            return;
        };
        memory.last_used.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(folder.path());
        saved
            .change(|memory| {
                memory.muted.insert("several-configs".into());
            })
            .unwrap();
        let again = Saved::open(folder.path());
        assert!(again.get(|memory| memory.muted.contains("several-configs")));
    }

    #[test]
    fn a_broken_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("remembered.json"), "{").unwrap();
        let saved = Saved::open(folder.path());
        assert_eq!(saved.get(Memory::clone), Memory::default());
        let aside = std::fs::read_to_string(folder.path().join("remembered.broken"));
        assert_eq!(aside.unwrap(), "{");
    }

    #[test]
    fn the_oldest_targets_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(folder.path());
        let all = (0..=MOST_TARGETS).map(|n| (format!("process/{n}"), format!("{n:05}")));
        saved.change(|memory| memory.last_used.extend(all)).unwrap();
        saved.get(|memory| {
            assert_eq!(memory.last_used.len(), MOST_TARGETS);
            assert!(!memory.last_used.contains_key("process/0"));
        });
    }
}
