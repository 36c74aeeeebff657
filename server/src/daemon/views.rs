//! `mirrord/session/changed`: clients with a view of sessions hear of every session, whoever began
//! it and whether they subscribed or not.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use mirrord_editor_protocol::methods;
use mirrord_editor_protocol::session::Changed;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::session_control::{SessionState, SessionStatus};

use super::methods::status;
use super::sessions;
use super::state::Daemon;
use crate::session::client::Pushed;
use crate::session::list::Found;

/// Ids of the sessions that are followed.
#[derive(Default)]
pub struct Followed(Mutex<HashSet<String>>);

impl Followed {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Follows every session that is not followed yet: after a launch, and when a client comes, for
/// sessions may have begun without this daemon.
pub fn look(daemon: &Arc<Daemon>) {
    let daemon = Arc::clone(daemon);
    tokio::spawn(async move {
        match sessions::all().await {
            Ok(all) => {
                for found in all {
                    if daemon.followed.lock().insert(found.status.id.clone()) {
                        tokio::spawn(follow(Arc::clone(&daemon), found));
                    }
                }
            }
            Err(error) => tracing::warn!("could not look for sessions: {error}"),
        }
    });
}

async fn follow(daemon: Arc<Daemon>, found: Found) {
    let mut last = found.status.clone();
    tell(&daemon, &last);
    tell_number(&daemon).await;
    match found.client.subscribe(last.next_seq, false).await {
        Ok(mut events) => {
            while let Ok(Some(pushed)) = events.next().await {
                let Pushed::Event(event) = pushed else {
                    continue;
                };
                if matches!(event.kind, EventKind::Session { .. })
                    && let Ok(status) = found.client.status().await
                {
                    last = status;
                    tell(&daemon, &last);
                    // It may keep its agent for a while; it is over all the same.
                    if matches!(last.state, SessionState::Ended { .. }) {
                        tell_number(&daemon).await;
                    }
                }
            }
        }
        Err(error) => tracing::debug!("{} ended as it was found: {error}", last.id),
    }
    if !matches!(last.state, SessionState::Ended { .. }) {
        let reason = "its process is gone".to_owned();
        last.state = SessionState::Ended { reason };
        tell(&daemon, &last);
    }
    daemon.followed.lock().remove(&last.id);
    tell_number(&daemon).await;
}

/// How many sessions there are is in everybody's status.
async fn tell_number(daemon: &Daemon) {
    for client in daemon.clients() {
        status::tell(&client).await;
    }
}

fn tell(daemon: &Daemon, status: &SessionStatus) {
    let session = sessions::wire(status.clone());
    let changed = Changed { session };
    daemon.tell_all(|peer| {
        if peer.shows_sessions {
            peer.tell::<methods::SessionChanged>(&changed);
        }
    });
}
