//! `mirrord/agent/status`, `list` and `stop`.

use std::sync::Arc;

use mirrord_editor_protocol::agent::{
    Agent, AgentPhase, AgentStatus, ListParams, ListResult, StatusParams, StopParams,
};
use mirrord_editor_protocol::{Empty, ErrorKind};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::daemon::sessions;
use crate::session::list;

/// How a session's agent is.
pub async fn status(_: &Arc<Client>, params: StatusParams) -> Outcome<AgentStatus> {
    let found = sessions::find(&params.session_id).await?;
    let agent = found.client.agent_status().await?;
    Ok(AgentStatus {
        phase: phase(&agent.phase),
        node: None,
        image: None,
        version: Some(agent.version),
        restarts: 0,
        round_trip_us: agent.round_trip_us,
    })
}

/// This user's agents. An agent has the id of the session that started or keeps it.
pub async fn list(_: &Arc<Client>, _: ListParams) -> Outcome<ListResult> {
    let agents = list::sessions().await?.into_iter().map(|found| {
        let warm = found.status.warm_until.is_some();
        Agent {
            agent_id: found.status.id.clone(),
            target: found.status.target,
            phase: match warm {
                true => AgentPhase::Warm,
                false => AgentPhase::Serving,
            },
            session_id: (!warm).then_some(found.status.id),
            expires_at: found.status.warm_until,
        }
    });
    Ok(ListResult {
        agents: agents.collect(),
    })
}

/// Ends a warm agent.
pub async fn stop(_: &Arc<Client>, params: StopParams) -> Outcome<Empty> {
    let found = sessions::find(&params.agent_id).await?;
    if found.status.warm_until.is_none() {
        let message = format!("the agent {:?} serves a session", params.agent_id);
        return Err(Failure::new(ErrorKind::WrongState, message)
            .help("end the session with `mirrord/session/stop`"));
    }
    found.client.stop_agent().await?;
    Ok(Empty {})
}

/// A session's word for it, on the wire.
fn phase(word: &str) -> AgentPhase {
    match word {
        "linked" => AgentPhase::Serving,
        "warm" => AgentPhase::Warm,
        "reconnecting" | "gone" => AgentPhase::Lost,
        other => AgentPhase::from(other),
    }
}
