//! What the user is told when a session cannot go on.

use std::process::ExitStatus;

use anyhow::anyhow;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::ToSupervisor;
use tokio::process::Child;

use super::END_POLITELY;
use super::parts::Parts;

/// The agent is gone: the program is ended, with the reason.
pub async fn agent_gone(parts: &mut Parts, reason: &str) -> anyhow::Error {
    // The agent's own words, if its process said any, are in the log already.
    end_program(parts, &format!("the pod is out of reach: {reason}")).await
}

/// One of our processes ended before the session did.
pub async fn role_ended(parts: &mut Parts, role: &str, status: ExitStatus) -> anyhow::Error {
    end_program(parts, &format!("the session's {role} ended ({status})")).await
}

/// The supervisor is gone, and with it everything that it supervised.
pub async fn supervisor_gone(process: &mut Child) -> anyhow::Error {
    match process.wait().await {
        Ok(status) => anyhow!("the session's supervisor ended ({status})"),
        Err(error) => anyhow!("the session's supervisor ended ({error})"),
    }
}

async fn end_program(parts: &mut Parts, reason: &str) -> anyhow::Error {
    parts.events.add(EventKind::Notice { level: "error".into(), text: reason.to_owned() });
    let end = ToSupervisor::End { reason: reason.to_owned() };
    if parts.supervisor.send(&end).await.is_ok() {
        let _ = tokio::time::timeout(END_POLITELY, parts.program.wait()).await;
    }
    anyhow!("{reason}; the program was ended")
}
