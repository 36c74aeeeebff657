//! Stealing by a BPF socket look-up program (kernel 5.9): no packet filter, no address
//! translation, no connection tracking, true addresses on both ends.
//!
//! The kernel holds the program by a link that only this process has open, so the pod's own
//! program gets its new connections again the moment this process is gone, by whatever cause.
//! Connections that were there before are found by the kernel before it asks, and stay with the
//! pod. A port that nobody listens on in the pod can be taken too.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use mirrord_protocol::control::AddressPair;
use tokio::net::TcpStream;

use super::listeners::Listeners;
use super::taker::{Exemption, PortTaker};

mod bpf;
mod program;

use bpf::{Map, MapKind};

/// One session's level in the chain of sessions on a target; see [`program::assemble`].
const LEVEL: u32 = 1;
/// Passed-on connections at one time, and ports; both are far above what a pod has in use.
const PASSED_ON_MAX: u32 = 65_536;
const PORTS_MAX: u32 = 1024;

/// Steals ports of the network namespace that the process is in.
pub(crate) struct SkLookup {
    ports: Map,
    passed_on: Arc<Map>,
    _listeners: Map,
    // The kernel detaches the program when this closes.
    _link: OwnedFd,
}

impl SkLookup {
    /// Attaches the program, with no port taken yet.
    pub(crate) fn attach(listeners: &Listeners) -> io::Result<SkLookup> {
        let ports = Map::create(MapKind::Hash, 4, 4, PORTS_MAX)?;
        let sockets = Map::create(MapKind::Sockets, 4, 8, 2)?;
        let passed_on = Map::create(MapKind::Hash, program::SOURCE_KEY_SIZE, 4, PASSED_ON_MAX)?;
        for (index, listener) in [(0u32, &listeners.v4), (1, &listeners.v6)] {
            if let Some(listener) = listener {
                let socket = listener.as_fd().as_raw_fd() as u64;
                sockets.update(&index.to_ne_bytes(), &socket.to_ne_bytes())?;
            }
        }
        let maps = program::Maps {
            ports: ports.number(),
            listeners: sockets.number(),
            passed_on: passed_on.number(),
        };
        let program = bpf::load(&program::assemble(maps, LEVEL))?;
        // The calling thread's namespace, for a process may have threads in several.
        let namespace = File::open("/proc/thread-self/ns/net")?;
        Ok(SkLookup {
            ports,
            passed_on: Arc::new(passed_on),
            _listeners: sockets,
            _link: bpf::attach(program.as_fd(), namespace.as_fd())?,
        })
    }
}

impl PortTaker for SkLookup {
    fn name(&self) -> &'static str {
        "sk_lookup"
    }

    fn take(&self, port: u16) -> io::Result<()> {
        // Whole ports are assigned without replacing: a session with a filter goes first.
        self.ports
            .update(&u32::from(port).to_ne_bytes(), &0u32.to_ne_bytes())
    }

    fn give_back(&self, port: u16) -> io::Result<()> {
        self.ports.delete(&u32::from(port).to_ne_bytes())
    }

    fn addresses(&self, connection: &TcpStream) -> io::Result<AddressPair> {
        Ok(AddressPair {
            client: connection.peer_addr()?,
            server: connection.local_addr()?,
        })
    }

    fn exempt(&self, _socket: BorrowedFd<'_>, source: SocketAddr) -> io::Result<Exemption> {
        let key = program::source_key(source);
        self.passed_on.update(&key, &LEVEL.to_ne_bytes())?;
        Ok(Exemption::until_dropped(PassedOn {
            map: self.passed_on.clone(),
            key,
        }))
    }
}

/// An entry of the passed-on map, removed when its connection is over: the same source port may
/// be a true client's next.
struct PassedOn {
    map: Arc<Map>,
    key: [u8; program::SOURCE_KEY_SIZE],
}

impl Drop for PassedOn {
    fn drop(&mut self) {
        if let Err(error) = self.map.delete(&self.key) {
            tracing::warn!("could not remove a passed-on connection from its map: {error}");
        }
    }
}
