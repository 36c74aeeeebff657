//! `mirrord/agent/status`, `list` and `stop`.

use std::sync::Arc;

use mirrord_editor_protocol::agent::{
    Agent, AgentPhase, AgentStatus, ListParams, ListResult, StatusParams, StopParams,
};
use mirrord_editor_protocol::{Empty, ErrorKind};
use mirrord_protocol::session_control::SessionStatus;

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::daemon::sessions;
use crate::session::list;

/// How a session's agent is.
pub async fn status(_: &Arc<Client>, params: StatusParams) -> Outcome<AgentStatus> {
    let found = sessions::find(&params.session_id).await?;
    let agent = found.client.agent_status().await?;
    let primary = agent.agents.first().filter(|first| first.primary);
    Ok(AgentStatus {
        phase: sessions::agent_phase(&agent.phase),
        node: primary.map(|primary| primary.node.clone()),
        image: None,
        version: Some(agent.version),
        restarts: 0,
        round_trip_us: agent.round_trip_us,
        agents: agent.agents.into_iter().map(sessions::pod_agent).collect(),
    })
}

/// This user's agents. A session's own agent has the session's id; one in another pod of its
/// workload has that and the pod's name.
pub async fn list(_: &Arc<Client>, _: ListParams) -> Outcome<ListResult> {
    let found = list::sessions().await?;
    Ok(ListResult {
        agents: found
            .into_iter()
            .flat_map(|found| of_session(found.status))
            .collect(),
    })
}

fn of_session(status: SessionStatus) -> Vec<Agent> {
    let warm = status.warm_until.is_some();
    let primary = status.agents.iter().find(|agent| agent.primary);
    let own = Agent {
        agent_id: status.id.clone(),
        target: status.target.clone(),
        pod: primary.map(|primary| primary.pod.clone()),
        phase: match warm {
            true => AgentPhase::Warm,
            false => AgentPhase::Serving,
        },
        session_id: (!warm).then(|| status.id.clone()),
        expires_at: status.warm_until.clone(),
    };
    let others = status.agents.iter().filter(|agent| !agent.primary);
    let others = others.map(|agent| Agent {
        agent_id: format!("{}/{}", status.id, agent.pod),
        target: status.target.clone(),
        pod: Some(agent.pod.clone()),
        phase: sessions::agent_phase(&agent.phase),
        session_id: Some(status.id.clone()),
        expires_at: None,
    });
    std::iter::once(own).chain(others).collect()
}

/// Ends a warm agent.
pub async fn stop(_: &Arc<Client>, params: StopParams) -> Outcome<Empty> {
    // That of another pod is its session's too, and never warm.
    let session = params.agent_id.split('/').next().unwrap_or_default();
    let found = sessions::find(session).await?;
    if found.status.warm_until.is_none() {
        let message = format!("the agent {:?} serves a session", params.agent_id);
        return Err(Failure::new(ErrorKind::WrongState, message)
            .help("end the session with `mirrord/session/stop`"));
    }
    found.client.stop_agent().await?;
    Ok(Empty {})
}
