//! The state `reconnecting`: the links to the agent are lost, and sought.
//!
//! Both links, control and streams, are made anew when either is lost, with the same key at the
//! same endpoint. Meanwhile the pod serves its clients itself (the agent sees to that), calls for
//! the pod's files and new connections wait, and connections that stood are reset. The file
//! server seeks its own links. When the agent has certainly gone, or the time is over, the
//! session ends as it would have without this.

use std::time::Duration;

use anyhow::Result;
use mirrord_link::{
    Endpoint, IncomingStreams, LinkError, MessageReceiver, MessageSender, SessionIdentity, Side,
    Streams, redial,
};
use mirrord_net::incoming::IncomingRelays;
use mirrord_protocol::hello::{AgentHello, Purpose};
use mirrord_protocol::session_control::SessionState;
use mirrord_supervisor::tell;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::agent_link::{self, AgentLink, AgentNews};
use super::fatal;
use super::parts::Parts;
use super::start::take_clients;
use crate::provider::{AgentProcess, Place};

/// An agent that ended, rather than the connection to it, is known to have by then.
const SETTLE: Duration = Duration::from_millis(100);

/// What the links of a session are made with, and whether they stand.
pub struct Linking {
    /// Where the agent listens, and what it is proved to that this is the session.
    pub endpoint: Endpoint,
    pub identity: SessionIdentity,
    /// How long a lost link is sought.
    pub within: Duration,
    /// The links in use, counted from 1.
    pub link: u64,
    /// How often they were made again.
    pub reconnects: u32,
    /// Set while they are lost.
    pub lost: Option<Lost>,
}

/// Links that are lost.
pub struct Lost {
    /// Where the session stood before.
    pub before: SessionState,
    seeking: JoinHandle<Result<Links, LinkError>>,
}

/// New links.
pub struct Links {
    /// The pod's.
    hostname: String,
    pub control: (MessageSender, MessageReceiver),
    pub streams: (Streams, IncomingStreams),
}

impl Drop for Lost {
    fn drop(&mut self) {
        self.seeking.abort();
    }
}

impl Linking {
    /// Links that have just been made.
    pub fn new(endpoint: Endpoint, identity: SessionIdentity, hello: &AgentHello) -> Self {
        Linking {
            within: mirrord_link::patience(&endpoint, hello),
            endpoint,
            identity,
            link: 1,
            reconnects: 0,
            lost: None,
        }
    }

    /// Whether they are being sought.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }
}

/// Completes with new links, or with the reason why there are none; never while links stand.
pub async fn found(lost: &mut Option<Lost>) -> Result<Links, String> {
    let Some(lost) = lost else {
        return std::future::pending().await;
    };
    match (&mut lost.seeking).await {
        Ok(Ok(links)) => Ok(links),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the search for the agent failed: {error}")),
    }
}

/// Completes when the agent's process ends, where it is one of this machine; only asked for while
/// links are lost, because its last words come on the link.
pub async fn agent_ended(process: &mut Option<AgentProcess>) -> String {
    let Some(process) = process else {
        return std::future::pending().await;
    };
    match process.wait().await {
        Ok(()) => "the agent ended".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

impl Parts {
    /// Something that the agent told, or the end of a link to it. An error ends the session.
    pub async fn on_news(&mut self, news: Option<AgentNews>) -> Result<()> {
        let reason = match news {
            Some(AgentNews::Notice(notice)) => match self.on_notice(notice) {
                None => return Ok(()),
                Some(reason) if self.linking.endpoint.is_held() => {
                    return self.lost(self.linking.link, reason).await;
                }
                Some(reason) => reason,
            },
            Some(AgentNews::Lost { link, reason }) => return self.lost(link, reason).await,
            Some(AgentNews::Closed { reason }) => reason,
            None => "the agent's link is gone".to_owned(),
        };
        Err(fatal::agent_gone(self, &reason).await)
    }

    async fn lost(&mut self, link: u64, reason: String) -> Result<()> {
        if link != self.linking.link || self.linking.is_lost() {
            return Ok(());
        }
        // Whoever looks for a stream waits for the next link from now on, and connections that
        // stood on this one are reset.
        if let Some(streams) = self.streams_tx.send_replace(None) {
            streams.close("the session lost its link");
        }
        // Where another agent takes its place, the end of one is no end.
        if !self.linking.endpoint.is_held()
            && let Some(last_words) = self.settle().await
        {
            return Err(fatal::agent_gone(self, &last_words).await);
        }
        if self.linking.within.is_zero() {
            return Err(fatal::agent_gone(self, &reason).await);
        }
        self.agent.hang_up();
        self.listeners.lost();
        self.show_agent("reconnecting");
        let text = format!(
            "the pod is out of reach ({reason}); trying to reach it again for {} s. Files and new \
             connections of the pod wait, those that stood are reset",
            self.linking.within.as_secs_f32()
        );
        tell(format_args!("{text}"));
        self.notice("warn", &text);
        let before = self.board.state();
        let state = SessionState::Reconnecting {
            reason: reason.clone(),
        };
        self.board.enter(state, &reason);
        let seeking = tokio::spawn(self.linking.seek());
        self.linking.lost = Some(Lost { before, seeking });
        Ok(())
    }

    /// Gives an agent that ends the time to be heard; its reason if it did.
    async fn settle(&mut self) -> Option<String> {
        let deadline = Instant::now() + SETTLE;
        let mut ended = None;
        while ended.is_none() {
            let news = tokio::select! {
                news = timeout_at(deadline, self.agent_news_rx.recv()) => news,
                reason = agent_ended(&mut self.agent_process) => {
                    ended = Some(reason);
                    continue;
                }
            };
            match news {
                Ok(Some(AgentNews::Notice(notice))) => ended = self.on_notice(notice),
                Ok(Some(AgentNews::Closed { reason })) => ended = Some(reason),
                // The other of the two links.
                Ok(Some(AgentNews::Lost { .. })) => {}
                Ok(None) | Err(_) => break,
            }
        }
        ended
    }

    /// The pod is in reach again.
    pub async fn linked_again(&mut self, links: Links) {
        let Some(lost) = self.linking.lost.take() else {
            return;
        };
        let hostname = links.hostname.clone();
        let streams = (self.linking).take_up(links, &self.agent, self.listeners.relays());
        self.streams_tx.send_replace(Some(streams));
        self.is_at_its_place();
        let mut text = "the pod is in reach again".to_owned();
        if hostname != self.hostname {
            text = format!("the pod is {hostname} now");
            self.hostname = hostname;
        }
        tell(format_args!("{text}"));
        self.notice("info", &text);
        let state = match &lost.before {
            SessionState::Ready { .. } if self.life.has_processes() => SessionState::Running,
            before => before.clone(),
        };
        self.board.enter(state, &text);
    }
}

impl Linking {
    /// Makes both links anew.
    pub fn seek(&self) -> impl Future<Output = Result<Links, LinkError>> + Send + use<> {
        let (endpoint, identity) = (self.endpoint.clone(), self.identity.clone());
        let within = self.within;
        async move { redial(within, || dial(&endpoint, &identity)).await }
    }

    /// Works on with new links; the result opens streams of them.
    pub fn take_up(&mut self, links: Links, agent: &AgentLink, relays: IncomingRelays) -> Streams {
        self.link += 1;
        self.reconnects += 1;
        let (streams, incoming) = links.streams;
        agent.relink(links.control);
        tokio::spawn(take_clients(incoming, relays, agent.clone(), self.link));
        streams
    }
}

impl Parts {
    /// Who linked again may be in another pod. Where that is covered already its clients come here
    /// throughout: the agent that was there gives way once this one has the ports. Copies would
    /// come twice, so there it gives way first.
    fn is_at_its_place(&mut self) {
        self.place = Place::behind(&self.linking.endpoint);
        let pod = self.place.as_ref().map(|place| place.pod.clone());
        self.listeners.relays().name_pod(pod);
        self.show_agent("linked");
        let moved = self.replicas.as_ref().zip(self.place.clone());
        if let Some((replicas, place)) = &moved
            && self.listeners.mirrors()
        {
            replicas.primary_at(place.clone());
        }
        let taken_again = self.listeners.found();
        let tell = moved.map(|(replicas, place)| (replicas.teller(), place));
        tokio::spawn(async move {
            taken_again.await;
            if let Some((tell, place)) = tell {
                tell(place);
            }
        });
    }

    /// Puts what is known of the primary agent where others see it.
    pub fn show_agent(&self, phase: &str) {
        let reconnects = self.linking.reconnects;
        self.roster.primary(self.place.as_ref(), phase, reconnects);
    }
}

async fn dial(endpoint: &Endpoint, identity: &SessionIdentity) -> Result<Links, LinkError> {
    let (_, control) = mirrord_link::dial(endpoint, identity, Purpose::Control).await?;
    let (sender, mut receiver) = control.into_messages();
    // Only then has the agent let go of what it had of the last link.
    let facts = match agent_link::facts(&mut receiver).await {
        // Its target ended in this very moment; the next agent has another.
        Err(LinkError::Refused { reason }) if endpoint.is_held() => {
            return Err(LinkError::Closed { reason });
        }
        facts => facts?,
    };
    let (_, streams) = mirrord_link::dial(endpoint, identity, Purpose::Streams).await?;
    Ok(Links {
        hostname: facts.hostname,
        control: (sender, receiver),
        streams: streams.into_streams(Side::Session),
    })
}
