//! Between the processes of one session on this machine (session ⇄ supervisor), over a
//! `SOCK_SEQPACKET` Unix socket: one message a packet.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::event::EventKind;

/// Number of a question, chosen by the supervisor.
pub type Ticket = u64;

/// Transport of an outgoing socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outgoing {
    /// TCP to an address in the pod's network.
    Tcp(SocketAddr),
    /// UDP; one relay stands for one destination of one program socket.
    Udp {
        /// The peer in the pod's network.
        to: SocketAddr,
        /// The program's socket (`SO_COOKIE`): all destinations of an unconnected one share one
        /// socket in the pod, so that its peers see one source port.
        socket: u64,
        /// Its loopback address; the relay takes datagrams from there only.
        program: SocketAddr,
        /// `connect(2)`: the pod's socket is connected too, so that errors come back.
        connected: bool,
        /// Answer only when the pod's socket stands. Otherwise at once, with no `local` address.
        wait: bool,
    },
    /// UDP to a name server: one relay for all sockets of the session, answered at once. It takes
    /// datagrams of sockets that are in the table of addresses as its clients only.
    NameServer(SocketAddr),
    /// A Unix stream socket below the pod's root.
    Unix(Vec<u8>),
}

/// Supervisor → session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromSupervisor {
    /// Connect in the pod; answered by [`ToSupervisor::Connected`].
    Connect {
        /// Matches the answer.
        ticket: Ticket,
        /// Where to.
        to: Outgoing,
        /// Which loopback the program's socket can be connected to.
        loopback: Loopback,
        /// The program must not wait: answer [`ToSupervisor::Connecting`] at once with an
        /// address whose connection stays pending until the pod's stands.
        nonblocking: bool,
    },
    /// The program's end of a relay: its own local address after it was connected to `via`.
    Joined {
        /// Which connect.
        ticket: Ticket,
        /// The program's loopback address.
        program: SocketAddr,
    },
    /// The caller of a blocking connect does not wait any more, the connect goes on: from now on
    /// as one that did not wait from the start ([`ToSupervisor::Connecting`] comes, unless the end
    /// is on its way).
    Detach {
        /// Which connect.
        ticket: Ticket,
    },
    /// Nobody waits for this ticket any more.
    Abandon {
        /// Which.
        ticket: Ticket,
    },
    /// The program listens; answered by [`ToSupervisor::Listening`].
    Listen {
        /// Matches the answer.
        ticket: Ticket,
        /// Thread that called.
        pid: i32,
        /// Address the program asked for in `bind(2)`.
        asked: SocketAddr,
        /// Address it was really bound to on this machine.
        bound: SocketAddr,
    },
    /// A name that a filter speaks of; answered by [`ToSupervisor::Resolved`].
    Resolve {
        /// Matches the answer.
        ticket: Ticket,
        /// The name.
        name: String,
        /// By this machine's resolver too, not by the pod's only.
        here_too: bool,
    },
    /// Something to tell the user; bounded, so some may be missing.
    Event(#[serde(with = "as_json")] EventKind),
    /// Events that were thrown away since the last one.
    EventsDropped(u64),
    /// The last supervised process is gone.
    Idle,
    /// The answer to [`ToSupervisor::Rules`]: every decision from now on is made by them, or why
    /// not.
    RulesInForce {
        /// The order's number.
        number: u64,
        /// What went wrong, for the user.
        result: Result<(), String>,
    },
}

/// Events are tagged for JSON readers (`"kind": …`), a form that postcard cannot read back, so
/// they travel as the JSON text that they end as anyway.
mod as_json {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use crate::event::EventKind;

    pub fn serialize<S: Serializer>(event: &EventKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(event).map_err(ser::Error::custom)?)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventKind, D::Error> {
        serde_json::from_str(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The loopback a relay must listen on, by the program's socket family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Loopback {
    /// 127.0.0.1
    V4,
    /// `[::1]`, for IPv6 sockets that are IPv6 only or call IPv6 addresses
    V6,
    /// `[::ffff:127.0.0.1]`, for IPv6 sockets that call IPv4-mapped addresses
    Mapped,
}

/// Session → supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToSupervisor {
    /// The pod's connection stands (or not); connect the program's socket to `via`.
    Connected {
        /// Which connect.
        ticket: Ticket,
        /// Addresses, or the errno the program sees.
        result: Result<Relay, i32>,
    },
    /// The answer to a non-blocking connect: connect to `via`, it stays pending. The end comes
    /// later as [`ToSupervisor::Connected`] with the same ticket, for the address table.
    Connecting {
        /// Which connect.
        ticket: Ticket,
        /// Loopback address to connect the program's socket to.
        via: SocketAddr,
    },
    /// The pod's port was taken (or not).
    Listening {
        /// Which listen.
        ticket: Ticket,
        /// `Ok`: how, for the event; `Err`: why not. The program's `listen` succeeds either way.
        result: Result<String, String>,
    },
    /// What a name resolves to.
    Resolved {
        /// Which question.
        ticket: Ticket,
        /// The addresses; or what is wrong, for the user.
        result: Result<Vec<std::net::IpAddr>, String>,
    },
    /// The peer of a connected UDP socket refuses datagrams (ICMP in the pod): the socket is to
    /// show it, as it would there.
    Refused {
        /// `SO_COOKIE` of the program's socket.
        socket: u64,
    },
    /// The program ended. Answered by [`FromSupervisor::Idle`] when nothing is supervised, which a
    /// program that ended before it was supervised would else never bring about.
    ProgramEnded,
    /// End: stop the supervised processes with this reason, then exit.
    End {
        /// For the user.
        reason: String,
        /// How long they have to end by themselves.
        grace_ms: u64,
    },
    /// Decide by other rules, which are in the file of rules that the supervisor inherited.
    Rules {
        /// Chosen by the session; the answer repeats it.
        number: u64,
        /// Where they begin in the file.
        offset: u64,
        /// How long they are.
        len: u32,
    },
    /// Which decisions are wanted as events from now on.
    Report {
        /// Those that lead to the pod, or nowhere.
        remote: bool,
        /// Those that stay here too: the layer asks about every call then.
        local: bool,
    },
}

impl ToSupervisor {
    /// The end, with the time that programs usually get.
    pub fn end(reason: impl Into<String>) -> Self {
        ToSupervisor::End {
            reason: reason.into(),
            grace_ms: 2_000,
        }
    }
}

/// Addresses of a relayed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// Loopback address that the program's socket is connected to.
    pub via: SocketAddr,
    /// What `getsockname(2)` shall say: the pod's end. `None` for Unix sockets.
    pub local: Option<SocketAddr>,
    /// What `getpeername(2)` shall say.
    pub peer: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn events_survive_the_way_to_the_session() {
        let event = EventKind::Notice {
            level: "warn".into(),
            text: "so \"it\" is".into(),
        };
        let message = FromSupervisor::Event(event);
        let bytes = codec::encode(&message).unwrap();
        assert_eq!(codec::decode::<FromSupervisor>(&bytes).unwrap(), message);
    }
}
