//! Holding an agent that runs: each connection to our socket is carried to it, until it is lost, or
//! nobody wants it any more.
//!
//! A session that lives has its links, or dials every few seconds; so one that does not call for a
//! while is gone, however it went. That needs no word from it, and holds for the next session that
//! takes a warm agent over, too. The time is the machine's own: a sleeping laptop does not count.

use std::time::Duration;

use mirrord_kubernetes::RunningAgent;
use tokio::net::UnixListener;
use tokio::signal::unix::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::log;

/// A session dials a lost link at least as often, and has made its first link long before.
const UNUSED: Duration = Duration::from_secs(10);

/// After a failed accept (no descriptors left).
const PAUSE: Duration = Duration::from_millis(50);

/// How long a session's goodbye may be on its way.
const GOODBYE: Duration = Duration::from_secs(3);

/// How it ended.
pub enum Over {
    /// Nobody wants the agent any more.
    Enough,
    /// The agent is gone, and somebody calls it; why.
    Lost(String),
}

/// Carries connections to an agent. To be called again with the next one.
pub async fn serve(
    agent: &RunningAgent,
    port: u16,
    socket: &UnixListener,
    terminate: &mut Signal,
) -> Over {
    let mut carries = JoinSet::new();
    let mut looks = JoinSet::new();
    let mut unused_at = Instant::now() + UNUSED;
    let ends = agent.until_it_ends(log);
    tokio::pin!(ends);
    let reason = loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((local, _)) => {
                    let agent = agent.clone();
                    carries.spawn(async move { agent.carry(port, local).await });
                }
                Err(error) => {
                    tracing::warn!("the socket to the agent: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(carried) = carries.join_next() => {
                if let Ok(Err(error)) = carried {
                    tracing::warn!("the way to the agent's pod {} ended: {error}", agent.pod);
                }
                unused_at = Instant::now() + UNUSED;
                if looks.is_empty() {
                    let agent = agent.clone();
                    looks.spawn(async move { agent.has_ended().await });
                }
            }
            Some(look) = looks.join_next() => {
                if let Ok(Some(reason)) = look {
                    break reason;
                }
            }
            ended = &mut ends => break match ended {
                Ok(reason) => reason,
                Err(error) => error.to_string(),
            },
            () = sleep_until(unused_at), if carries.is_empty() => return Over::Enough,
            _ = terminate.recv() => {
                if agent.job.is_none() {
                    let_go(carries).await;
                }
                return Over::Enough;
            }
        }
    };
    // What still hangs there lets go, so that a session that lives calls anew.
    drop(carries);
    // A session that closed its agent does not call again.
    tokio::select! {
        _called = socket.accept() => Over::Lost(reason),
        () = tokio::time::sleep(UNUSED) => Over::Enough,
        _ = terminate.recv() => Over::Enough,
    }
}

/// An agent that cannot be removed ends by the session's goodbye, which is on its way to it.
async fn let_go(mut carries: JoinSet<Result<(), mirrord_kubernetes::Error>>) {
    let gone = async { while carries.join_next().await.is_some() {} };
    if tokio::time::timeout(GOODBYE, gone).await.is_err() {
        tracing::debug!("the session still holds its links; its agent ends by its grace time");
    }
}
