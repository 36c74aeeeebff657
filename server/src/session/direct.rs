//! An agent and the links to it, without a program: for commands that only use the pod's network.
//! They are the same agent, links and folder that a session has; nothing is supervised.

use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_link::{IncomingStreams, Side, Stream, Streams};
use mirrord_protocol::control::Notice;
use mirrord_protocol::hello::Purpose;
use mirrord_protocol::streams::StreamHeader;
use mirrord_supervisor::tell;
use tokio::sync::mpsc;

use super::AgentChoice;
use super::agent::Agent;
use super::agent_link::{self, AgentLink, AgentNews};
use super::signals::Signals;
use super::start::random_id;
use super::warm::end_agent;
use crate::provider::{AgentProcess, ClusterTerms};
use crate::runtime_dir::SessionFolder;
use mirrord_target::Target;

/// Links of one agent that broke together are heard of within this time.
const TOGETHER: Duration = Duration::from_millis(500);

/// An agent of our own in a target.
pub struct Direct {
    /// Asks it.
    pub agent: AgentLink,
    /// Opens streams to it.
    pub streams: Streams,
    incoming: IncomingStreams,
    target: Target,
    agent_news_rx: mpsc::Receiver<AgentNews>,
    process: Option<AgentProcess>,
    _folder: SessionFolder,
}

/// What happened while nothing was asked.
pub enum Happened {
    /// A client called a port that is taken.
    Client(StreamHeader, Stream),
    /// A signal says that it is enough.
    Signal(i32),
    /// It cannot go on, why.
    Lost(String),
}

impl Direct {
    /// Starts an agent and links to it.
    pub async fn open(target: Target, cluster: ClusterTerms) -> Result<Self> {
        if cluster.all_replicas {
            let text = "agent.replicas `all` is for sessions of programs: this is about one pod";
            tell(format_args!("{text}"));
        }
        let folder = SessionFolder::create(&random_id()?)?;
        let agent = Agent::start(&target, "", AgentChoice::Start, &folder, false, cluster).await?;
        for note in &agent.started.notes {
            tell(format_args!("{note}"));
        }
        let ((_, control), (_, streams)) =
            tokio::try_join!(agent.dial(Purpose::Control), agent.dial(Purpose::Streams))?;
        let (sender, mut receiver) = control.into_messages();
        agent_link::facts(&mut receiver)
            .await
            .with_context(|| format!("could not use the agent for {target}"))?;
        let (link, agent_news_rx) = AgentLink::start((sender, receiver), false);
        let (streams, incoming) = streams.into_streams(Side::Session);
        Ok(Direct {
            agent: link,
            streams,
            incoming,
            target,
            agent_news_rx,
            process: agent.started.process,
            _folder: folder,
        })
    }

    /// The next thing that matters. May be dropped and called again.
    pub async fn happened(&mut self, signals: &Signals) -> Result<Happened> {
        loop {
            let news = tokio::select! {
                signal = signals.next() => return Ok(Happened::Signal(signal?.number)),
                opened = self.incoming.next() => match opened {
                    Some((header, stream)) => return Ok(Happened::Client(header, stream)),
                    // The control link knows why.
                    None => match tokio::time::timeout(TOGETHER, self.agent_news_rx.recv()).await {
                        Ok(news) => news,
                        Err(_) => return Ok(Happened::Lost("its streams link broke".to_owned())),
                    },
                },
                news = self.agent_news_rx.recv() => news,
            };
            return Ok(match news {
                Some(AgentNews::Notice(Notice::TargetGone)) => {
                    Happened::Lost(format!("the target {} ended", self.target))
                }
                Some(AgentNews::Notice(Notice::SubscriptionEnded { reason, .. })) => {
                    Happened::Lost(format!("a port went back to the pod: {reason}"))
                }
                Some(AgentNews::Notice(Notice::Log { level, text })) => {
                    tracing::info!(target: "agent", "{level}: {text}");
                    continue;
                }
                // No program resolves names here.
                Some(AgentNews::Notice(Notice::Resolver { .. })) => continue,
                Some(AgentNews::Closed { reason } | AgentNews::Lost { reason, .. }) => {
                    Happened::Lost(reason)
                }
                None => Happened::Lost("the agent's link is gone".to_owned()),
            });
        }
    }

    /// Gives everything back; the agent is gone when this returns.
    pub async fn close(mut self, reason: &str) {
        let told = self.agent.close(reason).await;
        end_agent(self.process.as_mut(), told).await;
    }
}
