//! What the user is told when a session cannot go on.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::anyhow;
use mirrord_protocol::local::ToSupervisor;
use tokio::process::Child;

use super::END_POLITELY;
use super::agent_link::AgentNews;
use super::parts::Parts;
use super::{program, reconnect};

/// Links of one agent that broke together are heard of within this time.
const TOGETHER: Duration = Duration::from_millis(500);

/// The agent is gone: the program is ended, with the reason.
pub async fn agent_gone(parts: &mut Parts, reason: &str) -> anyhow::Error {
    // The agent's own words, if its process said any, are in the log already.
    end_program(parts, &format!("the pod is out of reach: {reason}")).await
}

/// The file server ended before the session did: because the agent did, or by itself.
pub async fn file_server_ended(parts: &mut Parts, status: ExitStatus) -> anyhow::Error {
    let deadline = tokio::time::Instant::now() + TOGETHER;
    loop {
        let news = tokio::select! {
            news = parts.agent_news_rx.recv() => news,
            Err(reason) = reconnect::found(&mut parts.linking.lost) => {
                return agent_gone(parts, &reason).await;
            }
            () = tokio::time::sleep_until(deadline) => break,
        };
        let reason = match news {
            None => break,
            Some(AgentNews::Notice(notice)) => parts.on_notice(notice),
            Some(AgentNews::Closed { reason } | AgentNews::Lost { reason, .. }) => Some(reason),
        };
        if let Some(reason) = reason {
            return agent_gone(parts, &reason).await;
        }
    }
    end_program(
        parts,
        &format!("the session's file server ended ({status})"),
    )
    .await
}

/// The supervisor is gone, and with it everything that it supervised.
pub async fn supervisor_gone(process: &mut Child) -> anyhow::Error {
    match process.wait().await {
        Ok(status) => anyhow!("the session's supervisor ended ({status})"),
        Err(error) => anyhow!("the session's supervisor ended ({error})"),
    }
}

async fn end_program(parts: &mut Parts, reason: &str) -> anyhow::Error {
    parts.notice("error", reason);
    let end = ToSupervisor::end(reason);
    if parts.supervisor.send(&end).await.is_ok() && parts.program.is_some() {
        let _ = tokio::time::timeout(END_POLITELY, program::wait(&mut parts.program)).await;
    }
    anyhow!("{reason}; the program was ended")
}
