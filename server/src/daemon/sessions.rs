//! This user's sessions, as the daemon finds them: each is a process of its own with a folder of
//! its own, so nothing has to be remembered here and a new daemon knows them at once.

use std::path::Path;

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::agent::{AgentPhase, PodAgent as WireAgent};
use mirrord_editor_protocol::config::{ConfigChoice, ConfigSource};
use mirrord_editor_protocol::session::{Port, Process, Session, SessionState as WireState};
use mirrord_protocol::session_control::{
    PodAgent, PortMode, SessionError, SessionState, SessionStatus,
};

use super::failure::Failure;
use super::uri;
use crate::runtime_dir;
use crate::session::list::{self, Found};

/// How many folders of sessions there are; asks nobody.
pub fn count() -> usize {
    let folder = match runtime_dir::user_folder() {
        Ok(folder) => folder,
        Err(error) => {
            tracing::warn!("{error:#}");
            return 0;
        }
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .filter(|entry| is_live_session(&entry.path()))
        .count()
}

/// Those that are over and only keep their agent do not count.
fn is_live_session(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("session-") && !folder.join(crate::session::warm::WARM_FILE).exists()
}

/// Every session that lives, the newest first.
pub async fn all() -> Result<Vec<Found>, Failure> {
    let mut found = list::sessions().await?;
    found.retain(|found| found.status.warm_until.is_none());
    found.reverse();
    Ok(found)
}

/// The session of this id.
pub async fn find(id: &str) -> Result<Found, Failure> {
    list::find(id).await?.ok_or_else(|| {
        Failure::new(
            ErrorKind::NotFound,
            format!("there is no session {id:?}: it ended, or was never there"),
        )
        .help("`mirrord/session/list` tells which there are")
    })
}

/// Ids of those on a target.
pub async fn on_target(target: &str) -> Vec<String> {
    match all().await {
        Ok(found) => found
            .into_iter()
            .filter(|found| found.status.target == target)
            .map(|found| found.status.id)
            .collect(),
        Err(error) => {
            tracing::warn!("could not list sessions: {error}");
            Vec::new()
        }
    }
}

/// A session on the wire.
pub fn wire(status: SessionStatus) -> Session {
    let (reason, expires_at) = match &status.state {
        SessionState::Ended { reason } | SessionState::Reconnecting { reason } => {
            (Some(reason.clone()), None)
        }
        SessionState::Ready { expires_at } => (None, expires_at.clone()),
        _ => (None, None),
    };
    let config = status.config_file.as_deref().map(|file| ConfigChoice {
        uri: Some(uri::from_path(file)),
        source: ConfigSource::from(status.config_chosen.source.as_str()),
        why: Some(status.config_chosen.why.clone()),
    });
    Session {
        session_id: status.id,
        name: status.name,
        state: WireState::from(status.state.name()),
        reason,
        target: status.target,
        workspace: status.workspace.as_deref().map(uri::from_path),
        config,
        started_at: status.started_at,
        expires_at,
        processes: status
            .processes
            .into_iter()
            .map(|process| Process {
                pid: process.pid,
                exe: process.exe,
                bound: process.bound,
                paused: process.paused,
            })
            .collect(),
        ports: status
            .ports
            .into_iter()
            .map(|port| Port {
                port: port.port,
                mode: mode(port.mode).to_owned(),
            })
            .collect(),
        agents: status.agents.into_iter().map(pod_agent).collect(),
        last_seq: status.next_seq.saturating_sub(1),
    }
}

/// An agent in a pod, on the wire.
pub fn pod_agent(agent: PodAgent) -> WireAgent {
    WireAgent {
        pod: agent.pod,
        node: agent.node,
        primary: agent.primary,
        phase: agent_phase(&agent.phase),
        reason: agent.reason,
        restarts: agent.reconnects,
        round_trip_us: agent.round_trip_us,
    }
}

/// A session's word for what an agent does, on the wire.
pub fn agent_phase(word: &str) -> AgentPhase {
    match word {
        "linked" => AgentPhase::Serving,
        "reconnecting" | "gone" => AgentPhase::Lost,
        other => AgentPhase::from(other),
    }
}

fn mode(mode: PortMode) -> &'static str {
    match mode {
        PortMode::Steal => "steal",
        PortMode::Mirror => "mirror",
        PortMode::Off => "off",
    }
}

/// What a session could not do, as a failure of the request.
impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let kind = match error.kind.as_str() {
            "config" => ErrorKind::ConfigInvalid,
            "target" | "agent" => ErrorKind::TargetUnavailable,
            "cancelled" => ErrorKind::Cancelled,
            "ended" => ErrorKind::NotFound,
            "request" => ErrorKind::WrongState,
            _ => ErrorKind::Internal,
        };
        let mut failure = Failure::new(kind, error.message);
        failure.0.help = error.help;
        failure.0.causes = error.causes;
        failure.0.retryable = error.retryable;
        failure
    }
}
