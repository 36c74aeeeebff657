//! Everything that a running session holds, and putting it away.

use std::sync::Arc;
use std::time::Duration;

use mirrord_link::{Fingerprint, Streams};
use mirrord_net::outgoing::OutgoingRelays;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::{FromSupervisor, ToSupervisor};
use mirrord_protocol::session_control::SessionState;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::End;
use super::agent_link::{AgentLink, AgentNews};
use super::board::Board;
use super::channel::SupervisorChannel;
use super::control::{Answered, Order};
use super::least::Kept;
use super::life::Life;
use super::listeners::Listeners;
use super::program::Program;
use super::reconnect::Linking;
use super::replicas::{Replicas, Roster};
use super::rules::RuleBook;
use super::warm::Left;
use crate::events::Wanted;
use crate::provider::{AgentProcess, Place};
use crate::runtime_dir::SessionFolder;
use mirrord_target::Target;

/// How long our other processes have to end by themselves.
const END_POLITELY: Duration = Duration::from_secs(3);

/// The parts.
pub struct Parts {
    pub target: Target,
    pub board: Board,
    /// Notices that the user has seen.
    pub said: std::collections::HashSet<String>,
    pub agent: AgentLink,
    pub agent_news_rx: mpsc::Receiver<AgentNews>,
    pub agent_process: Option<AgentProcess>,
    /// What the user should know of the agent: sentences.
    pub agent_notes: Vec<String>,
    pub linking: Linking,
    pub agent_fingerprint: Fingerprint,
    pub agent_version: String,
    /// The agent served another session before.
    pub was_warm: bool,
    /// What its agent is found by when it is kept.
    pub warm_key: String,
    /// The pod's.
    pub hostname: String,
    /// Where the agent is, in a cluster.
    pub place: Option<Place>,
    /// The agents as others see them.
    pub roster: Roster,
    /// Those in the workload's other pods.
    pub replicas: Option<Replicas>,
    /// What admits processes that others launch.
    pub token: String,
    pub supervisor: Arc<SupervisorChannel>,
    pub supervisor_process: Child,
    pub files_process: Child,
    /// Our own program, in the foreground.
    pub program: Option<Program>,
    /// The processes, whoever launched them.
    pub life: Life,
    /// The end that was asked for, once the processes are gone or their time is over.
    pub stopping: Option<(Instant, String)>,
    /// Who waits for the end.
    pub ended_txs: Vec<oneshot::Sender<Answered>>,
    pub order_tx: mpsc::Sender<Order>,
    pub order_rx: mpsc::Receiver<Order>,
    pub wanted_rx: watch::Receiver<Wanted>,
    pub outgoing: OutgoingRelays,
    pub listeners: Listeners,
    pub rules: RuleBook,
    /// What the configuration says beside the rules.
    pub kept: Kept,
    /// The pod's files can be written to at all.
    pub may_write: bool,
    pub answer_tx: mpsc::UnboundedSender<ToSupervisor>,
    pub answer_rx: mpsc::UnboundedReceiver<ToSupervisor>,
    pub event_rx: mpsc::UnboundedReceiver<EventKind>,
    pub streams_tx: watch::Sender<Option<Streams>>,
    pub folder: SessionFolder,
}

impl Parts {
    /// Puts everything away but the agent, in the order in which it leaves nothing behind: the
    /// supervised processes, then those of ours that serve them. What is left is the agent with
    /// its link, to be closed or kept for the next session.
    pub async fn end(mut self, how: &End) -> Left {
        let (reason, grace) = match how {
            End::Program(_) => ("the program ended".to_owned(), None),
            End::LastProcess => ("its last process ended".to_owned(), None),
            End::Expired => ("no program was launched into it in time".to_owned(), None),
            End::Stopped(who, grace) => (who.clone(), Some(*grace)),
            End::Failed(error) => (format!("{error:#}"), None),
        };
        self.board.enter(SessionState::Draining, &reason);
        let mut order = ToSupervisor::end(reason.clone());
        if let (Some(grace), ToSupervisor::End { grace_ms, .. }) = (grace, &mut order) {
            *grace_ms = grace.as_millis().try_into().unwrap_or(u64::MAX);
        }
        self.supervisor.send(&order).await.ok();
        let deadline = Instant::now() + grace.unwrap_or_default() + END_POLITELY;
        self.hear_out(deadline).await;
        if let Some(program) = &mut self.program
            && tokio::time::timeout_at(deadline, program.wait())
                .await
                .is_err()
        {
            program.kill().await;
        }
        // The supervisor ends with its programs, the file server with the supervisor; then nobody
        // is left who could miss the agent.
        let deadline = Instant::now() + END_POLITELY;
        let replicas = self.replicas.take();
        tokio::join!(
            async {
                end_by(deadline, &mut self.supervisor_process).await;
                end_by(deadline, &mut self.files_process).await;
            },
            async {
                if let Some(replicas) = replicas {
                    replicas.end().await;
                }
            },
        );
        self.streams_tx.send_replace(None);
        while let Ok(kind) = self.event_rx.try_recv() {
            self.board.events.add(kind);
        }
        self.board.update(|status| {
            status.processes.clear();
            status.ports.clear();
            status.paused = false;
        });
        self.show_agent("warm");
        Left {
            roster: self.roster.clone(),
            facts: self.agent_facts("warm"),
            warm_key: self.warm_key,
            usable: !matches!(how, End::Failed(_)) && !self.linking.is_lost(),
            agent: self.agent,
            agent_news_rx: self.agent_news_rx,
            process: self.agent_process,
            endpoint: self.linking.endpoint,
            fingerprint: self.agent_fingerprint,
            board: self.board.clone(),
            order_rx: self.order_rx,
            folder: self.folder,
            reason: reason.clone(),
            ended_txs: self.ended_txs,
        }
    }

    /// The last events of the supervisor, until it is gone.
    async fn hear_out(&mut self, deadline: Instant) {
        while let Ok(Ok(Some(message))) =
            tokio::time::timeout_at(deadline, self.supervisor.receive()).await
        {
            if let FromSupervisor::Event(kind) = message {
                self.board.events.add(kind);
            }
        }
    }

    /// Passes a signal to our own program.
    pub fn signal_program(&self, number: i32) {
        if let Some(program) = &self.program {
            program.signal(number);
        }
    }
}

async fn end_by(deadline: Instant, process: &mut Child) {
    if tokio::time::timeout_at(deadline, process.wait())
        .await
        .is_err()
    {
        tracing::warn!("process {:?} did not end by itself", process.id());
        let _ = process.kill().await;
    }
}
