//! The session's agents as others see them, the primary one first. Only agents in a cluster are
//! told of: one of this machine has no pod.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirrord_protocol::session_control::PodAgent;

use super::super::agent_link::AgentLink;
use super::super::board::Board;
use crate::provider::Place;

/// The agents. Cheap to clone.
#[derive(Clone)]
pub struct Roster {
    rows: Arc<Mutex<Rows>>,
    board: Board,
}

#[derive(Default)]
struct Rows {
    primary: Option<PodAgent>,
    /// By the pod's UID; the link, once there is one.
    others: BTreeMap<String, (PodAgent, Option<AgentLink>)>,
}

impl Roster {
    /// Nobody yet.
    pub fn new(board: Board) -> Self {
        Roster {
            rows: Arc::default(),
            board,
        }
    }

    /// The primary agent is there, or not in a cluster.
    pub fn primary(&self, place: Option<&Place>, phase: &str, reconnects: u32) {
        self.lock().primary = place.map(|place| PodAgent {
            primary: true,
            reconnects,
            ..row(&place.pod, &place.node, phase, None)
        });
        self.show();
    }

    /// What the agent in another pod does.
    pub fn other(&self, uid: &str, agent: PodAgent, link: Option<&AgentLink>) {
        let row = (agent, link.cloned());
        self.lock().others.insert(uid.to_owned(), row);
        self.show();
    }

    /// The agent in another pod is gone.
    pub fn remove(&self, uid: &str) {
        self.lock().others.remove(uid);
        self.show();
    }

    /// All of them, with the round trips of now; the primary's is `primary_us`.
    pub async fn measured(&self, primary_us: Option<u64>) -> Vec<PodAgent> {
        let (primary, others) = {
            let rows = self.lock();
            let others: Vec<_> = rows.others.values().cloned().collect();
            (rows.primary.clone(), others)
        };
        let measured = others.into_iter().map(|(mut agent, link)| async move {
            if let (Some(link), "linked") = (link, &agent.phase[..]) {
                let round_trip = link.ping().await;
                agent.round_trip_us = round_trip.map(|time| time.as_micros() as u64);
            }
            agent
        });
        let primary = primary.map(|agent| PodAgent {
            round_trip_us: primary_us,
            ..agent
        });
        let others = futures::future::join_all(measured).await;
        primary.into_iter().chain(others).collect()
    }

    fn show(&self) {
        let rows = self.lock();
        let others = rows.others.values().map(|(agent, _)| agent);
        let mut agents: Vec<PodAgent> = rows.primary.iter().chain(others).cloned().collect();
        drop(rows);
        agents.sort_by(|a, b| (!a.primary, &a.pod).cmp(&(!b.primary, &b.pod)));
        self.board.update(|status| status.agents = agents);
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of an agent in a pod.
pub fn row(pod: &str, node: &str, phase: &str, reason: Option<&str>) -> PodAgent {
    PodAgent {
        pod: pod.to_owned(),
        node: node.to_owned(),
        primary: false,
        phase: phase.to_owned(),
        reason: reason.map(str::to_owned),
        reconnects: 0,
        round_trip_us: None,
    }
}
