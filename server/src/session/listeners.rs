//! The program's listening ports: each takes its port in the pod, and gives it back when the
//! program closes it. What happens with a port can be changed while it is listened on
//! ([`change`]).

mod alive;
mod change;
mod relink;
mod wanted;

pub use change::name as mode_name;
pub use wanted::{WantedPort, WantedPorts};

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mirrord_net::incoming::{IncomingNews, IncomingRelays};
use mirrord_net::peers::PeerTable;
use mirrord_protocol::control::{self, Answer, Request, Subscribe};
use mirrord_protocol::event::EventKind;
use mirrord_protocol::local::{Ticket, ToSupervisor};
use mirrord_protocol::session_control::{self, PortMode};
use mirrord_rules::{AlignedBlock, IncomingDecision, IncomingMode};
use tokio::sync::{mpsc, watch};

use super::agent_link::AgentLink;
use super::board::Board;

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
    board: Board,
    /// By the number in the pod.
    ports: Mutex<HashMap<u16, Port>>,
    /// What the user chose for a port (as programs ask for it) while the session runs.
    chosen: Mutex<HashMap<u16, PortMode>>,
    /// Ports of the debuggee's debugger, which are nobody else's business.
    left_alone: Mutex<HashSet<u16>>,
    /// What agents in other pods shall take.
    wanted_tx: watch::Sender<WantedPorts>,
}

/// A port that the program listens on.
struct Port {
    /// As the program asked for it.
    asked: u16,
    /// What is to happen with the pod's.
    mode: PortMode,
    /// How far that is.
    taking: Taking,
    /// The program's sockets for it: several with `SO_REUSEPORT`, or one for each family.
    listeners: Vec<SocketAddr>,
}

/// Whether the pod's port is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    /// It is the pod's.
    Not,
    /// The agent is asked for it.
    Asking,
    /// By the agent's number for it.
    Taken(u64),
    /// It was, until the link was lost; it shall be again on the next.
    Lost,
}

/// What `listen` decided.
struct Wish {
    ticket: Ticket,
    pid: i32,
    asked: u16,
    port: u16,
    mode: PortMode,
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
        board: Board,
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
            board,
            ports,
            chosen: Mutex::default(),
            left_alone: Mutex::default(),
            wanted_tx: watch::Sender::default(),
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
            Ok(rules) => rules.incoming(asked),
            Err(error) => {
                return self.answer(ticket, Err(format!("the rules are damaged: {error}")));
            }
        };
        if lock(&self.shared.left_alone).contains(&asked.port()) {
            let (rule, detail) = ("the debugger's port", "the pod's port is left alone");
            self.event(pid, asked.port(), PortMode::Off, rule, detail);
            return self.answer(ticket, Ok("off".to_owned()));
        }
        let (mode, rule) = self.mode(asked.port(), &decision);
        let wish = Wish {
            ticket,
            pid,
            asked: asked.port(),
            port: decision.pod_port,
            mode,
            bound,
            rule,
        };
        if mode == PortMode::Off {
            return self.leave_to_the_pod(wish);
        }
        tokio::spawn(self.clone().take(wish));
    }

    /// What happens with a port, and why.
    fn mode(&self, asked: u16, decision: &IncomingDecision<'_>) -> (PortMode, String) {
        if let Some(mode) = lock(&self.shared.chosen).get(&asked) {
            return (*mode, change::RULE.to_owned());
        }
        let mode = match decision.mode {
            IncomingMode::Steal => PortMode::Steal,
            IncomingMode::Mirror => PortMode::Mirror,
            IncomingMode::Off => PortMode::Off,
        };
        (mode, decision.rule.to_string())
    }

    /// It is only known where the program listens.
    fn leave_to_the_pod(&self, wish: Wish) {
        let detail = "the pod's port is left alone";
        self.event(wish.pid, wish.asked, PortMode::Off, &wish.rule, detail);
        let mut ports = self.ports();
        let port = ports.entry(wish.port).or_insert_with(|| Port {
            asked: wish.asked,
            mode: PortMode::Off,
            taking: Taking::Not,
            listeners: Vec::new(),
        });
        // Where another of its sockets takes the port, this one does not count.
        if port.mode == PortMode::Off {
            port.listeners.push(wish.bound);
        }
        drop(ports);
        self.show();
        self.answer(wish.ticket, Ok("off".to_owned()));
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
            asked,
            port,
            mode,
            bound,
            rule,
        } = wish;
        let is_first = {
            let mut ports = self.ports();
            let known = ports.get_mut(&port);
            match known.filter(|known| known.mode != PortMode::Off) {
                Some(known) => {
                    known.listeners.push(bound);
                    false
                }
                None => {
                    let taken = Port {
                        asked,
                        mode,
                        taking: Taking::Asking,
                        listeners: vec![bound],
                    };
                    ports.insert(port, taken);
                    true
                }
            }
        };
        if !is_first {
            let detail = "another socket of the program has it already";
            self.event(pid, port, mode, &rule, detail);
            return self.answer(ticket, Ok("shared".to_owned()));
        }
        let result = self.subscribe(port, mode).await;
        match &result {
            Ok(by) => self.event(pid, port, mode, &rule, by),
            Err(error) => {
                self.event(pid, port, PortMode::Off, &rule, error);
                self.warn(format!(
                    "port {port} of the pod could not be taken: {error}. The program listens on \
                     this machine only"
                ));
            }
        }
        self.answer(ticket, result);
    }

    /// Has the agent take a port whose entry says [`Taking::Asking`]; `Ok`: how it does that.
    async fn subscribe(&self, port: u16, mode: PortMode) -> Result<String, String> {
        let mode = match mode {
            PortMode::Steal => control::IncomingMode::Steal,
            PortMode::Mirror => control::IncomingMode::Mirror,
            PortMode::Off => return Ok("off".to_owned()),
        };
        let request = Request::Subscribe(Subscribe { port, mode });
        let result = match self.shared.agent.ask(request).await {
            Ok(Answer::Subscribed { subscription, by }) => Ok((subscription, by)),
            Ok(other) => Err(format!("the agent answered {other:?}")),
            Err(error) => Err(error.to_string()),
        };
        if let Some(entry) = self.ports().get_mut(&port) {
            match &result {
                Ok((subscription, _)) => {
                    entry.taking = Taking::Taken(*subscription);
                    if let Some(listener) = entry.listeners.first() {
                        self.shared.relays.subscribe(*subscription, port, *listener);
                    }
                }
                Err(_) => (entry.mode, entry.taking) = (PortMode::Off, Taking::Not),
            }
        }
        self.show();
        result.map(|(_, by)| by)
    }

    /// The agent says that a subscription ended by itself.
    pub fn ended(&self, subscription: u64, reason: &str) {
        self.shared.relays.forget(subscription);
        let mut ports = self.ports();
        let port = ports
            .iter_mut()
            .find(|(_, port)| port.taking == Taking::Taken(subscription));
        if let Some((&number, port)) = port {
            (port.mode, port.taking) = (PortMode::Off, Taking::Not);
            drop(ports);
            self.show();
            self.warn(format!("port {number} went back to the pod: {reason}"));
        }
    }

    /// Puts what is known of the ports where others see it.
    fn show(&self) {
        let mut shown: Vec<session_control::Port> = self
            .ports()
            .iter()
            .filter_map(|(&number, port)| {
                Some(session_control::Port {
                    port: number,
                    asked: port.asked,
                    local: port.listeners.first()?.port(),
                    mode: port.mode,
                })
            })
            .collect();
        shown.sort_by_key(|port| port.port);
        self.shared.board.update(|status| status.ports = shown);
        self.publish();
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
            if port.taking == Taking::Asking {
                return;
            }
            let before = port.listeners.len();
            port.listeners.retain(|listener| keep(listener.port()));
            if port.listeners.len() == before {
                return;
            }
            let taking = port.taking;
            match (port.listeners.first(), taking) {
                (Some(listener), Taking::Taken(subscription)) => {
                    self.shared
                        .relays
                        .subscribe(subscription, number, *listener);
                    None
                }
                (Some(_), _) => None,
                (None, Taking::Taken(subscription)) => {
                    ports.remove(&number);
                    Some(subscription)
                }
                (None, _) => {
                    ports.remove(&number);
                    None
                }
            }
        };
        self.show();
        let Some(subscription) = subscription else {
            return;
        };
        match self.unsubscribe(subscription).await {
            Ok(()) => self.event(0, number, PortMode::Off, why, "given back"),
            Err(error) => self.warn(format!("port {number} could not be given back: {error}")),
        }
    }

    /// New connections are the pod's again when this returns.
    async fn unsubscribe(&self, subscription: u64) -> Result<(), control::RemoteError> {
        let request = Request::Unsubscribe { subscription };
        let done = self.shared.agent.ask(request).await.map(drop);
        // Not before: a connection that comes meanwhile would wait for somebody to take it.
        self.shared.relays.forget(subscription);
        done
    }

    fn answer(&self, ticket: Ticket, result: Result<String, String>) {
        // The session may be over; then nobody waits.
        let _ = self
            .shared
            .answer_tx
            .send(ToSupervisor::Listening { ticket, result });
    }

    fn event(&self, pid: i32, port: u16, mode: PortMode, rule: &str, detail: &str) {
        let kind = EventKind::Listen {
            pid,
            port,
            mode: change::name(mode).to_owned(),
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
