//! `mirrord/session/list` and `get`.

use std::sync::Arc;

use mirrord_editor_protocol::session::{GetParams, ListParams, ListResult, Session};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::{sessions, uri};

/// This user's sessions, whoever began them.
pub async fn list(_: &Arc<Client>, params: ListParams) -> Outcome<ListResult> {
    let workspace = params.workspace.as_deref().map(uri::normal);
    let mut all: Vec<Session> = sessions::all()
        .await?
        .into_iter()
        .map(|found| sessions::wire(found.status))
        .collect();
    if let Some(workspace) = workspace {
        all.retain(|session| session.workspace.as_ref() == Some(&workspace));
    }
    Ok(ListResult { sessions: all })
}

/// One session.
pub async fn get(_: &Arc<Client>, params: GetParams) -> Outcome<Session> {
    Ok(sessions::wire(
        sessions::find(&params.session_id).await?.status,
    ))
}
