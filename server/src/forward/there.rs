//! Ports of the pod: each connection of a client there becomes one to a port of this machine.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use mirrord_link::Stream;
use mirrord_net::incoming::{IncomingNews, IncomingRelays};
use mirrord_net::peers::PeerTable;
use mirrord_protocol::control::{Answer, IncomingMode, Request, Subscribe};
use mirrord_protocol::streams::StreamHeader;
use mirrord_supervisor::tell;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Standing;
use super::spec::Remote;
use crate::session::agent_link::AgentLink;

/// Ports that were taken.
pub(super) struct Ports {
    relays: IncomingRelays,
    news_rx: mpsc::Receiver<IncomingNews>,
    taken: HashMap<u64, Remote>,
    standing: Vec<Standing>,
    connections: JoinSet<()>,
}

impl Ports {
    /// None yet.
    pub(super) fn new() -> Result<Self> {
        let peers = PeerTable::create().context("could not make shared memory")?;
        let (news_tx, news_rx) = mpsc::channel(256);
        Ok(Ports {
            relays: IncomingRelays::new(Arc::new(peers), news_tx),
            news_rx,
            taken: HashMap::new(),
            standing: Vec::new(),
            connections: JoinSet::new(),
        })
    }

    /// Takes one in the pod.
    pub(super) async fn take(
        &mut self,
        agent: &AgentLink,
        remote: Remote,
        mode: IncomingMode,
    ) -> Result<()> {
        let Remote { port, to } = remote;
        let request = Request::Subscribe(Subscribe { port, mode });
        let (subscription, by) = match agent.ask(request).await {
            Ok(Answer::Subscribed { subscription, by }) => (subscription, by),
            Ok(other) => bail!("the agent answered {other:?}"),
            Err(error) => bail!("port {port} of the pod could not be taken: {error}"),
        };
        self.lead(subscription, remote);
        self.taken.insert(subscription, remote);
        let mode = match mode {
            IncomingMode::Steal => "steal",
            IncomingMode::Mirror => "mirror",
        };
        self.standing.push(Standing::Remote {
            port,
            mode: mode.to_owned(),
            to,
            by,
        });
        Ok(())
    }

    /// What to tell of them.
    pub(super) fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// Serves a stream of the agent's.
    pub(super) fn serve(&mut self, header: StreamHeader, stream: Stream) {
        let relays = self.relays.clone();
        self.connections.spawn(async move {
            if let Err(error) = relays.serve(header, stream).await {
                tracing::debug!("an incoming connection ended with an error: {error}");
            }
        });
    }

    /// Follows what happens with connections; one step. May be dropped and called again.
    pub(super) async fn look(&mut self) {
        tokio::select! {
            Some(_) = self.connections.join_next() => {}
            Some(news) = self.news_rx.recv() => self.hear(news),
            else => std::future::pending().await,
        }
    }

    /// What happened already, before the end.
    pub(super) fn tell_the_rest(&mut self) {
        while let Ok(news) = self.news_rx.try_recv() {
            self.hear(news);
        }
    }

    fn hear(&mut self, news: IncomingNews) {
        match news {
            IncomingNews::Event(kind) => tracing::info!("{kind:?}"),
            // The program may come later; until then the pod's own answers.
            IncomingNews::ListenerGone { subscription, port } => {
                if let Some(remote) = self.taken.get(&subscription).copied() {
                    tell(format_args!(
                        "a client of port {port} went to the pod's own program: nothing \
                         listens on port {} of this machine",
                        remote.to
                    ));
                    self.lead(subscription, remote);
                }
            }
        }
    }

    /// Both loopback addresses are tried, the client's family first.
    fn lead(&self, subscription: u64, remote: Remote) {
        let listener = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), remote.to);
        self.relays.subscribe(subscription, remote.port, listener);
    }
}
