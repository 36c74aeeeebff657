//! One other pod of the workload: its agent, the links to it and the ports that it has, from the
//! moment in which the pod is there until it is gone. An agent that cannot be had, or is lost for
//! good, is started again for as long as the pod is there.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_kubernetes::Form;
use mirrord_kubernetes::members::Member;
use mirrord_link::{LinkError, Side, Streams};
use mirrord_net::incoming::IncomingRelays;
use mirrord_protocol::control::{self, Answer, Notice, Request, Subscribe};
use mirrord_protocol::event::EventKind;
use mirrord_protocol::hello::Purpose;
use mirrord_protocol::session_control::PortMode;
use mirrord_target::{ClusterTarget, Kind};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::super::agent::Agent;
use super::super::agent_link::{self, AgentLink, AgentNews};
use super::super::listeners::{WantedPorts, mode_name};
use super::super::logs;
use super::super::reconnect::{Linking, Links, agent_ended};
use super::super::start::take_clients;
use super::super::warm::end_agent;
use super::ports::{Ports, Step};
use super::{Fate, Shared, roster};
use crate::provider::AgentProcess;

/// The first pause before an agent is started again; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An agent that served for that long was well: what comes next is new trouble.
const WAS_WELL: Duration = Duration::from_secs(60);

/// How long connections that stand may take to end by themselves when a pod is given up.
const RETIRE_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A pod that shall be covered.
pub struct Covered {
    member: Member,
    /// The form that the primary's agent has; tried first, without asking again.
    form: Option<Form>,
    shared: Arc<Shared>,
    fate_rx: watch::Receiver<Fate>,
    /// The last trouble that the user was told of.
    told: Option<String>,
}

/// How an agent's service ended.
enum Over {
    /// The pod is not to be covered any more.
    Enough,
    /// There is no agent, why.
    Lost(String),
}

/// An agent that is linked to.
struct Linked {
    agent: AgentLink,
    news_rx: mpsc::Receiver<AgentNews>,
    process: Option<AgentProcess>,
    linking: Linking,
    /// Held, for the link ends with it; `None` while the link is lost.
    streams: Option<Streams>,
    seeking: Option<AbortOnDropHandle<Result<Links, LinkError>>>,
    relays: IncomingRelays,
    ports: Ports,
    asks: JoinSet<Asked>,
}

/// An answer of the agent's about a port.
enum Asked {
    Taken(u16, PortMode, Result<(u64, String), String>),
    GivenBack(u16),
}

impl Covered {
    /// `form`: the one that the primary's agent has.
    pub fn new(
        member: Member,
        form: Option<Form>,
        shared: Arc<Shared>,
        fate_rx: watch::Receiver<Fate>,
    ) -> Self {
        Covered {
            member,
            form,
            shared,
            fate_rx,
            told: None,
        }
    }

    /// Covers the pod until it is told otherwise; the result is the pod's UID.
    pub async fn run(mut self) -> String {
        let mut pause = PAUSE;
        loop {
            let began = Instant::now();
            let reason = match self.once().await {
                Over::Enough => break,
                Over::Lost(reason) => reason,
            };
            if self.fate() > Fate::Stay {
                break;
            }
            self.failed(&reason);
            if began.elapsed() > WAS_WELL {
                pause = PAUSE;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = until(&mut self.fate_rx, Fate::Leaving) => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            // What went wrong may be the form: the next start asks the cluster.
            self.form = None;
        }
        self.shared.roster.remove(&self.member.uid);
        self.event("left", "its agent is put away");
        self.member.uid
    }

    /// One agent, from its start to its end.
    async fn once(&mut self) -> Over {
        self.show("starting", None, None);
        let mut fate_rx = self.fate_rx.clone();
        let linked = tokio::select! {
            linked = self.link() => linked,
            // Who holds the agent notices that nobody wants it, and removes what it made.
            () = until(&mut fate_rx, Fate::Leaving) => return Over::Enough,
        };
        let mut linked = match linked {
            Ok(linked) => linked,
            Err(error) => return Over::Lost(format!("{error:#}")),
        };
        self.show("linked", None, Some(&linked));
        self.event("joined", "its agent is linked");
        let over = self.serve(&mut linked).await;
        if let Some(streams) = linked.streams.take() {
            streams.close("the session does not cover this pod any more");
        }
        let told = linked.agent.close("the pod is not covered any more").await;
        end_agent(linked.process.as_mut(), told).await;
        over
    }

    /// Starts an agent and links to it.
    async fn link(&self) -> Result<Linked> {
        let shared = &self.shared;
        let starting = shared.starts.acquire().await?;
        let number = shared.started.fetch_add(1, Ordering::Relaxed) + 1;
        let target = ClusterTarget {
            kind: Kind::Pod,
            name: self.member.pod.clone(),
            container: self.member.container.clone(),
        };
        let log = shared.logs.as_deref();
        let log = log.map(|folder| logs::of_pod(folder, &self.member.pod));
        let agent = Agent::start_in_pod(
            target,
            format!("{}-r{number}", shared.session),
            log,
            shared.cluster.of_another_pod(self.form),
        );
        let agent = agent.await?;
        drop(starting);
        let ((hello, control), (_, streams)) =
            tokio::try_join!(agent.dial(Purpose::Control), agent.dial(Purpose::Streams))?;
        let (sender, mut receiver) = control.into_messages();
        let facts = agent_link::facts(&mut receiver).await;
        facts.context("could not use the agent")?;
        let endpoint = agent.started.endpoint;
        let (link, news_rx) = AgentLink::start((sender, receiver), endpoint.is_held());
        let linking = Linking::new(endpoint, agent.identity, &hello);
        let (streams, incoming) = streams.into_streams(Side::Session);
        let relays = shared.relays.beside(self.member.pod.clone());
        tokio::spawn(take_clients(
            incoming,
            relays.clone(),
            link.clone(),
            linking.link,
        ));
        Ok(Linked {
            agent: link,
            news_rx,
            process: agent.started.process,
            linking,
            streams: Some(streams),
            seeking: None,
            relays,
            ports: Ports::default(),
            asks: JoinSet::new(),
        })
    }

    async fn serve(&mut self, linked: &mut Linked) -> Over {
        let mut wanted_rx = self.shared.listeners.wanted();
        wanted_rx.mark_changed();
        loop {
            let reason = tokio::select! {
                Ok(()) = wanted_rx.changed() => {
                    linked.go_on(&wanted_rx.borrow_and_update());
                    continue;
                }
                Some(Ok(asked)) = linked.asks.join_next() => {
                    self.answered(linked, asked, &wanted_rx.borrow());
                    continue;
                }
                found = found(&mut linked.seeking) => match found {
                    Ok(links) => {
                        self.found(linked, links);
                        linked.go_on(&wanted_rx.borrow());
                        continue;
                    }
                    Err(reason) => return Over::Lost(reason),
                },
                reason = agent_ended(&mut linked.process), if linked.seeking.is_some() => {
                    return Over::Lost(reason);
                }
                () = until(&mut self.fate_rx, Fate::Retire) => {
                    if self.fate() == Fate::Retire {
                        let _ = timeout(RETIRE_WITHIN, linked.retire()).await;
                    }
                    return Over::Enough;
                }
                news = linked.news_rx.recv() => match self.heard(linked, news) {
                    Ok(None) => continue,
                    Ok(Some(reason)) => reason,
                    Err(reason) => return Over::Lost(reason),
                },
            };
            // A pod that is being removed gets no other agent.
            if self.fate() > Fate::Stay {
                return Over::Enough;
            }
            self.lost(linked, &reason);
        }
    }

    /// What the agent tells; `Some`: its link is lost, `Err`: there will be no other.
    fn heard(
        &self,
        linked: &mut Linked,
        news: Option<AgentNews>,
    ) -> Result<Option<String>, String> {
        Ok(match news {
            Some(AgentNews::Notice(Notice::SubscriptionEnded {
                subscription,
                reason,
            })) => {
                linked.relays.forget(subscription);
                if let Some(number) = linked.ports.ended(subscription) {
                    self.warn(&format!("port {number} went back to it: {reason}"));
                }
                None
            }
            Some(AgentNews::Notice(Notice::TargetGone)) => Some("its container ended".to_owned()),
            Some(AgentNews::Notice(Notice::Log { level, text })) => {
                tracing::info!(target: "agent", "{}: {level}: {text}", self.member.pod);
                None
            }
            // Names are the primary pod's.
            Some(AgentNews::Notice(Notice::Resolver { .. })) => None,
            Some(AgentNews::Lost { link, reason }) => {
                let is_this = link == linked.linking.link && linked.seeking.is_none();
                is_this.then_some(reason)
            }
            Some(AgentNews::Closed { reason }) => return Err(reason),
            None => return Err("the agent's link is gone".to_owned()),
        })
    }

    fn lost(&self, linked: &mut Linked, reason: &str) {
        if linked.seeking.is_some() {
            return;
        }
        // Connections that stood are reset.
        if let Some(streams) = linked.streams.take() {
            streams.close("the session lost its link");
        }
        linked.agent.hang_up();
        // What was being asked is asked anew, with all that the agent had.
        linked.asks = JoinSet::new();
        for subscription in linked.ports.lost() {
            linked.relays.forget(subscription);
        }
        let seeking = linked.linking.seek();
        linked.seeking = Some(AbortOnDropHandle::new(tokio::spawn(seeking)));
        self.show("reconnecting", Some(reason), Some(linked));
        self.event("lost", reason);
    }

    fn found(&self, linked: &mut Linked, links: Links) {
        linked.seeking = None;
        let streams = (linked.linking).take_up(links, &linked.agent, linked.relays.clone());
        linked.streams = Some(streams);
        self.show("linked", None, Some(linked));
        self.event("found", "it is in reach again");
    }

    fn answered(&self, linked: &mut Linked, asked: Asked, wanted: &WantedPorts) {
        match asked {
            Asked::Taken(number, mode, Ok((subscription, by))) => {
                let steps = linked.ports.taken(number, subscription, wanted);
                linked.take(steps);
                let mode = mode_name(mode);
                self.event("taken", &format!("port {number}: {mode} ({by})"));
            }
            Asked::Taken(number, _, Err(error)) => {
                linked.ports.refused(number);
                self.warn(&format!("port {number} could not be taken there: {error}"));
            }
            Asked::GivenBack(number) => linked.ports.given_back(number),
        }
        linked.go_on(wanted);
    }

    fn fate(&self) -> Fate {
        *self.fate_rx.borrow()
    }

    /// There is no agent; the user hears of each trouble once.
    fn failed(&mut self, reason: &str) {
        self.show("failed", Some(reason), None);
        self.event("failed", reason);
        if self.told.as_deref() != Some(reason) {
            self.told = Some(reason.to_owned());
            self.warn(&format!(
                "its clients are not led here, and it is tried again: {reason}"
            ));
        }
    }

    fn warn(&self, text: &str) {
        self.shared
            .warn(format!("the pod {}: {text}", self.member.pod));
    }

    fn show(&self, phase: &str, reason: Option<&str>, linked: Option<&Linked>) {
        let mut row = roster::row(&self.member.pod, &self.member.node, phase, reason);
        if let Some(linked) = linked {
            row.reconnects = linked.linking.reconnects;
        }
        let link = linked.map(|linked| &linked.agent);
        self.shared.roster.other(&self.member.uid, row, link);
    }

    fn event(&self, state: &str, detail: &str) {
        self.shared.event(EventKind::Pod {
            pod: self.member.pod.clone(),
            state: state.to_owned(),
            detail: detail.to_owned(),
        });
    }
}

impl Linked {
    /// Makes the ports those that are wanted, while there is a link.
    fn go_on(&mut self, wanted: &WantedPorts) {
        if self.seeking.is_none() {
            let steps = self.ports.steps(wanted);
            self.take(steps);
        }
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Lead(subscription, number, port) => {
                    self.relays.subscribe(subscription, number, port.listener);
                }
                Step::Take(number, mode) => {
                    let agent = self.agent.clone();
                    self.asks.spawn(async move {
                        Asked::Taken(number, mode, subscribe(&agent, number, mode).await)
                    });
                }
                Step::GiveBack(number, subscription) => {
                    let (agent, relays) = (self.agent.clone(), self.relays.clone());
                    self.asks.spawn(async move {
                        let request = Request::Unsubscribe { subscription };
                        if let Err(error) = agent.ask(request).await {
                            tracing::warn!("port {number} could not be given back: {error}");
                        }
                        relays.forget(subscription);
                        Asked::GivenBack(number)
                    });
                }
            }
        }
    }

    /// Gives all ports back and lets connections that stand end by themselves.
    async fn retire(&mut self) {
        let none = WantedPorts::default();
        self.go_on(&none);
        while let Some(asked) = self.asks.join_next().await {
            match asked {
                Ok(Asked::Taken(number, _, Ok((subscription, _)))) => {
                    let steps = self.ports.taken(number, subscription, &none);
                    self.take(steps);
                }
                Ok(Asked::Taken(number, _, Err(_))) => self.ports.refused(number),
                Ok(Asked::GivenBack(number)) => self.ports.given_back(number),
                Err(error) => tracing::warn!("a question about a port broke off: {error}"),
            }
        }
        while self.relays.serving() > 0 {
            sleep(LOOK_EVERY).await;
        }
    }
}

async fn subscribe(agent: &AgentLink, port: u16, mode: PortMode) -> Result<(u64, String), String> {
    let mode = match mode {
        PortMode::Steal => control::IncomingMode::Steal,
        PortMode::Mirror => control::IncomingMode::Mirror,
        PortMode::Off => return Err("it is not wanted".to_owned()),
    };
    match agent
        .ask(Request::Subscribe(Subscribe { port, mode }))
        .await
    {
        Ok(Answer::Subscribed { subscription, by }) => Ok((subscription, by)),
        Ok(other) => Err(format!("the agent answered {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Completes when the pod's fate is that one, or a later one.
async fn until(fate_rx: &mut watch::Receiver<Fate>, fate: Fate) {
    if fate_rx.wait_for(|now| *now >= fate).await.is_err() {
        // The session broke off, and ends this task.
        pending::<()>().await;
    }
}

/// Completes with new links, or with the reason why there are none; never while links stand.
async fn found(
    seeking: &mut Option<AbortOnDropHandle<Result<Links, LinkError>>>,
) -> Result<Links, String> {
    let Some(handle) = seeking else {
        return pending().await;
    };
    match handle.await {
        Ok(Ok(links)) => Ok(links),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the search for the agent failed: {error}")),
    }
}
