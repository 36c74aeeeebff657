//! The daemon's end when nobody needs it.

use std::sync::Arc;
use std::time::Duration;

use super::sessions;
use super::state::Daemon;

/// Returns when there has been neither a client nor a session for `idle`. Wakes up only when
/// clients come and go, and once for each such time.
pub async fn wait(daemon: Arc<Daemon>, idle: Duration) {
    let mut connections = daemon.connections();
    loop {
        // The sender is in the daemon that we hold.
        if connections.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
        let somebody = connections.wait_for(|count| *count > 0);
        if tokio::time::timeout(idle, somebody).await.is_err() && sessions::count() == 0 {
            tracing::info!("nobody needed the daemon for {} s", idle.as_secs());
            return;
        }
    }
}
