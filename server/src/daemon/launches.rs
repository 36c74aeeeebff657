//! What the daemon remembers of launches: the params of each session's `prepare`, for `restart`.
//! Kept in memory only: they hold the launch's environment.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use mirrord_editor_protocol::launch::PrepareParams;

/// Older ones are forgotten.
const MOST: usize = 64;

/// Params by their session's id, the newest last.
#[derive(Default)]
pub struct Launches(Mutex<VecDeque<(String, PrepareParams)>>);

impl Launches {
    /// Remembers a launch.
    pub fn remember(&self, session_id: &str, params: PrepareParams) {
        let mut launches = self.lock();
        launches.push_back((session_id.to_owned(), params));
        while launches.len() > MOST {
            launches.pop_front();
        }
    }

    /// The launch of a session.
    pub fn get(&self, session_id: &str) -> Option<PrepareParams> {
        let launches = self.lock();
        let of = launches.iter().find(|(id, _)| id == session_id)?;
        Some(of.1.clone())
    }

    /// Forgets it.
    pub fn forget(&self, session_id: &str) {
        self.lock().retain(|(id, _)| id != session_id);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, PrepareParams)>> {
        self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}
