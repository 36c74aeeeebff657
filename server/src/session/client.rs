//! What the daemon and the command line ask sessions, each of which is a process of its own.
//!
//! Every question has a connection of its own: nothing is kept open that could break between two
//! questions, and an answer that comes late holds up no other.

#![allow(
    dead_code,
    reason = "what the command line does not ask, the daemon does"
)]

use std::path::{Path, PathBuf};

use anyhow::Result;
use mirrord_protocol::event::Event;
use mirrord_protocol::session_control::{
    AgentStatus, ConfigEdit, FromSession, Least, Proof, RuleChange, SessionAnswer, SessionError,
    SessionRequest, SessionStatus, ToSession,
};

use super::frames::{self, Receiver, Sender};
use super::refusal;

/// Asks one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionClient {
    folder: PathBuf,
}

/// Events of a session, as they come.
pub struct Events {
    /// The number that the next new event had when the subscription was made.
    pub next_seq: u64,
    receiver: Receiver,
    // Its end would be taken for ours.
    _sender: Sender,
}

/// What a subscription brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Pushed {
    /// An event.
    Event(Event),
    /// So many are missing here.
    Dropped(u64),
}

impl SessionClient {
    /// The session of this folder; whether it lives shows when it is asked.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        SessionClient {
            folder: folder.into(),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known of it.
    pub async fn status(&self) -> Result<SessionStatus, SessionError> {
        self.status_after(SessionRequest::Status).await
    }

    /// Keeps a session that waits for its debuggee.
    pub async fn keep(&self, expires_ms: u64) -> Result<SessionStatus, SessionError> {
        self.status_after(SessionRequest::Keep { expires_ms }).await
    }

    /// Says which process the debuggee is.
    pub async fn bind(&self, pid: i32, debugger_port: Option<u16>) -> Result<(), SessionError> {
        self.done(SessionRequest::Bind { pid, debugger_port }).await
    }

    /// Says that the debugger stopped a process, or let it go on.
    pub async fn debug_state(&self, pid: i32, paused: bool) -> Result<(), SessionError> {
        self.done(SessionRequest::DebugState { pid, paused }).await
    }

    /// Undoes a session that no process joined.
    pub async fn abort(&self) -> Result<(), SessionError> {
        self.done(SessionRequest::Abort).await
    }

    /// Ends it; returns after the clean-up.
    pub async fn stop(&self, grace_ms: u64, kill_debuggee: bool) -> Result<(), SessionError> {
        self.done(SessionRequest::Stop {
            grace_ms,
            kill_debuggee,
        })
        .await
    }

    /// Changes a rule: the edit that would keep it, and what stays as it was.
    pub async fn rule(
        &self,
        change: RuleChange,
    ) -> Result<(ConfigEdit, Option<String>), SessionError> {
        match self.ask(SessionRequest::Rule(change)).await? {
            SessionAnswer::Rule { edit, note } => Ok((edit, note)),
            other => Err(unexpected(&other)),
        }
    }

    /// The last lines of the session's and of its agent's log.
    pub async fn logs(&self, lines: u32) -> Result<(Vec<String>, Vec<String>), SessionError> {
        match self.ask(SessionRequest::Logs { lines }).await? {
            SessionAnswer::Logs { session, agent } => Ok((session, agent)),
            other => Err(unexpected(&other)),
        }
    }

    /// The least configuration that does what its programs needed so far.
    pub async fn least(&self) -> Result<Least, SessionError> {
        match self.ask(SessionRequest::Least).await? {
            SessionAnswer::Least(least) => Ok(least),
            other => Err(unexpected(&other)),
        }
    }

    /// What is known of its agent.
    pub async fn agent_status(&self) -> Result<AgentStatus, SessionError> {
        match self.ask(SessionRequest::AgentStatus).await? {
            SessionAnswer::Agent(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Calls a port of the target and says who answered.
    pub async fn prove_incoming(&self, port: u16) -> Result<Vec<Proof>, SessionError> {
        match self.ask(SessionRequest::ProveIncoming { port }).await? {
            SessionAnswer::Proof { requests } => Ok(requests),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets a warm agent go; returns when it is gone.
    pub async fn stop_agent(&self) -> Result<(), SessionError> {
        self.done(SessionRequest::StopAgent).await
    }

    /// Events from `since_seq` on, as far as they are kept.
    pub async fn subscribe(&self, since_seq: u64, local: bool) -> Result<Events, SessionError> {
        let request = SessionRequest::Subscribe { since_seq, local };
        let (sender, receiver, answer) = self.call(request).await?;
        match answer {
            SessionAnswer::Subscribed { next_seq } => Ok(Events {
                next_seq,
                receiver,
                _sender: sender,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks one question.
    pub async fn ask(&self, request: SessionRequest) -> Result<SessionAnswer, SessionError> {
        Ok(self.call(request).await?.2)
    }

    async fn done(&self, request: SessionRequest) -> Result<(), SessionError> {
        match self.ask(request).await? {
            SessionAnswer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn status_after(&self, request: SessionRequest) -> Result<SessionStatus, SessionError> {
        match self.ask(request).await? {
            SessionAnswer::Status(status) => Ok(*status),
            other => Err(unexpected(&other)),
        }
    }

    async fn call(
        &self,
        request: SessionRequest,
    ) -> Result<(Sender, Receiver, SessionAnswer), SessionError> {
        let gone = |error: anyhow::Error| refusal::of("ended", &error);
        let (mut sender, mut receiver) = frames::connect(&self.folder).await.map_err(gone)?;
        sender
            .send(&ToSession { id: 1, request })
            .await
            .map_err(gone)?;
        loop {
            match receiver.next().await.map_err(gone)? {
                Some(FromSession::Answer { result, .. }) => return Ok((sender, receiver, result?)),
                // Events begin after the answer; a session of another version may see it otherwise.
                Some(_) => {}
                None => {
                    return Err(refusal::plain(
                        "ended",
                        "the session ended before it answered",
                    ));
                }
            }
        }
    }
}

impl Events {
    /// The next one; `None` when the session is gone.
    pub async fn next(&mut self) -> Result<Option<Pushed>> {
        loop {
            return Ok(match self.receiver.next().await? {
                Some(FromSession::Event(event)) => Some(Pushed::Event(event)),
                Some(FromSession::Dropped { count }) => Some(Pushed::Dropped(count)),
                Some(FromSession::Answer { .. }) => continue,
                None => None,
            });
        }
    }
}

fn unexpected(answer: &SessionAnswer) -> SessionError {
    refusal::plain(
        "internal",
        &format!("the session answered {answer:?} (is it of the same version?)"),
    )
}
