//! Working directories that only we know.
//!
//! No process can change another's working directory. Where the layer is loaded, it opens the
//! folder and calls fchdir(2) itself. A static program's `chdir` into the pod is answered with
//! success and kept here, and its relative names are resolved from here, until it changes to a
//! local folder. Children inherit it as they would the real one.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{status::Status, tracee::Tracee};

/// As many generations are looked through for a process that set a directory before it forked.
const ANCESTORS: usize = 16;

/// Directories by process. A process without an entry has not been looked at; `None`: its real
/// one is valid.
#[derive(Default)]
pub(crate) struct Directories {
    used: AtomicBool,
    by_process: Mutex<HashMap<i32, Option<Vec<u8>>>>,
}

impl Directories {
    /// The directory kept for the caller. Costs nothing as long as nobody has one.
    pub(crate) fn of(&self, tracee: &Tracee) -> Option<Vec<u8>> {
        if !self.used.load(Ordering::Relaxed) {
            return None;
        }
        let tgid = tracee.tgid().ok()?;
        let mut by_process = self.lock();
        if let Some(known) = by_process.get(&tgid) {
            return known.clone();
        }
        let mut inherited = None;
        let mut parent = tracee.status().ok()?.parent;
        for _ in 0..ANCESTORS {
            if let Some(known) = by_process.get(&parent) {
                inherited = known.clone();
                break;
            }
            match Status::read(parent) {
                Ok(status) if status.parent > 1 => parent = status.parent,
                _ => break,
            }
        }
        by_process.insert(tgid, inherited.clone());
        inherited
    }

    /// The caller changed into a folder that its kernel cannot enter for it.
    pub(crate) fn set(&self, tgid: i32, path: Vec<u8>) {
        self.lock().insert(tgid, Some(path));
        self.used.store(true, Ordering::Relaxed);
    }

    /// The caller's real working directory is valid again.
    pub(crate) fn clear(&self, tgid: i32) {
        if self.used.load(Ordering::Relaxed) {
            self.lock().insert(tgid, None);
        }
    }

    /// The process is gone.
    pub(crate) fn forget(&self, tgid: i32) {
        if self.used.load(Ordering::Relaxed) {
            self.lock().remove(&tgid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Option<Vec<u8>>>> {
        self.by_process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn myself() -> Tracee {
        Tracee::of_thread(rustix::thread::gettid().as_raw_nonzero().get())
    }

    #[test]
    fn a_child_begins_where_its_parent_is() {
        let directories = Directories::default();
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get();
        assert_eq!(directories.of(&myself()), None);
        directories.set(parent, b"/data".to_vec());
        assert_eq!(directories.of(&myself()), Some(b"/data".to_vec()));
        directories.set(parent, b"/other".to_vec());
        assert_eq!(
            directories.of(&myself()),
            Some(b"/data".to_vec()),
            "its own from then on"
        );
        directories.clear(std::process::id() as i32);
        assert_eq!(directories.of(&myself()), None);
    }
}
