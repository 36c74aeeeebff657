//! What an editor says about a launch after `prepare`: `bind`, `keep`, `abort`, and how its
//! debugger stands.

use std::sync::Arc;

use mirrord_editor_protocol::Empty;
use mirrord_editor_protocol::launch::{
    BindParams, DebugState, DebugStateParams, KeepResult, SessionParams,
};
use mirrord_protocol::session_control::SessionState;

use super::Outcome;
use super::launch_prepare::EXPIRES_MS;
use crate::daemon::client::Client;
use crate::daemon::sessions;

/// The debuggee runs.
pub async fn bind(_: &Arc<Client>, params: BindParams) -> Outcome<Empty> {
    let found = sessions::find(&params.session_id).await?;
    found.client.bind(params.pid, params.debugger_port).await?;
    Ok(Empty {})
}

/// The launch takes longer.
pub async fn keep(_: &Arc<Client>, params: SessionParams) -> Outcome<KeepResult> {
    let found = sessions::find(&params.session_id).await?;
    let status = found.client.keep(EXPIRES_MS).await?;
    Ok(KeepResult {
        expires_at: match status.state {
            SessionState::Ready { expires_at } => expires_at,
            _ => None,
        },
    })
}

/// There will be no launch. Aborting what is gone already is no failure.
pub async fn abort(client: &Arc<Client>, params: SessionParams) -> Outcome<Empty> {
    client.daemon.launches.forget(&params.session_id);
    match crate::session::list::find(&params.session_id).await? {
        Some(found) => found.client.abort().await?,
        None => tracing::debug!("{} was gone before it was aborted", params.session_id),
    }
    Ok(Empty {})
}

/// The debugger stopped the debuggee, let it go on, or went away.
pub async fn debug_state(_: &Arc<Client>, params: DebugStateParams) -> Outcome<Empty> {
    let paused = match params.state {
        DebugState::Paused => true,
        DebugState::Running | DebugState::Disconnected => false,
        // A word of a newer client changes nothing.
        DebugState::Other(_) => return Ok(Empty {}),
    };
    let found = sessions::find(&params.session_id).await?;
    found.client.debug_state(params.pid, paused).await?;
    Ok(Empty {})
}
