//! What the user should know about a launch: which configuration it uses and why, that an active one
//! is gone, that there is no target; and what the session says while it runs.

use std::sync::Arc;

use mirrord_editor_protocol::launch::Launch;
use mirrord_editor_protocol::notify::{Action, Level, NotifyParams};
use mirrord_protocol::session_control::Prepared;

use crate::daemon::client::Client;
use crate::daemon::configs::Wanted;
use crate::daemon::methods::session_subscribe;
use crate::session::client::SessionClient;

/// Commands that every editor has.
const SELECT_ACTIVE: &str = "mirrord.selectActiveConfig";

/// It is left alone. Only for attaching is that no matter of course.
pub fn skipped(client: &Client, launch: &Launch, reason: &str) {
    let request = launch.raw.as_ref().and_then(|raw| raw.get("request"));
    if request.is_some_and(|request| request == "attach") {
        let text = format!("{} is not run with mirrord: {reason}", launch.name);
        client.notify_once(&notice("launch.attach", Level::Info, text));
    }
}

/// It is prepared.
pub fn prepared(client: &Arc<Client>, wanted: &Wanted, planned: &[String], prepared: &Prepared) {
    if let Some(gone) = wanted.active.as_deref().filter(|file| !file.is_file()) {
        let text = format!(
            "the active configuration {} was moved or deleted",
            gone.display()
        );
        let mut notice = notice("launch.activeGone", Level::Warn, text);
        notice.actions.push(Action {
            title: "Select another".to_owned(),
            command: SELECT_ACTIVE.to_owned(),
            arguments: Vec::new(),
        });
        client.notify(&notice);
    }
    if let Ok(choice) = wanted.choose()
        && choice.path.is_some()
    {
        client.notify_once(&notice("launch.config", Level::Info, choice.why));
    }
    if prepared.target == "targetless" {
        let text = "the program runs without a target: it reaches what the cluster reaches, and has \
                    no pod's files, variables and traffic";
        client.notify_once(&notice("launch.targetless", Level::Info, text.to_owned()));
    }
    for warning in prepared.warnings.iter().chain(planned) {
        client.notify_once(&notice("launch.warning", Level::Warn, warning.clone()));
    }
    let task = tokio::spawn(session_subscribe::tell_notices(
        Arc::clone(client),
        SessionClient::new(&prepared.folder),
        prepared.session_id.clone(),
    ));
    client.keep(
        format!("notices {}", prepared.session_id),
        task.abort_handle(),
    );
}

fn notice(id: &str, level: Level, text: String) -> NotifyParams {
    NotifyParams {
        id: id.to_owned(),
        level,
        text,
        help: None,
        actions: Vec::new(),
    }
}
