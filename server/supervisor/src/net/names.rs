//! `getsockname(2)` and `getpeername(2)`: the addresses that stand behind a socket.

use std::{net::SocketAddr, sync::Arc};

use mirrord_net::peers::{self, tag_fits};

use super::{
    State,
    address::{Room, bytes_of, fails, unix_bytes},
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Outcome, Plan},
    tracee::Tracee,
};

/// Which end is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `getsockname`
    Own,
    /// `getpeername`
    Peer,
}

pub(super) fn plan(state: &Arc<State>, call: &Call, tracee: &Tracee, end: End) -> Plan {
    let [fd, address, length, ..] = call.args;
    let Ok(fd) = tracee.dup_fd(fd as i32) else {
        return Plan::Continue;
    };
    let bytes = match (Socket::from_fd(fd), end) {
        (None, _) => return Plan::Continue,
        (Some(socket), End::Peer) if socket.kind == Kind::Unix => {
            state.unix_peer(&socket).map(|name| unix_bytes(&name))
        }
        (Some(socket), _) if socket.kind == Kind::Unix => None,
        (Some(socket), _) => state
            .behind(&socket, end)
            .map(|address| bytes_of(address, socket.ipv6)),
    };
    let Some(bytes) = bytes else {
        return Plan::Continue;
    };
    match Room::read(tracee, address, length) {
        Ok(room) => Plan::Done(room.fill(Outcome::number(0), bytes)),
        Err(errno) => fails(errno),
    }
}

impl State {
    /// What the program is to see; `None`: what the kernel says.
    fn behind(&self, socket: &Socket, end: End) -> Option<SocketAddr> {
        let local = socket.local().ok()?;
        let Some(via) = socket.peer() else {
            return match end {
                End::Own => self.asked_for(socket, local),
                End::Peer => None,
            };
        };
        let ours = |kind| {
            let (addresses, tag) = self.peers.find_tagged(kind, local)?;
            tag_fits(tag, via).then_some(addresses)
        };
        let addresses = match socket.kind {
            // An outgoing connection: the program's end is entered.
            Kind::Tcp => ours(peers::Kind::Tcp)
                .map(|pair| (pair.client, pair.server))
                // A stolen one: the session's end is.
                .or_else(|| {
                    self.peers
                        .lookup(via)
                        .map(|pair| (pair.server, pair.client))
                }),
            Kind::Udp => {
                let relay = self.peers.find(peers::Kind::UdpRelay, via)?;
                // Users of a shared relay have one address in the pod, and their own ports.
                let shared = (!relay.client.ip().is_unspecified())
                    .then(|| SocketAddr::new(relay.client.ip(), local.port()));
                let own = ours(peers::Kind::UdpProgram).map(|pair| pair.client);
                Some((own.or(shared).unwrap_or(local), relay.server))
            }
            Kind::Unix => None,
        };
        match (addresses, end) {
            (Some((own, _)), End::Own) => Some(own),
            (Some((_, peer)), End::Peer) => Some(peer),
            (None, End::Own) => self.asked_for(socket, local),
            (None, End::Peer) => None,
        }
    }
}
