//! The node that the target's pod runs on: whose socket is at the other end of a connection.
//!
//! A netlink socket belongs to the network namespace that it was made in, for ever; so one that was
//! made in the node's answers for the node while the agent is in the target's.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mirrord_protocol::control::AddressPair;
use mirrord_sock_diag::{Kernel, Transport};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{self, has_socket};

/// Names of the processes that the kubelet runs in, by distribution of Kubernetes: its own, MicroK8s'
/// and K3s'.
const KUBELETS: [&str; 5] = ["kubelet", "kubelite", "k3s", "k3s-server", "k3s-agent"];

/// A kubelet that was started anew is found within this time.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// No process of the node, whatever the address says.
    Elsewhere,
    /// The node's kubelet.
    Kubelet,
    /// A process of the node that closed its end already, so it cannot be told which.
    Closed,
    /// Another process of the node.
    OtherOfNode,
    /// The node did not say.
    Unknown,
}

/// The node.
pub(super) struct Node {
    kernel: Mutex<Kernel>,
    kubelets: Mutex<Kubelets>,
}

#[derive(Default)]
struct Kubelets {
    pids: Vec<i32>,
    looked: Option<Instant>,
}

impl Node {
    /// `None`: process 1 is not the node's, so the node cannot be seen from here.
    pub(super) fn open() -> io::Result<Option<Node>> {
        let theirs = fs::File::open("/proc/1/ns/net")?;
        let ours = fs::File::open("/proc/self/ns/net")?;
        let identity = |file: &fs::File| {
            use std::os::unix::fs::MetadataExt;
            file.metadata().map(|found| (found.dev(), found.ino()))
        };
        if identity(&theirs)? == identity(&ours)? {
            return Ok(None);
        }
        // Only that thread goes there, and comes back with a socket.
        let opening = std::thread::spawn(move || -> io::Result<Kernel> {
            move_into_link_name_space(theirs.as_fd(), Some(LinkNameSpaceType::Network))?;
            Kernel::open()
        });
        let kernel = opening
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that asks failed")))?;
        Ok(Some(Node::with(kernel)?))
    }

    fn with(kernel: Kernel) -> io::Result<Node> {
        kernel.check()?;
        Ok(Node {
            kernel: Mutex::new(kernel),
            kubelets: Mutex::default(),
        })
    }

    /// Whose the client's end is.
    pub(super) fn origin(&self, addresses: AddressPair) -> Origin {
        match self.inode(addresses.client, addresses.server) {
            Ok(None) => Origin::Elsewhere,
            Ok(Some(0)) => Origin::Closed,
            Ok(Some(inode)) if self.is_kubelets(inode) => Origin::Kubelet,
            Ok(Some(_)) => Origin::OtherOfNode,
            Err(error) => {
                tracing::warn!("could not ask the node for a socket: {error}");
                Origin::Unknown
            }
        }
    }

    /// The number of the node's socket with these ends (zero: no process has it any more).
    fn inode(&self, local: SocketAddr, peer: SocketAddr) -> io::Result<Option<u32>> {
        let kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kernel.find(Transport::Tcp, local, peer)?;
        Ok(found
            .filter(|found| !found.listens)
            .map(|found| found.inode))
    }

    fn is_kubelets(&self, inode: u32) -> bool {
        let mut kubelets = self.kubelets.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |pids: &[i32]| pids.iter().any(|pid| has_socket(*pid, inode));
        if holds(&kubelets.pids) {
            return true;
        }
        if kubelets.looked.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return false;
        }
        *kubelets = Kubelets {
            pids: find_kubelets(),
            looked: Some(Instant::now()),
        };
        holds(&kubelets.pids)
    }
}

/// Processes with a kubelet's name in the network namespace of process 1: one in a container of its
/// own is none.
fn find_kubelets() -> Vec<i32> {
    let nodes = process::network("1");
    let names: HashSet<&str> = KUBELETS.into();
    process::all()
        .filter(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            names.contains(name.trim_end()) && process::network(pid) == nodes
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_end_of_a_connection_is_found_with_its_process_until_it_is_closed() {
        let node = Node::with(Kernel::open().unwrap()).unwrap();
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let server = listener.local_addr().unwrap();
            let client = TcpStream::connect(server).unwrap();
            let addresses = AddressPair {
                client: client.local_addr().unwrap(),
                server,
            };
            let _accepted = listener.accept().unwrap();
            assert_eq!(node.origin(addresses), Origin::OtherOfNode);
            let inode = node.inode(addresses.client, server).unwrap().unwrap();
            assert!(has_socket(std::process::id() as i32, inode));
            drop(client);
            assert_eq!(node.origin(addresses), Origin::Closed);
            // Nobody: the address is ours, the port is not in use, or is only listened on.
            for port in [1, server.port()] {
                let client = SocketAddr::new(server.ip(), port);
                let server = SocketAddr::new(server.ip(), 2);
                let nobody = AddressPair { client, server };
                assert_eq!(node.origin(nobody), Origin::Elsewhere);
            }
        }
    }
}
