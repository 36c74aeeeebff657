//! What others ask of a running session, as its control socket passes it on.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::Result;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::ToSupervisor;
use mirrord_protocol::session_control::{
    AgentStatus, SessionAnswer, SessionError, SessionRequest, SessionState,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::control::{Answered, Order};
use super::parts::Parts;
use super::{End, least, refusal};
use crate::events::{self, Wanted};

impl Parts {
    /// Does one; `Some` when it ends the session.
    pub async fn on_order(&mut self, order: Order) -> Result<Option<End>> {
        let (request, answer_tx) = match order {
            Order::BoundEnded(pid) => {
                self.life.bound_ended(pid);
                self.show_processes();
                return Ok(None);
            }
            Order::Ask(request, answer_tx) => (request, answer_tx),
        };
        let answer = match request {
            SessionRequest::Bind { pid, debugger_port } => self.bind(pid, debugger_port),
            SessionRequest::DebugState { pid, paused } => {
                self.life.pause(pid, paused);
                self.show_processes();
                Ok(SessionAnswer::Done)
            }
            SessionRequest::Keep { expires_ms } => self.keep(Duration::from_millis(expires_ms)),
            SessionRequest::Abort => return Ok(self.abort(answer_tx)),
            SessionRequest::Stop {
                grace_ms,
                kill_debuggee,
            } => {
                let grace = Duration::from_millis(grace_ms);
                return Ok(self.stop(grace, kill_debuggee, answer_tx));
            }
            SessionRequest::AgentStatus if self.linking.is_lost() => {
                Ok(SessionAnswer::Agent(self.agent_facts("reconnecting")))
            }
            SessionRequest::AgentStatus => {
                tokio::spawn(agent_status(
                    self.agent_facts("linked"),
                    self.agent.clone(),
                    self.roster.clone(),
                    answer_tx,
                ));
                return Ok(None);
            }
            SessionRequest::Least => {
                let basis = self.least_basis();
                tokio::task::spawn_blocking(move || reply(answer_tx, least::answer(basis)));
                return Ok(None);
            }
            SessionRequest::ProveIncoming { port } => {
                let prover = self.prover(port);
                tokio::spawn(async move { reply(answer_tx, prover.prove().await) });
                return Ok(None);
            }
            SessionRequest::Rule(change) => {
                self.change_rule(change, answer_tx).await;
                return Ok(None);
            }
            SessionRequest::TakeAgent { .. } | SessionRequest::StopAgent => Err(refusal::plain(
                "request",
                "the session still uses its agent",
            )),
            other => Err(refusal::plain(
                "request",
                &format!("a running session does not answer {other:?}"),
            )),
        };
        reply(answer_tx, answer);
        Ok(None)
    }

    fn bind(&mut self, pid: i32, debugger_port: Option<u16>) -> Answered {
        if let Some(port) = debugger_port {
            self.listeners.leave_alone(port);
        }
        let pidfd = Pid::from_raw(pid)
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
        // One that is gone already was there nevertheless: the session has had its debuggee.
        let is_new = self.life.bind(pid);
        match pidfd {
            Ok(pidfd) if is_new => {
                let order_tx = self.order_tx.clone();
                tokio::spawn(async move {
                    if let Err(error) = process_end(pidfd).await {
                        tracing::warn!("could not wait for process {pid}: {error}");
                    }
                    let _ = order_tx.send(Order::BoundEnded(pid)).await;
                });
            }
            Ok(_) => {}
            Err(rustix::io::Errno::SRCH) => self.life.bound_ended(pid),
            Err(errno) => {
                self.life.bound_ended(pid);
                return Err(refusal::plain(
                    "request",
                    &format!("could not watch process {pid}: {errno}"),
                ));
            }
        }
        self.show_processes();
        Ok(SessionAnswer::Done)
    }

    fn keep(&mut self, expires: Duration) -> Answered {
        self.life.keep(expires);
        let ready = SessionState::Ready {
            expires_at: Some(events::after(expires)),
        };
        match (self.board.state(), &mut self.linking.lost) {
            (SessionState::Ready { .. }, _) => self.board.update(|status| status.state = ready),
            (_, Some(lost)) if matches!(lost.before, SessionState::Ready { .. }) => {
                lost.before = ready;
            }
            _ => {}
        }
        Ok(SessionAnswer::Status(Box::new(self.board.status())))
    }

    fn abort(&mut self, answer_tx: oneshot::Sender<Answered>) -> Option<End> {
        if self.life.has_processes() || self.program.is_some() {
            let text = "a process runs in the session already; stop it instead";
            reply(answer_tx, Err(refusal::plain("request", text)));
            return None;
        }
        self.ended_txs.push(answer_tx);
        Some(End::Stopped(
            "the launch was given up".into(),
            Duration::ZERO,
        ))
    }

    fn stop(
        &mut self,
        grace: Duration,
        kill: bool,
        answer_tx: oneshot::Sender<Answered>,
    ) -> Option<End> {
        self.ended_txs.push(answer_tx);
        let why = "it was stopped".to_owned();
        if kill || self.program.is_some() || !self.life.has_processes() {
            return Some(End::Stopped(why, grace));
        }
        // Whoever launched the processes ends them; the session goes with the last.
        self.stopping = Some((Instant::now() + grace, why));
        None
    }

    /// Tells the supervisor which decisions are wanted.
    pub async fn want(&self, wanted: Wanted) -> Result<()> {
        self.supervisor
            .send(&ToSupervisor::Report {
                remote: wanted >= Wanted::Remote,
                local: wanted == Wanted::All,
            })
            .await
    }

    /// What is known of the agent without asking it.
    pub fn agent_facts(&self, phase: &str) -> AgentStatus {
        AgentStatus {
            phase: phase.to_owned(),
            target: self.target.to_string(),
            version: self.agent_version.clone(),
            endpoint: self.linking.endpoint.to_string(),
            pid: self.agent_process.as_ref().and_then(|process| process.id()),
            round_trip_us: None,
            reconnects: self.linking.reconnects,
            was_warm: self.was_warm,
            agents: self.board.status().agents,
        }
    }

    /// A notice for whoever reads events.
    pub fn notice(&self, level: &str, text: &str) {
        self.board.events.add(EventKind::Notice {
            level: level.to_owned(),
            text: text.to_owned(),
        });
    }
}

/// Adds the round trip, and answers.
pub async fn agent_status(
    mut status: AgentStatus,
    agent: super::agent_link::AgentLink,
    roster: super::replicas::Roster,
    answer_tx: oneshot::Sender<Answered>,
) {
    let round_trip = agent.ping().await;
    status.round_trip_us = round_trip.map(|time| time.as_micros() as u64);
    if round_trip.is_none() {
        status.phase = "gone".into();
    }
    status.agents = roster.measured(status.round_trip_us).await;
    reply(answer_tx, Ok(SessionAnswer::Agent(status)));
}

/// Whoever asked may have gone away.
pub fn reply(answer_tx: oneshot::Sender<Answered>, answer: Result<SessionAnswer, SessionError>) {
    let _ = answer_tx.send(answer);
}

/// Completes when the process behind a pidfd has ended.
pub async fn process_end(pidfd: OwnedFd) -> std::io::Result<()> {
    // SAFETY: the AsyncFd owns the descriptor, so its number stays ours until it is dropped.
    let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, tokio::io::Interest::READABLE)? };
    pidfd.readable().await.map(drop)
}
