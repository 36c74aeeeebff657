//! `mirrord/session/stop`.

use std::sync::Arc;

use mirrord_editor_protocol::session::{StopParams, StopResult};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::request::Context;
use crate::daemon::sessions;

/// Programs get this long to end by themselves when nothing is said.
const GRACE_MS: u64 = 2_000;

/// Ends a session; returns when all is cleaned up.
pub async fn stop(_: &Arc<Client>, params: StopParams) -> Outcome<StopResult> {
    let found = sessions::find(&params.session_id).await?;
    // A stop that was begun is not taken back.
    let _ = Context::current().undoes_by_itself();
    let grace = params.grace_ms.unwrap_or(GRACE_MS);
    found
        .client
        .stop(grace, params.kill_debuggee.unwrap_or(true))
        .await?;
    Ok(StopResult {
        reason: "it was stopped".to_owned(),
    })
}
