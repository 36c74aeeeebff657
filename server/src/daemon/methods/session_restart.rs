//! `mirrord/session/restart`: the same launch again, with the configuration read again.

use std::sync::Arc;

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::launch::PrepareResult;
use mirrord_editor_protocol::session::RestartParams;

use super::{Outcome, launch_prepare};
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;

/// Programs get this long to end by themselves.
const GRACE_MS: u64 = 2_000;

/// Ends the session and prepares its launch anew; the agent is warm by then.
pub async fn restart(client: &Arc<Client>, params: RestartParams) -> Outcome<PrepareResult> {
    let Some(mut launch) = client.daemon.launches.get(&params.session_id) else {
        let message = format!(
            "the launch of session {:?} is not known to this daemon, which began after it or \
             forgot it",
            params.session_id
        );
        return Err(Failure::new(ErrorKind::WrongState, message)
            .help("stop the session and prepare the launch again"));
    };
    launch.work_done_token = params.work_done_token;
    if let Some(found) = crate::session::list::find(&params.session_id).await? {
        found.client.stop(GRACE_MS, true).await?;
    }
    client.daemon.launches.forget(&params.session_id);
    launch_prepare::prepare(client, launch).await
}
