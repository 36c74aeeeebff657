//! The kubelet's own connections: probes are questions about the pod's program, so on a stolen port
//! they go on to it. Otherwise a local program that is slow, or stopped at a breakpoint, gets the
//! pod restarted.
//!
//! Who a connection is from is asked of the node ([`node`]), not of its address: traffic of a
//! NodePort, and whatever else is rewritten on the way, comes from the node's address too, but there
//! is no socket of the node behind it. Only where the node cannot be asked, or another program of it
//! calls, is it looked whether the first bytes say `kube-probe/`.
//!
//! A probe that only connects (`tcpSocket`) is answered by the kernel before anybody can look at
//! it: it succeeds while the port is stolen, and the local program does not hear of it.
//!
//! A probe that is a program in the pod (`exec`) is known by its arguments ([`program`]).

mod node;
mod program;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mirrord_protocol::control::AddressPair;
use tokio::net::TcpStream;

use node::{Node, Origin};
use program::Programs;

/// The first bytes of a connection of the node's that could be a probe are waited for so long; those
/// of others never, for theirs may be the server's part to speak first.
const FIRST_BYTES: Duration = Duration::from_millis(100);

/// The part of a request that is looked at.
const LOOKED_AT: usize = 2048;

/// What is known about the probes of the target's pod.
#[derive(Default)]
pub struct Probes {
    ports: HashSet<u16>,
    node: Option<Arc<Node>>,
    programs: Option<Arc<Programs>>,
}

impl Probes {
    /// The ports that the pod's probes name. To be called while the process is in its own
    /// namespaces and has no threads; the node can be asked when its process ids are shared
    /// (`hostPID`).
    pub fn of(ports: &[u16]) -> Probes {
        let ports: HashSet<u16> = ports.iter().copied().collect();
        let node = if ports.is_empty() {
            None
        } else {
            Node::open().unwrap_or_else(|error| {
                tracing::warn!(
                    "the node cannot be asked for its sockets ({error}); of the kubelet's probes \
                     only HTTP ones without TLS are told from clients"
                );
                None
            })
        };
        Probes {
            ports,
            node: node.map(Arc::new),
            programs: None,
        }
    }

    /// With probes that are programs, by their arguments. To be called in the pod's network namespace.
    pub fn with_commands(self, commands: &[Vec<String>]) -> Probes {
        let programs = Programs::of(commands).unwrap_or_else(|error| {
            tracing::warn!(
                "sockets of the pod cannot be asked for ({error}): a probe that is a program and \
                 calls a stolen port meets the local program"
            );
            None
        });
        Probes {
            programs: programs.map(Arc::new),
            ..self
        }
    }

    /// Whether a connection is a probe. Nothing is read of it.
    pub async fn is_probe(&self, socket: &TcpStream, addresses: AddressPair) -> bool {
        if let Some(programs) = &self.programs
            && programs.call(addresses).await
        {
            tracing::debug!(?addresses, "a program that probes the pod");
            return true;
        }
        if !self.ports.contains(&addresses.server.port()) {
            return false;
        }
        let origin = match &self.node {
            None => Origin::Unknown,
            Some(node) => {
                let node = node.clone();
                // It reads in /proc.
                let asked = tokio::task::spawn_blocking(move || node.origin(addresses)).await;
                asked.unwrap_or(Origin::Unknown)
            }
        };
        let is_probe = match origin {
            Origin::Elsewhere => false,
            Origin::Kubelet => true,
            Origin::Closed | Origin::OtherOfNode | Origin::Unknown => begins_as_probe(socket).await,
        };
        tracing::debug!(
            ?addresses,
            ?origin,
            is_probe,
            "a connection on a probe's port"
        );
        is_probe
    }
}

/// Whether the first bytes are a probe's, or the client only knocked and went away.
async fn begins_as_probe(socket: &TcpStream) -> bool {
    let mut bytes = [0; LOOKED_AT];
    match tokio::time::timeout(FIRST_BYTES, socket.peek(&mut bytes)).await {
        Ok(Ok(size)) => size == 0 || says_probe(&bytes[..size]),
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}

/// The kubelet's user agent in a request of HTTP/1 (`pkg/probe/http` of Kubernetes). It is in the
/// first segment: the kubelet's requests have no body and few headers.
fn says_probe(bytes: &[u8]) -> bool {
    const SAYS: &[u8] = b"\nuser-agent: kube-probe/";
    bytes
        .windows(SAYS.len())
        .any(|window| window.eq_ignore_ascii_case(SAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_known_by_its_user_agent_only() {
        let probe =
            b"GET /ready HTTP/1.1\r\nHost: 10.0.0.1:80\r\nUser-Agent: kube-probe/1.34\r\n\r\n";
        assert!(says_probe(probe));
        for other in [
            &b""[..],
            b"GET /?user-agent:%20kube-probe/ HTTP/1.1\r\nUser-Agent: curl/8\r\n\r\n",
            b"GET / HTTP/1.1\r\nX-User-Agent: kube-probe/1.34\r\n\r\n",
            b"GET / HTTP/1.1\r\nReferer: user-agent: kube-probe/1\r\n\r\n",
        ] {
            assert!(!says_probe(other), "{}", String::from_utf8_lossy(other));
        }
    }

    async fn connection() -> (TcpStream, TcpStream, AddressPair) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(server), listener.accept());
        let (accepted, client_address) = accepted.unwrap();
        let addresses = AddressPair {
            client: client_address,
            server,
        };
        (client.unwrap(), accepted, addresses)
    }

    #[tokio::test]
    async fn without_the_node_the_first_bytes_decide_and_are_not_waited_for_long() {
        use tokio::io::AsyncWriteExt;
        let (mut client, accepted, addresses) = connection().await;
        let probes = Probes {
            ports: [addresses.server.port()].into(),
            node: None,
            programs: None,
        };
        let began = std::time::Instant::now();
        assert!(!probes.is_probe(&accepted, addresses).await);
        assert!(
            began.elapsed() >= FIRST_BYTES,
            "it could have said something"
        );
        client
            .write_all(b"GET / HTTP/1.1\r\nUser-Agent: kube-probe/1.34\r\n\r\n")
            .await
            .unwrap();
        assert!(probes.is_probe(&accepted, addresses).await);
        let others = Probes::default();
        assert!(!others.is_probe(&accepted, addresses).await);
    }

    #[tokio::test]
    async fn a_client_that_only_knocked_is_seen_to_have_gone() {
        let (client, accepted, _) = connection().await;
        assert!(!begins_as_probe(&accepted).await);
        drop(client);
        assert!(begins_as_probe(&accepted).await);
    }
}
