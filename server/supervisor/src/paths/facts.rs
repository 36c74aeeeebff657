//! What the agent lately said about paths, so that a call on a path just seen is answered where
//! it arrives.
//!
//! An entry is believed as long as the agent's answer is (a change in the pod must be seen within
//! a second), and dropped when a supervised program changes something that it may depend on. The
//! kernel's own caches of the mount hold the same answers; the entries here add what the mount
//! cannot know: the access bits as the pod's kernel gave them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mirrord_files::Walked;
use mirrord_protocol::creds::Creds;

use super::resolve::below;

/// Entries kept; more paths than this within a second are not worth remembering.
const KEPT: usize = 16 * 1024;
/// What is about to end is taken as ended, or the kernel's copy might end first and a quick
/// answer wait for the file server.
const MARGIN: Duration = Duration::from_millis(20);

/// The cache.
#[derive(Default)]
pub(crate) struct Facts {
    entries: Mutex<HashMap<Box<[u8]>, Vec<Entry>>>,
    generation: AtomicU64,
}

struct Entry {
    follow: bool,
    creds: Option<Creds>,
    walked: Arc<Walked>,
    /// A folder that was opened to be read: its names are in the file server's cache, or soon.
    listed: bool,
}

impl Facts {
    /// What is known and still true.
    pub(crate) fn get(
        &self,
        path: &[u8],
        follow: bool,
        creds: Option<&Creds>,
    ) -> Option<Arc<Walked>> {
        let entries = self.lock();
        let found = entries
            .get(path)?
            .iter()
            .find(|e| e.follow == follow && e.creds.as_ref() == creds)?;
        (Instant::now() + MARGIN < found.walked.valid_until).then(|| found.walked.clone())
    }

    /// Counts changes; taken before a question, given back with its answer.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Remembers an answer, unless something was changed since it was asked for.
    pub(crate) fn put(
        &self,
        path: &[u8],
        follow: bool,
        creds: Option<&Creds>,
        walked: &Arc<Walked>,
        generation: u64,
    ) {
        let mut entries = self.lock();
        if self.generation() != generation {
            return;
        }
        if entries.len() >= KEPT {
            entries.clear();
        }
        let known = entries.entry(path.into()).or_default();
        // What is not a link is the same whether links are followed or not.
        let both = match &walked.found {
            Ok(found) => found.link.is_none() && (!follow || found.path == path),
            Err(_) => false,
        };
        let forms: &[bool] = if both { &[false, true] } else { &[follow] };
        for &follow in forms {
            known.retain(|e| e.follow != follow || e.creds.as_ref() != creds);
            known.push(Entry {
                follow,
                creds: creds.cloned(),
                walked: walked.clone(),
                listed: false,
            });
        }
    }

    /// A folder was opened to be read.
    pub(crate) fn listed(&self, path: &[u8], creds: Option<&Creds>) {
        if let Some(known) = self.lock().get_mut(trim(path)) {
            for entry in known.iter_mut().filter(|e| e.creds.as_ref() == creds) {
                entry.listed = true;
            }
        }
    }

    /// The path without links of a folder that was listed and may be searched: looking at a name
    /// in it asks the pod for nothing that is not here already.
    pub(crate) fn searchable(&self, path: &[u8], creds: Option<&Creds>) -> Option<Vec<u8>> {
        let entries = self.lock();
        let known = entries
            .get(path)?
            .iter()
            .find(|e| e.listed && e.creds.as_ref() == creds)?;
        let found = known.walked.found.as_ref().ok()?;
        let fresh = Instant::now() + MARGIN < known.walked.valid_until;
        let may_search = found.allowed & mirrord_files::allow::EXECUTE != 0;
        (fresh && may_search).then(|| found.path.clone())
    }

    /// A program changed what `path` names. Negative answers go with it, because a link can make
    /// any other path depend on this one; positive ones elsewhere are checked again against the
    /// kernel's caches when they are used.
    pub(crate) fn changed(&self, path: &[u8]) {
        let mut entries = self.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        let path = trim(path);
        let parent = &path[..path.iter().rposition(|&b| b == b'/').unwrap_or(0).max(1)];
        entries.retain(|known, facts| {
            let known = trim(known);
            if below(known, path) || known == parent {
                return false;
            }
            facts.retain(|fact| fact.walked.found.is_ok());
            !facts.is_empty()
        });
    }

    /// Rights or links may have changed anywhere.
    pub(crate) fn clear(&self) {
        let mut entries = self.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        entries.clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Vec<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn trim(path: &[u8]) -> &[u8] {
    match path {
        [first, .., b'/'] if *first == b'/' => &path[..path.len() - 1],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(valid: Duration) -> Arc<Walked> {
        let valid_until = Instant::now() + valid;
        Arc::new(Walked {
            found: Err(libc::ENOENT),
            parent: None,
            valid_until,
        })
    }

    #[test]
    fn an_answer_is_believed_until_its_time_is_over() {
        let facts = Facts::default();
        facts.put(b"/a", true, None, &missing(Duration::from_millis(800)), 0);
        assert!(facts.get(b"/a", true, None).is_some());
        assert!(facts.get(b"/a", false, None).is_none());
        facts.put(b"/b", true, None, &missing(Duration::from_millis(5)), 0);
        assert!(facts.get(b"/b", true, None).is_none());
    }

    #[test]
    fn answers_for_other_ids_are_kept_apart() {
        let facts = Facts::default();
        let other = Creds {
            uid: 7,
            gid: 7,
            groups: vec![],
        };
        facts.put(
            b"/a",
            true,
            Some(&other),
            &missing(Duration::from_secs(1)),
            0,
        );
        assert!(facts.get(b"/a", true, None).is_none());
        assert!(facts.get(b"/a", true, Some(&other)).is_some());
    }

    #[test]
    fn a_change_drops_what_was_missing_and_late_answers() {
        let facts = Facts::default();
        let before = facts.generation();
        facts.put(
            b"/a/b",
            true,
            None,
            &missing(Duration::from_secs(1)),
            before,
        );
        facts.changed(b"/elsewhere");
        assert!(facts.get(b"/a/b", true, None).is_none());
        facts.put(
            b"/a/b",
            true,
            None,
            &missing(Duration::from_secs(1)),
            before,
        );
        assert!(
            facts.get(b"/a/b", true, None).is_none(),
            "asked before the change"
        );
    }
}
