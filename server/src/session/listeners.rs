//! The program's listening ports: each takes its port in the pod, and gives it back when the
//! program closes it.

mod alive;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirrord_net::incoming::{IncomingNews, IncomingRelays};
use mirrord_net::peers::PeerTable;
use mirrord_protocol::control::{self, Answer, Request, Subscribe};
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::{Ticket, ToSupervisor};
use mirrord_rules::{AlignedBlock, IncomingMode};
use tokio::sync::mpsc;

use super::agent_link::AgentLink;

/// How soon a closed listener is noticed when no client comes by.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// All ports that the program listens on.
#[derive(Clone)]
pub struct Listeners {
    shared: Arc<Shared>,
}

struct Shared {
    agent: AgentLink,
    rules: AlignedBlock,
    relays: IncomingRelays,
    answer_tx: mpsc::UnboundedSender<ToSupervisor>,
    event_tx: mpsc::UnboundedSender<EventKind>,
    ports: Mutex<HashMap<u16, Port>>,
    /// Ports of the debuggee's debugger, which are nobody else's business.
    left_alone: Mutex<HashSet<u16>>,
}

/// A port of the pod that is taken, or about to be.
struct Port {
    /// The agent's number for it; `None` while it is asked.
    subscription: Option<u64>,
    /// The program's sockets for it: several with `SO_REUSEPORT`, or one for each family.
    listeners: Vec<SocketAddr>,
}

/// What `listen` decided.
struct Wish {
    ticket: Ticket,
    pid: i32,
    port: u16,
    mode: control::IncomingMode,
    bound: SocketAddr,
    rule: String,
}

impl Listeners {
    /// No port is listened on yet. Must be called inside a runtime.
    pub fn new(
        agent: AgentLink,
        rules: AlignedBlock,
        peers: Arc<PeerTable>,
        answer_tx: mpsc::UnboundedSender<ToSupervisor>,
        event_tx: mpsc::UnboundedSender<EventKind>,
    ) -> Self {
        let (news_tx, news_rx) = mpsc::channel(256);
        let relays = IncomingRelays::new(peers, news_tx);
        let ports = Mutex::default();
        let shared = Shared {
            agent,
            rules,
            relays,
            answer_tx,
            event_tx,
            ports,
            left_alone: Mutex::default(),
        };
        let listeners = Listeners {
            shared: Arc::new(shared),
        };
        tokio::spawn(listeners.clone().hear(news_rx));
        tokio::spawn(listeners.clone().look());
        listeners
    }

    /// Where the pod's clients are handed to.
    pub fn relays(&self) -> IncomingRelays {
        self.shared.relays.clone()
    }

    /// The program listens at `bound`, having asked for `asked`. The answer goes to the
    /// supervisor when the pod's port is taken, or is known not to be.
    pub fn listen(&self, ticket: Ticket, pid: i32, asked: SocketAddr, bound: SocketAddr) {
        let decision = match self.shared.rules.rules() {
            Ok(rules) => {
                let decision = rules.incoming(asked);
                (decision.mode, decision.pod_port, decision.rule.to_string())
            }
            Err(error) => {
                return self.answer(ticket, Err(format!("the rules are damaged: {error}")));
            }
        };
        let (mut mode, port, mut rule) = decision;
        if lock(&self.shared.left_alone).contains(&asked.port()) {
            (mode, rule) = (IncomingMode::Off, "the debugger's port".to_owned());
        }
        let mode = match mode {
            IncomingMode::Steal => control::IncomingMode::Steal,
            IncomingMode::Mirror => control::IncomingMode::Mirror,
            IncomingMode::Off => {
                self.event(
                    pid,
                    asked.port(),
                    "off",
                    &rule,
                    "the pod's port is left alone",
                );
                return self.answer(ticket, Ok("off".to_owned()));
            }
        };
        let wish = Wish {
            ticket,
            pid,
            port,
            mode,
            bound,
            rule,
        };
        tokio::spawn(self.clone().take(wish));
    }

    /// A port of the program that is never taken in the pod.
    pub fn leave_alone(&self, port: u16) {
        lock(&self.shared.left_alone).insert(port);
        let listeners = self.clone();
        tokio::spawn(async move { listeners.drop_socket(port).await });
    }

    async fn take(self, wish: Wish) {
        let Wish {
            ticket,
            pid,
            port,
            mode,
            bound,
            rule,
        } = wish;
        let mode_name = match mode {
            control::IncomingMode::Steal => "steal",
            control::IncomingMode::Mirror => "mirror",
        };
        let is_first = {
            let mut ports = self.ports();
            let is_first = !ports.contains_key(&port);
            let port = ports.entry(port).or_insert_with(|| Port {
                subscription: None,
                listeners: Vec::new(),
            });
            port.listeners.push(bound);
            is_first
        };
        if !is_first {
            self.event(
                pid,
                port,
                mode_name,
                &rule,
                "another socket of the program has it already",
            );
            return self.answer(ticket, Ok("shared".to_owned()));
        }
        let asked = self
            .shared
            .agent
            .ask(Request::Subscribe(Subscribe { port, mode }))
            .await;
        let result = match asked {
            Ok(Answer::Subscribed { subscription, by }) => {
                self.shared.relays.subscribe(subscription, port, bound);
                if let Some(port) = self.ports().get_mut(&port) {
                    port.subscription = Some(subscription);
                }
                Ok(by)
            }
            Ok(other) => Err(format!("the agent answered {other:?}")),
            Err(error) => Err(error.to_string()),
        };
        match &result {
            Ok(by) => self.event(pid, port, mode_name, &rule, by),
            Err(error) => {
                self.ports().remove(&port);
                self.event(pid, port, "off", &rule, error);
                self.warn(format!(
                    "port {port} of the pod could not be taken: {error}. The program listens on \
                     this machine only"
                ));
            }
        }
        self.answer(ticket, result);
    }

    /// The agent says that a subscription ended by itself.
    pub fn ended(&self, subscription: u64, reason: &str) {
        self.shared.relays.forget(subscription);
        let mut ports = self.ports();
        let port = ports
            .iter()
            .find(|(_, port)| port.subscription == Some(subscription))
            .map(|(number, _)| *number);
        if let Some(number) = port {
            ports.remove(&number);
            drop(ports);
            self.warn(format!("port {number} went back to the pod: {reason}"));
        }
    }

    async fn hear(self, mut news_rx: mpsc::Receiver<IncomingNews>) {
        while let Some(news) = news_rx.recv().await {
            match news {
                IncomingNews::Event(kind) => drop(self.shared.event_tx.send(kind)),
                IncomingNews::ListenerGone { port, .. } => self.look_at(port).await,
            }
        }
    }

    async fn look(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let numbers: Vec<u16> = self.ports().keys().copied().collect();
            for number in numbers {
                self.look_at(number).await;
            }
        }
    }

    /// Drops the sockets of a port that do not listen any more; gives the port back with the
    /// last of them.
    async fn look_at(&self, number: u16) {
        let listening = match alive::listening_ports() {
            Ok(listening) => listening,
            Err(error) => return tracing::warn!("could not look for closed listeners: {error:#}"),
        };
        let why = "the program closed its listener";
        self.keep_only(number, why, |port| listening.contains(&port))
            .await;
    }

    /// Gives the pod's ports back that a socket at this port of this machine stands for.
    async fn drop_socket(&self, bound: u16) {
        let numbers: Vec<u16> = self.ports().keys().copied().collect();
        for number in numbers {
            self.keep_only(number, "the debugger's port", |port| port != bound)
                .await;
        }
    }

    async fn keep_only(&self, number: u16, why: &str, keep: impl Fn(u16) -> bool) {
        let subscription = {
            let mut ports = self.ports();
            let Some(port) = ports.get_mut(&number) else {
                return;
            };
            let Some(subscription) = port.subscription else {
                return;
            };
            port.listeners.retain(|listener| keep(listener.port()));
            match port.listeners.first() {
                Some(listener) => {
                    self.shared
                        .relays
                        .subscribe(subscription, number, *listener);
                    return;
                }
                None => {
                    ports.remove(&number);
                    subscription
                }
            }
        };
        self.shared.relays.forget(subscription);
        match self
            .shared
            .agent
            .ask(Request::Unsubscribe { subscription })
            .await
        {
            Ok(_) => self.event(0, number, "off", why, "given back"),
            Err(error) => self.warn(format!("port {number} could not be given back: {error}")),
        }
    }

    fn answer(&self, ticket: Ticket, result: Result<String, String>) {
        // The session may be over; then nobody waits.
        let _ = self
            .shared
            .answer_tx
            .send(ToSupervisor::Listening { ticket, result });
    }

    fn event(&self, pid: i32, port: u16, mode: &str, rule: &str, detail: &str) {
        let kind = EventKind::Listen {
            pid,
            port,
            mode: mode.to_owned(),
            rule: rule.to_owned(),
            detail: detail.to_owned(),
        };
        let _ = self.shared.event_tx.send(kind);
    }

    fn warn(&self, text: String) {
        mirrord_supervisor::tell(format_args!("{text}"));
        let _ = self.shared.event_tx.send(EventKind::Notice {
            level: "warn".into(),
            text,
        });
    }

    fn ports(&self) -> MutexGuard<'_, HashMap<u16, Port>> {
        lock(&self.shared.ports)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
