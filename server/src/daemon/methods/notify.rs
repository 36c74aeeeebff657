//! `mirrord/notify/mute`.

use mirrord_editor_protocol::Empty;
use mirrord_editor_protocol::notify::MuteParams;

use super::{Outcome, apart};
use crate::daemon::client::Client;

/// Remembers what the user does not want to hear.
pub async fn mute(client: &Client, params: MuteParams) -> Outcome<Empty> {
    let daemon = client.daemon.clone();
    apart(move || {
        daemon.saved.change(|memory| {
            if params.muted {
                memory.muted.insert(params.id);
            } else {
                memory.muted.remove(&params.id);
            }
        })
    })
    .await?;
    Ok(Empty {})
}
