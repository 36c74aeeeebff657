//! Everything that a running session holds, and putting it away.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mirrord_link::Streams;
use mirrord_net::outgoing::OutgoingRelays;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::ToSupervisor;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};

use super::agent_link::{AgentLink, AgentNews};
use super::channel::SupervisorChannel;
use super::listeners::Listeners;
use super::program::Program;
use crate::events::EventLog;
use crate::runtime_dir::SessionFolder;
use crate::target::Target;

/// How long our other processes have to end by themselves.
const END_POLITELY: Duration = Duration::from_secs(3);

/// The parts.
pub struct Parts {
    pub target: Target,
    pub events: EventLog,
    /// Notices that the user has seen.
    pub said: std::collections::HashSet<String>,
    pub agent: AgentLink,
    pub agent_news_rx: mpsc::Receiver<AgentNews>,
    pub agent_process: Option<Child>,
    pub supervisor: Arc<SupervisorChannel>,
    pub supervisor_process: Child,
    pub files_process: Child,
    pub program: Program,
    pub outgoing: OutgoingRelays,
    pub listeners: Listeners,
    pub answer_tx: mpsc::UnboundedSender<ToSupervisor>,
    pub answer_rx: mpsc::UnboundedReceiver<ToSupervisor>,
    pub event_rx: mpsc::UnboundedReceiver<EventKind>,
    pub streams_tx: watch::Sender<Option<Streams>>,
    pub _folder: SessionFolder,
}

impl Parts {
    /// Puts everything away, in the order in which it leaves nothing behind: the supervised
    /// processes, then those of ours that serve them, then the agent with all that it took.
    pub async fn end(mut self, how: &Result<i32>) -> Result<()> {
        let reason = match how {
            Ok(_) => "the program ended".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        state(&mut self.events, "draining", &reason);
        self.supervisor
            .send(&ToSupervisor::End {
                reason: reason.clone(),
            })
            .await
            .ok();
        if tokio::time::timeout(END_POLITELY, self.program.wait())
            .await
            .is_err()
        {
            self.program.kill().await;
        }
        // The supervisor ends with its programs, the file server with the supervisor; then nobody
        // is left who could miss the agent.
        let deadline = tokio::time::Instant::now() + END_POLITELY;
        end_by(deadline, &mut self.supervisor_process).await;
        end_by(deadline, &mut self.files_process).await;
        self.agent.close(&reason).await;
        self.streams_tx.send_replace(None);
        if let Some(agent) = &mut self.agent_process {
            end_by(deadline, agent).await;
        }
        while let Ok(kind) = self.event_rx.try_recv() {
            self.events.add(kind);
        }
        state(&mut self.events, "ended", &reason);
        self.events.close()
    }
}

async fn end_by(deadline: tokio::time::Instant, process: &mut Child) {
    if tokio::time::timeout_at(deadline, process.wait())
        .await
        .is_err()
    {
        tracing::warn!("process {:?} did not end by itself", process.id());
        let _ = process.kill().await;
    }
}

/// Tells a change of the session's state.
pub fn state(events: &mut EventLog, state: &str, reason: &str) {
    tracing::info!("session {state}: {reason}");
    events.add(EventKind::Session {
        state: state.to_owned(),
        reason: reason.to_owned(),
    });
}
