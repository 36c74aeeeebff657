//! A session over every pod of a workload (`agent.replicas: all`). The primary agent is the
//! session's own, as it is with one pod. Here are the agents in the other pods: each takes the ports
//! that the primary has, has links of its own, and waits for no other.
//!
//! One task owns them. It hears which pods there are ([`pods`]), and where the primary is; what
//! follows from that is a plan ([`plan`]), and each pod that is covered is a task of its own
//! ([`pod`]). Nothing here can end the session.

mod plan;
mod pod;
mod pods;
mod ports;
mod roster;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use anyhow::Result;
use mirrord_kubernetes::{Form, Kind};
use mirrord_net::incoming::IncomingRelays;
use mirrord_protocol::event::EventKind;
use mirrord_supervisor::tell;
use mirrord_target::{ClusterTarget, Target};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::listeners::Listeners;
use crate::provider::{ClusterTerms, Place};
pub use plan::Fate;
use pods::Pods;
pub use roster::Roster;

/// So many pods are covered at most, the primary's among them: each agent is a Job in the cluster,
/// a process here and two connections to the API server.
const MOST: usize = 20;

/// So many agents are started at the same time.
const STARTS: usize = 4;

/// The agents in other pods.
pub struct Replicas {
    order_tx: mpsc::UnboundedSender<Order>,
}

enum Order {
    /// The primary agent is there now.
    PrimaryAt(Place),
    /// The session is over.
    End(oneshot::Sender<()>),
}

/// What all of them have in common.
pub struct Shared {
    /// The workload.
    target: ClusterTarget,
    session: String,
    /// Where their logs go, one each; otherwise they become part of ours.
    logs: Option<PathBuf>,
    cluster: ClusterTerms,
    relays: IncomingRelays,
    listeners: Listeners,
    event_tx: mpsc::UnboundedSender<EventKind>,
    roster: Roster,
    starts: Semaphore,
    /// Agents that were started; each has a name of its own.
    started: AtomicU32,
}

/// What the session gives to its replicas.
pub struct Terms<'a> {
    pub target: &'a Target,
    pub session: &'a str,
    pub logs: Option<PathBuf>,
    pub cluster: &'a ClusterTerms,
    pub listeners: &'a Listeners,
    pub event_tx: &'a mpsc::UnboundedSender<EventKind>,
    pub roster: &'a Roster,
}

impl Replicas {
    /// Covers the other pods of the target's workload from now on, if the configuration says so.
    /// `primary`: where the session's own agent is. Must be called inside a runtime.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(terms: &Terms<'_>, primary: Option<Place>) -> Result<Option<Self>> {
        let (true, Target::Kubernetes(target)) = (terms.cluster.all_replicas, terms.target) else {
            return Ok(None);
        };
        // The configuration's check has refused it; a target of another kind would be followed
        // without end.
        if target.kind == Kind::Pod {
            return Ok(None);
        }
        let pods_rx = pods::follow(terms.cluster.access.clone(), target.clone())?;
        let (order_tx, order_rx) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            target: target.clone(),
            session: terms.session.to_owned(),
            logs: terms.logs.clone(),
            cluster: terms.cluster.clone(),
            relays: terms.listeners.relays(),
            listeners: terms.listeners.clone(),
            event_tx: terms.event_tx.clone(),
            roster: terms.roster.clone(),
            starts: Semaphore::new(STARTS),
            started: AtomicU32::new(0),
        });
        let set = Set {
            shared,
            primary,
            covered: BTreeMap::new(),
            tasks: JoinSet::new(),
            beyond: 0,
            told: None,
        };
        tokio::spawn(set.run(pods_rx, order_rx));
        Ok(Some(Replicas { order_tx }))
    }

    /// The primary agent is there now, and has its ports: whatever covered that pod before retires.
    pub fn primary_at(&self, place: Place) {
        // Without its task the session is over.
        let _ = self.order_tx.send(Order::PrimaryAt(place));
    }

    /// What tells of the primary's place later.
    pub fn teller(&self) -> impl FnOnce(Place) + Send + use<> {
        let order_tx = self.order_tx.clone();
        move |place| drop(order_tx.send(Order::PrimaryAt(place)))
    }

    /// Puts all of them away; returns when they are gone.
    pub async fn end(self) {
        let (ended_tx, ended_rx) = oneshot::channel();
        if self.order_tx.send(Order::End(ended_tx)).is_ok() {
            let _ = ended_rx.await;
        }
    }
}

/// The pods that are covered.
struct Set {
    shared: Arc<Shared>,
    primary: Option<Place>,
    /// By the pod's UID.
    covered: BTreeMap<String, watch::Sender<Fate>>,
    /// One for each, with its pod's UID.
    tasks: JoinSet<String>,
    /// Pods that nothing covers, because there are too many; as it was told.
    beyond: usize,
    /// The last trouble with the list of pods.
    told: Option<String>,
}

impl Set {
    async fn run(
        mut self,
        mut pods_rx: watch::Receiver<Pods>,
        mut order_rx: mpsc::UnboundedReceiver<Order>,
    ) {
        if self.form() == Some(Form::Restricted) {
            self.warn(format!(
                "the agent has no more rights than the target, so no incoming traffic is taken, and \
                 the other pods of {} are not covered",
                self.shared.target
            ));
        }
        loop {
            tokio::select! {
                Ok(()) = pods_rx.changed() => {}
                order = order_rx.recv() => match order {
                    Some(Order::PrimaryAt(place)) => self.primary = Some(place),
                    Some(Order::End(ended_tx)) => {
                        self.end().await;
                        let _ = ended_tx.send(());
                        return;
                    }
                    // The session broke off: its processes go with it.
                    None => return,
                },
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(uid) => drop(self.covered.remove(&uid)),
                    Err(error) => tracing::error!("a pod's task failed: {error}"),
                },
            }
            let pods = pods_rx.borrow_and_update().clone();
            self.follow(&pods);
        }
    }

    /// The form that the primary agent was found to have.
    fn form(&self) -> Option<Form> {
        self.primary.as_ref().map(|place| place.form)
    }

    fn follow(&mut self, pods: &Pods) {
        if pods.problem != self.told {
            self.told.clone_from(&pods.problem);
            if let Some(problem) = &pods.problem {
                self.warn(format!(
                    "the pods of {} cannot be followed: {problem}. Those that are covered stay so",
                    self.shared.target
                ));
            }
        }
        let (Some(members), Some(primary)) = (&pods.members, &self.primary) else {
            return;
        };
        if primary.form == Form::Restricted {
            return;
        }
        let plan = plan::plan(members, &primary.uid, &self.fates(), MOST);
        for (uid, fate) in plan.fates {
            if let Some(fate_tx) = self.covered.get(&uid) {
                fate_tx.send_if_modified(|before| fate.is_after(*before, before));
            }
        }
        for member in plan.start {
            let (fate_tx, fate_rx) = watch::channel(Fate::Stay);
            self.covered.insert(member.uid.clone(), fate_tx);
            let form = self.form();
            let covered = pod::Covered::new(member, form, self.shared.clone(), fate_rx);
            self.tasks.spawn(covered.run());
        }
        self.tell_beyond(plan.beyond);
    }

    fn fates(&self) -> BTreeMap<String, Fate> {
        let covered = self.covered.iter();
        covered
            .map(|(uid, fate_tx)| (uid.clone(), *fate_tx.borrow()))
            .collect()
    }

    /// More pods than are covered: told when it begins, and when it is over.
    fn tell_beyond(&mut self, beyond: usize) {
        let target = &self.shared.target;
        match (self.beyond, beyond) {
            (0, 1..) => self.warn(format!(
                "{target} has more than {MOST} pods: {beyond} of them go on answering their clients \
                 themselves, for a session covers {MOST} at most"
            )),
            (1.., 0) => tracing::info!("all pods of {target} are covered"),
            _ => {}
        }
        self.beyond = beyond;
    }

    async fn end(&mut self) {
        for fate_tx in self.covered.values() {
            fate_tx.send_replace(Fate::End);
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn warn(&self, text: String) {
        self.shared.warn(text);
    }
}

impl Shared {
    fn warn(&self, text: String) {
        tell(format_args!("{text}"));
        let level = "warn".into();
        self.event(EventKind::Notice { level, text });
    }

    fn event(&self, kind: EventKind) {
        // The session may be over; then nobody reads.
        let _ = self.event_tx.send(kind);
    }
}
