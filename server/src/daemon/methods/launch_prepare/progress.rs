//! Progress of a start, under the client's own token.

use mirrord_editor_protocol::ProgressToken;
use serde_json::json;

use crate::daemon::peer::Peer;

/// Told from its beginning to its end; silent without a token.
pub struct Progress {
    peer: Peer,
    token: Option<ProgressToken>,
}

impl Progress {
    /// It begins.
    pub fn begin(peer: Peer, token: Option<ProgressToken>) -> Self {
        let progress = Progress { peer, token };
        progress.tell(&json!({
            "kind": "begin",
            "title": "Preparing the session",
            "cancellable": true,
        }));
        progress
    }

    /// A step begins.
    pub fn step(&self, text: &str) {
        self.tell(&json!({ "kind": "report", "message": text }));
    }

    /// It ends, one way or the other.
    pub fn end(self) {
        self.tell(&json!({ "kind": "end" }));
    }

    fn tell(&self, value: &serde_json::Value) {
        if let Some(token) = &self.token {
            self.peer.progress(token, value);
        }
    }
}
