//! Which file of this machine each process executes, where the rules would look for it in the pod.
//!
//! Programs run here, so a name that is executed is this machine's when this machine has it. The
//! interpreter of a script then opens that same name, and must get the same file.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Executed names by process.
#[derive(Default)]
pub(crate) struct Programs {
    executed: Mutex<HashMap<i32, Vec<u8>>>,
}

impl Programs {
    /// The process is about to execute `path` of this machine.
    pub(crate) fn executes(&self, tgid: i32, path: &[u8]) {
        self.executed().insert(tgid, path.to_vec());
    }

    /// Whether `path` is what the process executes.
    pub(crate) fn is(&self, tgid: i32, path: &[u8]) -> bool {
        self.executed()
            .get(&tgid)
            .is_some_and(|executed| executed == path)
    }

    /// The process is gone.
    pub(crate) fn forget(&self, tgid: i32) {
        self.executed().remove(&tgid);
    }

    fn executed(&self) -> MutexGuard<'_, HashMap<i32, Vec<u8>>> {
        self.executed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
