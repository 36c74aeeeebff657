//! The node that the target's pod runs on: whose socket is at the other end of a connection.
//!
//! A netlink socket belongs to the network namespace that it was made in, for ever; so one that was
//! made in the node's answers for the node while the agent is in the target's.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mirrord_protocol::control::AddressPair;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Names of the processes that the kubelet runs in, by distribution of Kubernetes: its own, MicroK8s'
/// and K3s'.
const KUBELETS: [&str; 5] = ["kubelet", "kubelite", "k3s", "k3s-server", "k3s-agent"];

/// A kubelet that was started anew is found within this time.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// `NETLINK_SOCK_DIAG`, `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST`, `NLM_F_DUMP`, `NLMSG_ERROR`
/// (linux/netlink.h, linux/sock_diag.h).
const SOCK_DIAG: u32 = 4;
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
/// `struct nlmsghdr`, `struct inet_diag_req_v2` and `struct inet_diag_msg` (linux/inet_diag.h).
const HEADER: usize = 16;
const QUESTION: usize = 56;
const STATE_AT: usize = HEADER + 1;
const INODE_AT: usize = HEADER + 68;
/// `TCP_LISTEN` (net/tcp_states.h): the kernel answers with a listener when there is no connection.
const LISTEN: u8 = 10;

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
    netlink: Mutex<OwnedFd>,
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
        let opening = std::thread::spawn(move || -> io::Result<OwnedFd> {
            move_into_link_name_space(theirs.as_fd(), Some(LinkNameSpaceType::Network))?;
            netlink()
        });
        let netlink = opening
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that asks failed")))?;
        Ok(Some(Node::with(netlink)?))
    }

    fn with(netlink: OwnedFd) -> io::Result<Node> {
        // Without the kernel's `tcp_diag` there is no socket that could be found: asked for all of
        // no state at all, it says "none", or that it does not know the question.
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        rustix::net::send(
            &netlink,
            &question(nobody, nobody, REQUEST | DUMP, 0),
            SendFlags::empty(),
        )?;
        let mut answer = [0u8; 1024];
        let (size, _) = rustix::net::recv(&netlink, &mut answer[..], RecvFlags::empty())?;
        if let Some(errno) = error(&answer[..size])? {
            return Err(io::Error::from_raw_os_error(errno));
        }
        Ok(Node {
            netlink: Mutex::new(netlink),
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
        let netlink = self.netlink.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = question(local, peer, REQUEST, u32::MAX);
        rustix::net::send(&*netlink, &asked, SendFlags::empty())?;
        let mut answer = [0u8; 1024];
        let (size, _) = rustix::net::recv(&*netlink, &mut answer[..], RecvFlags::empty())?;
        let answer = &answer[..size];
        match error(answer)? {
            Some(libc::ENOENT) => return Ok(None),
            Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
            None => {}
        }
        let state = *answer.get(STATE_AT).ok_or_else(short)?;
        let inode = u32::from_ne_bytes(take(answer, INODE_AT).ok_or_else(short)?);
        Ok((state != LISTEN).then_some(inode))
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

fn netlink() -> io::Result<OwnedFd> {
    let protocol = NonZeroU32::new(SOCK_DIAG).map(Protocol::from_raw);
    Ok(rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        protocol,
    )?)
}

/// Processes with a kubelet's name in the network namespace of process 1: one in a container of its
/// own is none.
fn find_kubelets() -> Vec<i32> {
    let network = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let nodes = network(1);
    let names: HashSet<&str> = KUBELETS.into();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            names.contains(name.trim_end()) && network(*pid) == nodes
        })
        .collect()
}

fn has_socket(pid: i32, inode: u32) -> bool {
    let wanted = format!("socket:[{inode}]");
    let entries = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut entries = entries.into_iter().flatten().flatten();
    entries.any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == &wanted[..]))
}

/// The errno of an answer that is an error.
fn error(answer: &[u8]) -> io::Result<Option<i32>> {
    let kind = u16::from_ne_bytes(take(answer, 4).ok_or_else(short)?);
    if kind != ERROR {
        return Ok(None);
    }
    Ok(Some(-i32::from_ne_bytes(
        take(answer, HEADER).ok_or_else(short)?,
    )))
}

fn short() -> io::Error {
    io::Error::other("the kernel's answer about a socket is too short")
}

fn question(local: SocketAddr, peer: SocketAddr, flags: u16, states: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + QUESTION);
    bytes.extend(((HEADER + QUESTION) as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    let family = match local {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    bytes.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(peer.port().to_be_bytes());
    bytes.extend(address(local.ip()));
    bytes.extend(address(peer.ip()));
    bytes.extend([0; 4]);
    // INET_DIAG_NOCOOKIE: whatever socket it is.
    bytes.extend([0xff; 8]);
    bytes
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_end_of_a_connection_is_found_with_its_process_until_it_is_closed() {
        let node = Node::with(netlink().unwrap()).unwrap();
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
