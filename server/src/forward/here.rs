//! Ports of this machine: each connection becomes one of the pod's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_link::{RelaySocket, Stream, Streams, relay};
use mirrord_protocol::control::{Answer, Request};
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use mirrord_supervisor::tell;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Standing;
use super::spec::Local;
use crate::session::agent_link::AgentLink;

/// After an error that is not about one connection (no descriptors left).
const PAUSE: Duration = Duration::from_millis(50);

/// The sockets of one forward.
pub(super) struct Listeners {
    spec: Local,
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// Binds both loopback addresses, as far as this machine has them.
pub(super) fn listen(spec: Local) -> Result<Listeners> {
    let mut listeners = Listeners {
        spec,
        sockets: Vec::new(),
        addresses: Vec::new(),
    };
    let mut port = listeners.spec.port;
    for ip in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        let address = SocketAddr::new(ip, port);
        match bind(address) {
            Ok(socket) => {
                let bound = socket.local_addr().context("a socket without an address")?;
                port = bound.port();
                listeners.sockets.push(socket);
                listeners.addresses.push(bound);
            }
            Err(error) if ip.is_ipv6() && has_no_ipv6(&error) => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "could not listen on {address} for {}; give another port of this machine \
                         (PORT:{}), or 0 for any that is free",
                        listeners.spec, listeners.spec
                    )
                });
            }
        }
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    matches!(number, Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT))
}

impl Listeners {
    /// What to tell of it.
    pub(super) fn standing(&self) -> Standing {
        Standing::Local {
            listen: self.addresses.iter().map(ToString::to_string).collect(),
            to: self.spec.to_string(),
        }
    }

    /// Serves clients until it is dropped.
    pub(super) async fn serve(self, agent: AgentLink, streams: Streams) {
        let mut connections = JoinSet::new();
        loop {
            let accepts = self.sockets.iter().map(|socket| Box::pin(socket.accept()));
            tokio::select! {
                (accepted, ..) = futures::future::select_all(accepts) => match accepted {
                    Ok((socket, _)) => {
                        let (spec, agent) = (self.spec.clone(), agent.clone());
                        connections.spawn(serve(spec, socket, agent, streams.clone()));
                    }
                    Err(error) => {
                        tracing::warn!("could not accept for {}: {error}", self.spec);
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn serve(spec: Local, socket: TcpStream, agent: AgentLink, streams: Streams) {
    let stream = match connect(&spec, &agent, &streams).await {
        Ok(stream) => stream,
        Err(reason) => {
            socket.reset_on_close();
            return tell(format_args!(
                "{spec} cannot be reached from the pod: {reason}"
            ));
        }
    };
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!("could not set TCP_NODELAY: {error}");
    }
    if let Err(error) = relay(socket, stream).await {
        tracing::debug!("a connection to {spec} ended with an error, which was passed on: {error}");
    }
}

/// Connects in the pod, to each address of the host in turn, or says why not.
async fn connect(spec: &Local, agent: &AgentLink, streams: &Streams) -> Result<Stream, String> {
    let addresses = match spec.host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let host = spec.host.clone();
            match agent.ask(Request::Resolve { host }).await {
                Ok(Answer::Resolved(addresses)) => addresses,
                Ok(other) => return Err(format!("the agent answered {other:?}")),
                Err(error) => return Err(error.to_string()),
            }
        }
    };
    let mut reason = "its name has no address there".to_owned();
    for address in addresses {
        let to = SocketAddr::new(address, spec.to);
        match streams
            .open_with_reply(&StreamHeader::ConnectTcp { to })
            .await
        {
            Ok((StreamReply::Connected { .. }, stream)) => return Ok(stream),
            Ok((StreamReply::Failed(error), _)) => reason = error.to_string(),
            Err(error) => reason = format!("the link broke: {error}"),
        }
    }
    Err(reason)
}
