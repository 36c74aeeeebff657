//! `bind(2)`: the port that was asked for if it is free on this machine, else another one, and
//! the program is told the one that it asked for.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use mirrord_net::{
    peers::{self, PeerTable},
    sockets::{self, Transport},
};
use mirrord_protocol::control::AddressPair;
use rustix::{io::Errno, net::sockopt};

use super::{
    State,
    address::{self, Address, canonical, fails},
    lock,
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Outcome, Plan},
    tracee::Tracee,
};

/// A port of the pod, by family, that a program of this session wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    kind: bool,
    ipv6: bool,
    port: u16,
}

/// The socket that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) cookie: u64,
    at: SocketAddr,
}

pub(super) fn plan(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, address, length, ..] = call.args;
    let Some(Address::Inet(asked)) = address::read(tracee, address, length) else {
        return Plan::Continue;
    };
    let Some(socket) = Socket::of(tracee, fd) else {
        return Plan::Continue;
    };
    if socket.kind == Kind::Unix || socket.ipv6 != asked.is_ipv6() {
        return Plan::Continue;
    }
    match state.bind(&socket, asked) {
        Ok(()) => Plan::Done(Outcome::number(0)),
        Err(errno) => fails(errno),
    }
}

impl State {
    pub(super) fn bind(&self, socket: &Socket, asked: SocketAddr) -> Result<(), Errno> {
        // `listen_ports` says which port of this machine it shall be.
        let wanted = match self.rules.get().incoming(asked).listen_port {
            Some(port) if socket.kind == Kind::Tcp => SocketAddr::new(asked.ip(), port),
            _ => asked,
        };
        match bind(socket, wanted) {
            Ok(()) => return self.bound(socket, asked),
            Err(Errno::ADDRINUSE) if asked.port() == 0 => return Err(Errno::ADDRINUSE),
            // Taken on this machine, not ours to take, or an address of the pod.
            Err(Errno::ADDRINUSE | Errno::ACCESS | Errno::PERM | Errno::ADDRNOTAVAIL) => {}
            Err(errno) => return Err(errno),
        }
        if let Some(other) = self.holder(socket, asked) {
            // A sibling of this program has the port, here as it would have in the pod.
            if !sockopt::socket_reuseport(socket).unwrap_or(false) {
                return Err(Errno::ADDRINUSE);
            }
            bind(socket, other.at)?;
            return self.bound(socket, asked);
        }
        // First the same port at an address that is ours, then any port.
        let here = match canonical(wanted).ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => wanted.ip(),
            IpAddr::V4(_) if socket.ipv6 => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        if here != wanted.ip() && bind(socket, SocketAddr::new(here, wanted.port())).is_ok() {
            return self.bound(socket, asked);
        }
        match bind(socket, SocketAddr::new(here, 0)) {
            Ok(()) => self.bound(socket, asked),
            // A machine without an IPv6 loopback: any address will do.
            Err(Errno::ADDRNOTAVAIL) => {
                bind(socket, SocketAddr::new(socket.any(), 0))?;
                self.bound(socket, asked)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Remembers what was asked for. Also when it was got: a port's former entry must go.
    fn bound(&self, socket: &Socket, asked: SocketAddr) -> Result<(), Errno> {
        let at = socket.local()?;
        let cookie = socket.cookie()?;
        if asked.port() != 0 {
            lock(&self.asked).insert(Asked::of(socket, asked), Bound { cookie, at });
        }
        let wanted_any = asked.port() == 0;
        let port = if wanted_any { at.port() } else { asked.port() };
        let pair = AddressPair {
            client: SocketAddr::new(asked.ip(), port),
            server: at,
        };
        let kind = match socket.kind {
            Kind::Udp => peers::Kind::BoundUdp,
            Kind::Tcp | Kind::Unix => peers::Kind::Bound,
        };
        let tag = tag(cookie, wanted_any);
        self.peers.enter(kind, key(socket, at), pair, tag);
        Ok(())
    }

    /// The socket of this session that has a port, if it is still there.
    fn holder(&self, socket: &Socket, asked: SocketAddr) -> Option<Bound> {
        let key = Asked::of(socket, asked);
        let bound = *lock(&self.asked).get(&key)?;
        let transport = match socket.kind {
            Kind::Udp => Transport::Udp,
            Kind::Tcp | Kind::Unix => Transport::Tcp,
        };
        let nobody = SocketAddr::new(socket.any(), 0);
        let found = sockets::find(transport, as_peer_names_it(bound.at), nobody);
        match found {
            // Of several that share a port the kernel names any.
            Ok(Some(found))
                if found.cookie == bound.cookie
                    || sockopt::socket_reuseport(socket).unwrap_or(false) =>
            {
                Some(bound)
            }
            Ok(_) | Err(_) => {
                lock(&self.asked).remove(&key);
                None
            }
        }
    }

    /// Where a listener of this session really is that asked for the port of `to` and got
    /// another one.
    pub(super) fn moved(&self, socket: &Socket, to: SocketAddr) -> Option<SocketAddr> {
        if !address::is_this_host(to) {
            return None;
        }
        let asked = |ipv6| Asked {
            kind: true,
            ipv6,
            port: to.port(),
        };
        let table = lock(&self.asked);
        let bound = *table
            .get(&asked(canonical(to).is_ipv6()))
            .or_else(|| table.get(&asked(true)))?;
        drop(table);
        if bound.at.port() == to.port() {
            return None;
        }
        let at = SocketAddr::new(to.ip(), bound.at.port());
        let mut served = canonical(at);
        if served.ip().is_unspecified() {
            served.set_ip(if served.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        let alive = sockets::is_served(Transport::Tcp, served).unwrap_or(false);
        (alive && socket.kind == Kind::Tcp).then_some(at)
    }

    /// What a bound or listening socket, or one accepted here, is to show as its own address.
    pub(super) fn asked_for(&self, socket: &Socket, local: SocketAddr) -> Option<SocketAddr> {
        if socket.kind != Kind::Tcp {
            return None;
        }
        let pair = self.peers.find(peers::Kind::Bound, key(socket, local))?;
        // Where it got what it asked for the kernel's answer is right, and knows the address
        // that an accepted connection came to.
        let same = pair.client.port() == local.port()
            && (pair.client.ip() == local.ip() || canonical(pair.client).ip().is_unspecified());
        if same {
            return None;
        }
        if socket.peer().is_some() && pair.client.ip().is_unspecified() {
            return Some(SocketAddr::new(local.ip(), pair.client.port()));
        }
        Some(pair.client)
    }

    /// Whether the kernel was left to choose the port of a listening socket.
    pub(super) fn was_port_zero(&self, socket: &Socket, local: SocketAddr) -> bool {
        let asked = self.asked_address(socket, local);
        !lock(&self.asked).contains_key(&Asked::of(socket, asked))
    }

    /// The address that a listening socket asked for.
    pub(super) fn asked_address(&self, socket: &Socket, local: SocketAddr) -> SocketAddr {
        let pair = self.peers.find(peers::Kind::Bound, key(socket, local));
        pair.map_or(local, |pair| pair.client)
    }
}

impl Asked {
    pub(super) fn of(socket: &Socket, asked: SocketAddr) -> Asked {
        Asked {
            kind: socket.kind == Kind::Tcp,
            ipv6: canonical(asked).is_ipv6(),
            port: asked.port(),
        }
    }
}

/// The ports that were asked for of a worker before this one: they are in the shared table.
pub(super) fn asked_before(peers: &PeerTable) -> std::io::Result<HashMap<Asked, Bound>> {
    let mut known = HashMap::new();
    for (tcp, kind) in [(true, peers::Kind::Bound), (false, peers::Kind::BoundUdp)] {
        let entries = peers.all(kind)?.into_iter();
        let asked = entries.filter(|(_, tag)| tag & ANY_PORT == 0);
        known.extend(asked.map(|(pair, cookie)| {
            let asked = Asked {
                kind: tcp,
                ipv6: canonical(pair.client).is_ipv6(),
                port: pair.client.port(),
            };
            let at = pair.server;
            (asked, Bound { cookie, at })
        }));
    }
    Ok(known)
}

/// In the tag of an entry: the kernel was left to choose the port. Cookies count up from one.
const ANY_PORT: u64 = 1 << 63;

/// The tag of a bound socket's entry.
pub(super) fn tag(cookie: u64, any_port: bool) -> u64 {
    if any_port { cookie | ANY_PORT } else { cookie }
}

/// The table has one place for each family and port; an IPv6 socket's is the IPv6 one, also when
/// an accepted connection's address is mapped.
pub(super) fn key(socket: &Socket, local: SocketAddr) -> SocketAddr {
    let ip: IpAddr = if socket.ipv6 {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    SocketAddr::new(ip, local.port())
}

/// A local address as a peer on this machine would name it.
pub(super) fn as_peer_names_it(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

fn bind(socket: &Socket, address: SocketAddr) -> Result<(), Errno> {
    rustix::net::bind(socket, &address)
}
