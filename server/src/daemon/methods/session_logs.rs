//! `mirrord/session/logs`.

use std::sync::Arc;

use mirrord_editor_protocol::session::{LogLine, LogSource, LogsParams, LogsResult};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::sessions;

/// Lines when nothing is said.
const LIMIT: u32 = 1000;

/// The last lines of a session's logs. The layer writes into the session's own.
pub async fn logs(_: &Arc<Client>, params: LogsParams) -> Outcome<LogsResult> {
    let found = sessions::find(&params.session_id).await?;
    let (session, agent) = found.client.logs(params.limit.unwrap_or(LIMIT)).await?;
    let of = |source: LogSource, lines: Vec<String>| {
        lines.into_iter().map(move |text| LogLine {
            source: source.clone(),
            text,
        })
    };
    let mut lines: Vec<LogLine> = of(LogSource::Server, session)
        .chain(of(LogSource::Agent, agent))
        .collect();
    if let Some(source) = params.source {
        lines.retain(|line| line.source == source);
    }
    Ok(LogsResult { lines })
}
