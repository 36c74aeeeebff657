//! `mirrord/session/subscribe` and `unsubscribe`: a session's events, as they happen.

use std::sync::Arc;

use mirrord_editor_protocol::notify::{Level, NotifyParams};
use mirrord_editor_protocol::session::{GetParams, SessionEvent, SubscribeParams, SubscribeResult};
use mirrord_editor_protocol::{Empty, methods};
use mirrord_protocol::event::{Event, EventKind};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::sessions;
use crate::session::client::{Events, Pushed, SessionClient};

/// Begins to tell events.
pub async fn subscribe(client: &Arc<Client>, params: SubscribeParams) -> Outcome<SubscribeResult> {
    let found = sessions::find(&params.session_id).await?;
    // Without `since_seq` only what is new is wanted.
    let from = params.since_seq.unwrap_or(found.status.next_seq);
    let events = found.client.subscribe(from, params.local).await?;
    let task = tokio::spawn(tell(Arc::clone(client), params.session_id.clone(), events));
    client.keep(task_name(&params.session_id), task.abort_handle());
    Ok(SubscribeResult {
        session: sessions::wire(found.status),
    })
}

/// Ends that.
pub async fn unsubscribe(client: &Arc<Client>, params: GetParams) -> Outcome<Empty> {
    client.stop(&task_name(&params.session_id));
    Ok(Empty {})
}

fn task_name(session_id: &str) -> String {
    format!("session {session_id}")
}

/// Tells the notices of a session that this client launched, to the session's end or its own.
pub async fn tell_notices(client: Arc<Client>, session: SessionClient, session_id: String) {
    client.launches(&session_id, true);
    match session.subscribe(0, false).await {
        Ok(mut events) => {
            while let Ok(Some(pushed)) = events.next().await {
                if let Pushed::Event(event) = pushed
                    && let EventKind::Notice { level, text } = &event.kind
                {
                    notify(&client, level, text);
                }
            }
        }
        Err(error) => tracing::debug!("{session_id} ended before its notices were heard: {error}"),
    }
    client.launches(&session_id, false);
}

async fn tell(client: Arc<Client>, session_id: String, mut events: Events) {
    let peer = client.peer();
    let mut last_seq = events.next_seq;
    loop {
        let event = match events.next().await {
            Ok(Some(Pushed::Event(event))) => event,
            Ok(Some(Pushed::Dropped(count))) => Event {
                seq: last_seq,
                ts: crate::events::now(),
                kind: EventKind::Dropped { count },
            },
            Ok(None) => return,
            Err(error) => {
                tracing::warn!("the events of session {session_id} ended: {error:#}");
                return;
            }
        };
        last_seq = event.seq;
        if let EventKind::Notice { level, text } = &event.kind
            && !client.hears_notices(&session_id)
        {
            notify(&client, level, text);
        }
        peer.tell::<methods::SessionEvent>(&SessionEvent {
            session_id: session_id.clone(),
            event,
        });
    }
}

/// What a session says to its user is shown by the editor, unless the user muted it.
const NOTICE: &str = "session.notice";

fn notify(client: &Client, level: &str, text: &str) {
    client.notify(&NotifyParams {
        id: NOTICE.to_owned(),
        level: Level::from(level),
        text: text.to_owned(),
        help: None,
        actions: Vec::new(),
    });
}
