//! Files that supervised programs opened for writing.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// More files than this are not told apart any more.
const KEPT: usize = 4096;

/// Inode numbers of the mount. A write makes the kernel's copy of the times stale without making
/// the name stale, so these files are not answered from the cache alone.
#[derive(Default)]
pub(crate) struct Written {
    all: AtomicBool,
    inodes: Mutex<HashSet<u64>>,
}

impl Written {
    /// The file was opened for writing.
    pub(crate) fn insert(&self, inode: u64) {
        let mut inodes = self.inodes.lock().unwrap_or_else(PoisonError::into_inner);
        if inodes.len() >= KEPT {
            self.all.store(true, Ordering::Relaxed);
            inodes.clear();
        }
        inodes.insert(inode);
    }

    /// Whether it may have been written to.
    pub(crate) fn contains(&self, inode: u64) -> bool {
        self.all.load(Ordering::Relaxed)
            || self
                .inodes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&inode)
    }
}
