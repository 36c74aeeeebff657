//! `mirrord/status`: the one status item.

use mirrord_editor_protocol::lifecycle::{Status, StatusState};
use mirrord_editor_protocol::methods;

use crate::daemon::client::Client;
use crate::daemon::sessions;

/// Tells a client how things are.
pub fn tell(client: &Client) {
    client.peer().tell::<methods::Status>(&now());
}

/// How things are.
pub fn now() -> Status {
    let missing = super::doctor::what_is_missing();
    Status {
        state: match missing {
            None => StatusState::Ready,
            Some(_) => StatusState::Degraded,
        },
        context: None,
        namespace: None,
        sessions: u32::try_from(sessions::count()).unwrap_or(u32::MAX),
        message: missing,
    }
}
