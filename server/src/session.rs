//! One session: an agent, the links to it, the processes that serve the program, and the program,
//! from start to end in one loop.
//!
//! `exec` runs it in the foreground, with a program of its own. The daemon starts it as a process
//! of its own ([`host`]), and others launch programs into it. Either way it answers on its control
//! socket. The promise: whatever ends the session, the program is told why, the pod has its
//! traffic back, and nothing that was started here is left.

mod agent;
pub mod agent_link;
mod board;
mod channel;
pub mod client;
mod control;
pub mod direct;
mod fatal;
mod frames;
pub mod host;
mod least;
mod life;
pub mod list;
mod listeners;
mod logs;
mod names;
mod orders;
mod parts;
mod program;
mod prove;
mod reconnect;
pub mod refusal;
mod replicas;
pub mod role_process;
mod rules;
pub mod signals;
pub mod spawn;
mod start;
pub mod warm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use mirrord_config::LoadedConfig;
use mirrord_protocol::control::Notice;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::{FromSupervisor, ToSupervisor};
use mirrord_protocol::session_control::{Chosen, OwnedBy, SessionState};
use mirrord_supervisor::tell;
use tokio::time::{Instant, sleep_until};

use crate::events::EventLog;
use mirrord_target::Target;
use parts::Parts;
use signals::Signals;

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
    /// What runs in it.
    pub work: Work,
    /// What others see of it.
    pub about: About,
    /// The log filter, for our other processes.
    pub log: String,
}

/// What others see of a session.
pub struct About {
    /// Name for people.
    pub name: String,
    /// The folder that owns the launch.
    pub workspace: Option<PathBuf>,
    /// Whose end ends it.
    pub owned_by: OwnedBy,
    /// What chose the configuration, where the starter knows it better than the loading.
    pub chosen: Option<Chosen>,
}

/// What runs in a session.
pub enum Work {
    /// A program and its arguments, as our child.
    Program(Vec<OsString>),
    /// What others launch.
    Launch(Launch),
}

/// A session that others launch programs into.
pub struct Launch {
    /// How long it waits for the first.
    pub expires: Duration,
    /// Where programs are started.
    pub working_directory: PathBuf,
    /// The program, when it is known.
    pub program: Option<PathBuf>,
    /// Folders of the debugger.
    pub tools: Vec<PathBuf>,
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

/// Why a session ends.
pub enum End {
    /// Its own program ended, and all that it started; with its exit status.
    Program(i32),
    /// The last process that was launched into it is gone.
    LastProcess,
    /// None came.
    Expired,
    /// Somebody said so, who; the processes have that long to end by themselves.
    Stopped(String, Duration),
    /// It cannot go on.
    Failed(anyhow::Error),
}

/// How long a program has to end by itself when its session cannot go on.
const END_POLITELY: Duration = Duration::from_secs(5);

/// When the user is told what the session waits for after its program's end.
const REMIND: Duration = Duration::from_secs(1);

/// The exit status of a session whose program was ended by somebody's word (128 + SIGTERM).
const STATUS_STOPPED: i32 = 128 + 15;

/// Runs a session in the foreground to its end; the result is the program's exit status.
pub async fn run(options: Options) -> Result<i32> {
    let signals = Signals::listen()?;
    let mut parts = tokio::select! {
        started = start::start(options, &|_step| {}) => match started {
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
        parts.signal_program(signal.number);
    }
    let end = serve(&mut parts, &signals).await;
    let board = parts.board.clone();
    parts.end(&end).await.close().await;
    // Only now: the last event says that the session ended.
    let written = board.events.close();
    let status = match end {
        End::Failed(error) => return Err(error),
        End::Program(status) => status,
        End::LastProcess | End::Expired => 0,
        End::Stopped(..) => STATUS_STOPPED,
    };
    written?;
    Ok(status)
}

/// The loop. Every arm is one thing that can happen; what takes longer becomes a task that sends
/// its result back as one of them.
async fn serve(parts: &mut Parts, signals: &Signals) -> End {
    match serve_until_end(parts, signals).await {
        Ok(end) => end,
        Err(error) => End::Failed(error),
    }
}

async fn serve_until_end(parts: &mut Parts, signals: &Signals) -> Result<End> {
    let mut exit_status = None;
    let mut remind_at = None;
    loop {
        let due = parts.due();
        tokio::select! {
            message = parts.supervisor.receive() => match message? {
                Some(FromSupervisor::Idle) if exit_status.is_some() => break,
                Some(message) => parts.on_supervisor(message).await?,
                // It was told to end what the program had started.
                None if exit_status.is_some() => break,
                None => return Err(fatal::supervisor_gone(&mut parts.supervisor_process).await),
            },
            Some(answer) = parts.answer_rx.recv() => parts.supervisor.send(&answer).await?,
            Some(kind) = parts.event_rx.recv() => parts.board.events.add(kind),
            Some(order) = parts.order_rx.recv() => {
                if let Some(end) = parts.on_order(order).await? {
                    return Ok(end);
                }
            }
            Ok(()) = parts.wanted_rx.changed() => {
                let wanted = *parts.wanted_rx.borrow_and_update();
                parts.want(wanted).await?;
            }
            news = parts.agent_news_rx.recv() => parts.on_news(news).await?,
            found = reconnect::found(&mut parts.linking.lost) => match found {
                Ok(links) => parts.linked_again(links).await,
                // What the agent served is gone for good: a program that went on would see errors
                // nobody could explain.
                Err(reason) => return Err(fatal::agent_gone(parts, &reason).await),
            },
            reason = reconnect::agent_ended(&mut parts.agent_process), if parts.linking.is_lost() => {
                return Err(fatal::agent_gone(parts, &reason).await);
            }
            signal = signals.next() => {
                let signal = signal?;
                if parts.program.is_none() {
                    let name = format!("signal {}", signal.number);
                    return Ok(End::Stopped(name, END_POLITELY));
                }
                parts.on_signal(signal, exit_status.is_some()).await?;
            }
            status = program::wait(&mut parts.program), if exit_status.is_none() => {
                exit_status = Some(program::exit_status(status?));
                if parts.program.as_ref().is_none_or(program::Program::is_alone) {
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
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                return Ok(parts.end_that_is_due());
            }
            ended = parts.files_process.wait() => {
                let status = ended?;
                return Err(fatal::file_server_ended(parts, status).await);
            }
        }
    }
    Ok(End::Program(exit_status.unwrap_or(0)))
}

impl Parts {
    async fn on_supervisor(&mut self, message: FromSupervisor) -> Result<()> {
        let Some(message) = self.outgoing.handle(message) else {
            return Ok(());
        };
        match message {
            FromSupervisor::Event(kind) => {
                self.say(&kind);
                self.follow(&kind);
                self.board.events.add(kind);
            }
            FromSupervisor::EventsDropped(count) => {
                self.board.events.add(EventKind::Dropped { count });
            }
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
            FromSupervisor::Idle => {
                if let Some(program) = &mut self.program {
                    program.others_ended();
                }
                self.life.idle();
                self.show_processes();
            }
            FromSupervisor::RulesInForce { number, result } => {
                self.rules.in_force(number, result);
            }
            other => tracing::warn!("nobody handles {other:?}"),
        }
        Ok(())
    }

    /// Which processes are there.
    fn follow(&mut self, kind: &EventKind) {
        let EventKind::Process { pid, state, exe } = kind else {
            return;
        };
        match state.as_str() {
            "started" => self.life.started(*pid, exe.clone()),
            _ => self.life.ended(*pid),
        }
        self.show_processes();
    }

    /// Puts what is known of the processes where others see it.
    pub fn show_processes(&mut self) {
        let processes = self.life.processes();
        let paused = self.life.is_paused();
        self.board.update(|status| {
            status.processes = processes;
            status.paused = paused;
        });
        if self.life.has_processes() && matches!(self.board.state(), SessionState::Ready { .. }) {
            self.board
                .enter(SessionState::Running, "the first process joined");
        }
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
            Notice::Resolver {
                servers,
                search,
                ndots,
            } => self.outgoing.look_ahead(servers, &search, ndots),
            Notice::Log { level, text } => {
                tracing::info!(target: "agent", "{level}: {text}");
                self.board.events.add(EventKind::Notice { level, text });
            }
        }
        None
    }

    async fn on_signal(&mut self, signal: signals::Signal, program_ended: bool) -> Result<()> {
        if program_ended {
            // Only its children are left, and the user wants an end.
            let reason = format!("signal {} after the program's end", signal.number);
            return self.supervisor.send(&ToSupervisor::end(reason)).await;
        }
        if !signal.from_terminal {
            self.signal_program(signal.number);
        }
        Ok(())
    }

    /// When a session without a program of its own ends by itself.
    fn due(&self) -> Option<Instant> {
        match &self.stopping {
            _ if self.program.is_some() => None,
            Some((at, _)) if self.life.has_processes() => Some(*at),
            Some(_) => Some(Instant::now()),
            None => self.life.ends_at(),
        }
    }

    fn end_that_is_due(&mut self) -> End {
        match self.stopping.take() {
            Some((_, why)) => End::Stopped(why, STOP_AFTER_GRACE),
            None if self.life.was_used() => End::LastProcess,
            None => End::Expired,
        }
    }
}

/// What is left to processes that did not use their time.
const STOP_AFTER_GRACE: Duration = Duration::from_millis(500);
