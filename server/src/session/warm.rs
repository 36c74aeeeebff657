//! The agent of a session that is over: closed at once, or kept warm for the same user's next
//! session on its target, so that a debug run that is started again is ready at once.
//!
//! The next session asks on our control socket. The agent then gets its key and serves nobody
//! else; its socket and its log move to the next session's folder, and we end. If we are killed
//! meanwhile the agent sees its link break and ends by its grace time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_link::{Endpoint, Fingerprint};
use mirrord_protocol::control::{Answer, Request};
use mirrord_protocol::session_control::{AgentStatus, SessionAnswer, SessionRequest, SessionState};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::agent_link::{AgentLink, AgentNews};
use super::board::Board;
use super::control::{Answered, Order};
use super::logs::AGENT_LOG;
use super::orders::{agent_status, reply};
use super::refusal;
use super::replicas::Roster;
use super::signals::Signals;
use crate::events;
use crate::provider::{AgentProcess, SESSION_KEY};
use crate::runtime_dir::SessionFolder;

/// The file in a session's folder that says what its warm agent is for.
pub const WARM_FILE: &str = "warm";
/// The agent's socket in the folder of the session that it serves.
pub const AGENT_SOCKET: &str = "agent";

/// How long an agent has to end by itself.
const END_POLITELY: Duration = Duration::from_secs(3);

/// How long who holds an agent in a cluster has to put it away; it bounds that itself.
const PUT_AWAY: Duration = Duration::from_secs(15);

/// What is left when everything else is put away.
pub struct Left {
    /// What is known of the agent.
    pub facts: AgentStatus,
    /// What the agent is found by.
    pub warm_key: String,
    /// The agent may serve another session.
    pub usable: bool,
    /// It, as others see it.
    pub roster: Roster,
    /// Its control link.
    pub agent: AgentLink,
    /// What it tells.
    pub agent_news_rx: mpsc::Receiver<AgentNews>,
    /// Its process.
    pub process: Option<AgentProcess>,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Its key.
    pub fingerprint: Fingerprint,
    /// What others see.
    pub board: Board,
    /// What others ask.
    pub order_rx: mpsc::Receiver<Order>,
    /// The folder, with the agent's socket in it.
    pub folder: SessionFolder,
    /// Why the session ended.
    pub reason: String,
    /// Who waits for the end.
    pub ended_txs: Vec<oneshot::Sender<Answered>>,
}

impl Left {
    /// Ends the agent too. Whoever waited for the end hears of it then.
    pub async fn close(mut self) {
        self.close_agent().await;
        // Who hears of the end may look whether anything is left; connections stay without it.
        self.folder.remove();
        self.ended();
        self.give_way().await;
    }

    /// Keeps the agent that long for the next session; everything else is over.
    pub async fn keep_warm(mut self, keep: Duration, signals: &Signals) {
        if !self.usable || keep.is_zero() {
            return self.close().await;
        }
        let marked = std::fs::write(self.folder.join(WARM_FILE), &self.warm_key);
        if let Err(error) = marked {
            tracing::warn!("the agent cannot be kept: {error}");
            return self.close().await;
        }
        let until = Some(events::after(keep));
        self.board.update(|status| status.warm_until = until);
        self.ended();
        let deadline = Instant::now() + keep;
        loop {
            tokio::select! {
                order = self.order_rx.recv() => {
                    let Some(Order::Ask(request, answer_tx)) = order else { continue };
                    match request {
                        SessionRequest::TakeAgent { session_key, folder } => {
                            match self.hand_over(session_key, &folder).await {
                                Ok(answer) => {
                                    if let Some(process) = self.process.take() {
                                        process.leave();
                                    }
                                    self.folder.remove();
                                    reply(answer_tx, Ok(answer));
                                    return self.give_way().await;
                                }
                                Err(error) => {
                                    reply(answer_tx, Err(refusal::of("agent", &error)));
                                    break;
                                }
                            }
                        }
                        SessionRequest::StopAgent => {
                            self.close_agent().await;
                            self.folder.remove();
                            reply(answer_tx, Ok(SessionAnswer::Done));
                            return self.give_way().await;
                        }
                        SessionRequest::AgentStatus => {
                            let (facts, agent) = (self.facts.clone(), self.agent.clone());
                            let roster = self.roster.clone();
                            tokio::spawn(agent_status(facts, agent, roster, answer_tx));
                        }
                        SessionRequest::Stop { .. } | SessionRequest::Abort => {
                            reply(answer_tx, Ok(SessionAnswer::Done));
                        }
                        _ => reply(answer_tx, Err(refusal::plain("ended", &self.over()))),
                    }
                }
                news = self.agent_news_rx.recv() => {
                    if !matches!(news, Some(AgentNews::Notice(_))) {
                        break;
                    }
                }
                _signal = signals.next() => break,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.close_agent().await;
        self.give_way().await;
    }

    /// Makes the agent the next session's.
    async fn hand_over(
        &self,
        session_key: String,
        folder: &std::path::Path,
    ) -> Result<SessionAnswer> {
        if let Endpoint::Held(held) = &self.endpoint {
            // One that takes its place later must know the new key too; before anything is changed.
            std::fs::write(held.join(SESSION_KEY), &session_key)
                .with_context(|| format!("could not write in {}", held.display()))?;
        }
        match self.agent.ask(Request::Rekey { session_key }).await {
            Ok(Answer::Rekeyed) => {}
            Ok(other) => bail!("the agent answered {other:?} to its new key"),
            Err(error) => bail!("the agent did not take its new key: {error}"),
        }
        let endpoint = match &self.endpoint {
            Endpoint::Unix(path) => {
                let new = folder.join(AGENT_SOCKET);
                std::fs::rename(path, &new)
                    .with_context(|| format!("could not move {}", path.display()))?;
                Endpoint::Unix(new)
            }
            other => other.clone(),
        };
        let log = self.folder.join(AGENT_LOG);
        if let Err(error) = std::fs::rename(&log, folder.join(AGENT_LOG)) {
            tracing::warn!("could not move the agent's log {}: {error}", log.display());
        }
        Ok(SessionAnswer::AgentTaken {
            endpoint: endpoint.to_string(),
            fingerprint: self.fingerprint.to_string(),
            pid: self.process.as_ref().and_then(AgentProcess::id),
        })
    }

    async fn close_agent(&mut self) {
        // From now on nobody finds it.
        let _ = std::fs::remove_file(self.folder.join(WARM_FILE));
        let told = self.agent.close(&self.reason).await;
        end_agent(self.process.as_mut(), told).await;
    }

    /// The session is over, also for those who waited for that.
    fn ended(&mut self) {
        let reason = self.reason.clone();
        self.board
            .enter(SessionState::Ended { reason }, &self.reason);
        for answer_tx in self.ended_txs.drain(..) {
            reply(answer_tx, Ok(SessionAnswer::Done));
        }
    }

    /// Answers who asked in the last moment, and lets what was said reach its readers.
    async fn give_way(mut self) {
        self.order_rx.close();
        while let Some(order) = self.order_rx.recv().await {
            if let Order::Ask(request, answer_tx) = order {
                let stops = matches!(request, SessionRequest::Stop { .. } | SessionRequest::Abort);
                let over = || refusal::plain("ended", &self.over());
                reply(
                    answer_tx,
                    if stops {
                        Ok(SessionAnswer::Done)
                    } else {
                        Err(over())
                    },
                );
            }
        }
        if self.board.has_visitors() {
            tokio::time::sleep(LAST_WORDS).await;
        }
    }

    fn over(&self) -> String {
        format!("the session is over: {}", self.reason)
    }
}

/// Waits for the end of an agent; `told`: its link was closed with a word.
pub async fn end_agent(process: Option<&mut AgentProcess>, told: bool) {
    let Some(process) = process else { return };
    if !told || process.holds() {
        // It waits for a link of ours, which will not come.
        process.terminate();
    }
    let politely = if process.holds() {
        PUT_AWAY
    } else {
        END_POLITELY
    };
    if tokio::time::timeout(politely, process.wait())
        .await
        .is_err()
    {
        tracing::warn!("the agent did not end by itself");
        process.kill().await;
    }
}

/// Readers are tasks of this process: they need a moment to pass on the last event.
const LAST_WORDS: Duration = Duration::from_millis(20);
