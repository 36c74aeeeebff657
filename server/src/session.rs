//! One session: an agent, the links to it, the processes that serve the program, and the program,
//! from start to end in one loop.
//!
//! `exec` runs it in the foreground; a daemon will start the same code as a process of its own.
//! The promise: whatever ends the session, the program is told why, the pod has its traffic back,
//! and nothing that was started here is left.

mod agent_link;
mod channel;
mod fatal;
mod listeners;
mod names;
mod parts;
mod program;
pub mod role_process;
pub mod signals;
mod start;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use mirrord_config::LoadedConfig;
use mirrord_protocol::control::Notice;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::{FromSupervisor, ToSupervisor};
use mirrord_supervisor::tell;

use crate::events::EventLog;
use crate::target::Target;
use agent_link::AgentNews;
use parts::Parts;
use signals::Signals;
use tokio::time::{Instant, sleep_until};

/// What a session is started with.
pub struct Options {
    /// The configuration, with the command line's word already in it.
    pub config: LoadedConfig,
    /// Where the program shall run.
    pub target: Target,
    /// How the agent is reached.
    pub agent: AgentChoice,
    /// Where events go.
    pub events: EventLog,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The log filter, for our other processes.
    pub log: String,
}

/// Which agent serves the session.
pub enum AgentChoice {
    /// Start one and link to it by a Unix socket.
    Start,
    /// Start one that listens on a TCP address of this machine.
    StartOnTcp(std::net::SocketAddr),
    /// One that runs already, with the session's key in a file.
    Join {
        /// Where it listens.
        endpoint: mirrord_link::Endpoint,
        /// Its key.
        fingerprint: mirrord_link::Fingerprint,
        /// The file with the session's secret key.
        key: PathBuf,
    },
}

/// How long a program has to end by itself when its session cannot go on.
const END_POLITELY: Duration = Duration::from_secs(5);

/// When the user is told what the session waits for after its program's end.
const REMIND: Duration = Duration::from_secs(1);

/// Runs a session to its end; the result is the program's exit status.
pub async fn run(options: Options) -> Result<i32> {
    let signals = Signals::listen()?;
    let mut parts = tokio::select! {
        started = start::start(options) => match started {
            Ok(parts) => parts,
            // It may be what ended a process of ours that had just been started.
            Err(error) => match signals.pending()? {
                Some(signal) => return Ok(128 + signal.number),
                None => return Err(error),
            },
        },
        // There is no program yet that could answer it. What was begun goes with its handles.
        signal = signals.next() => return Ok(128 + signal?.number),
    };
    // Whether the program was there when the terminal sent it is not known: twice does no harm to
    // a program that has just begun.
    while let Some(signal) = signals.pending()? {
        parts.program.signal(signal.number);
    }
    let status = serve(&mut parts, &signals).await;
    let ended = parts.end(&status).await;
    let status = status?;
    ended?;
    Ok(status)
}

/// The loop. Every arm is one thing that can happen; what takes longer becomes a task that sends
/// its result back as one of them.
async fn serve(parts: &mut Parts, signals: &Signals) -> Result<i32> {
    let mut exit_status = None;
    let mut remind_at = None;
    loop {
        tokio::select! {
            message = parts.supervisor.receive() => match message? {
                Some(FromSupervisor::Idle) if exit_status.is_some() => break,
                Some(message) => parts.on_supervisor(message).await?,
                // It was told to end what the program had started.
                None if exit_status.is_some() => break,
                None => return Err(fatal::supervisor_gone(&mut parts.supervisor_process).await),
            },
            Some(answer) = parts.answer_rx.recv() => parts.supervisor.send(&answer).await?,
            Some(kind) = parts.event_rx.recv() => parts.events.add(kind),
            news = parts.agent_news_rx.recv() => {
                let reason = match news {
                    Some(AgentNews::Notice(notice)) => match parts.on_notice(notice) {
                        None => continue,
                        Some(reason) => reason,
                    },
                    Some(AgentNews::Closed { reason }) => reason,
                    None => "the agent's link is gone".to_owned(),
                };
                // What the agent served is gone for good: a program that went on would see errors
                // nobody could explain.
                return Err(fatal::agent_gone(parts, &reason).await);
            }
            signal = signals.next() => parts.on_signal(signal?, exit_status.is_some()).await?,
            status = parts.program.wait(), if exit_status.is_none() => {
                exit_status = Some(program::exit_status(status?));
                if parts.program.is_alone() {
                    break;
                }
                parts.supervisor.send(&ToSupervisor::ProgramEnded).await?;
                remind_at = Some(Instant::now() + REMIND);
            }
            () = sleep_until(remind_at.unwrap_or_else(Instant::now)), if remind_at.is_some() => {
                remind_at = None;
                tell(format_args!(
                    "the program ended, but processes that it started go on in the session; \
                     waiting for them (Ctrl-C ends them)"
                ));
            }
            ended = parts.files_process.wait() => {
                let status = ended?;
                return Err(fatal::file_server_ended(parts, status).await);
            }
        }
    }
    Ok(exit_status.unwrap_or(0))
}

impl Parts {
    async fn on_supervisor(&mut self, message: FromSupervisor) -> Result<()> {
        let Some(message) = self.outgoing.handle(message) else {
            return Ok(());
        };
        match message {
            FromSupervisor::Event(kind) => {
                self.say(&kind);
                self.events.add(kind);
            }
            FromSupervisor::EventsDropped(count) => self.events.add(EventKind::Dropped { count }),
            FromSupervisor::Listen {
                ticket,
                pid,
                asked,
                bound,
            } => {
                self.listeners.listen(ticket, pid, asked, bound);
            }
            FromSupervisor::Resolve {
                ticket,
                name,
                here_too,
            } => {
                let (agent, answer_tx) = (self.agent.clone(), self.answer_tx.clone());
                tokio::spawn(names::resolve(agent, answer_tx, ticket, name, here_too));
            }
            FromSupervisor::Idle => self.program.others_ended(),
            other => tracing::warn!("nobody handles {other:?}"),
        }
        Ok(())
    }

    /// Notices are for the user's eyes, each once.
    fn say(&mut self, kind: &EventKind) {
        if let EventKind::Notice { level, text } = kind
            && level != "info"
            && self.said.insert(text.clone())
        {
            tell(format_args!("{text}"));
        }
    }

    /// A notice of the agent; `Some` when the session cannot go on, with the reason.
    fn on_notice(&mut self, notice: Notice) -> Option<String> {
        match notice {
            Notice::TargetGone => return Some(format!("the target {} ended", self.target)),
            Notice::SubscriptionEnded {
                subscription,
                reason,
            } => {
                self.listeners.ended(subscription, &reason);
            }
            Notice::Log { level, text } => {
                tracing::info!(target: "agent", "{level}: {text}");
                self.events.add(EventKind::Notice { level, text });
            }
        }
        None
    }

    async fn on_signal(&mut self, signal: signals::Signal, program_ended: bool) -> Result<()> {
        if program_ended {
            // Only its children are left, and the user wants an end.
            let reason = format!("signal {} after the program's end", signal.number);
            return self.supervisor.send(&ToSupervisor::End { reason }).await;
        }
        if !signal.from_terminal {
            self.program.signal(signal.number);
        }
        Ok(())
    }
}
