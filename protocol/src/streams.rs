//! What stands at the front of each `yamux` stream of the streams link.
//!
//! A stream opens with one [`StreamHeader`] (a `u16` little-endian length, then postcard). One
//! [`StreamReply`] comes back in the same form, except for a mirrored connection. Then: raw bytes
//! for TCP and Unix streams, or datagrams as [`Datagram`] frames (same form) for UDP.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::control::{AddressPair, IncomingMode, RemoteError};

/// First bytes of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StreamHeader {
    /// Session → agent: connect a TCP socket in the target's network namespace.
    ConnectTcp {
        /// Where to.
        to: SocketAddr,
    },
    /// Session → agent: connect a Unix stream socket below the target's root.
    ConnectUnix {
        /// Absolute path, or an abstract name that starts with a NUL byte.
        path: Vec<u8>,
    },
    /// Session → agent: a UDP socket in the target's network namespace.
    Udp {
        /// Connected to this peer; `None`: each datagram names its own.
        peer: Option<SocketAddr>,
        /// Address family when there is no peer.
        ipv6: bool,
    },
    /// Agent → session: a client called a subscribed port. The client's bytes follow at once,
    /// before any reply. Stolen: the session replies when the local program accepted, or why it
    /// did not, and then the agent gives the connection, from its first byte, to the pod's own
    /// program. Mirrored: nothing comes back.
    Incoming {
        /// Which subscription.
        subscription: u64,
        /// Steal: bytes both ways. Mirror: only the client's bytes come, answers are dropped.
        mode: IncomingMode,
        /// Real addresses.
        addresses: AddressPair,
    },
}

/// The answer to a header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StreamReply {
    /// The socket stands.
    Connected {
        /// `getsockname(2)` in the pod (unspecified for Unix sockets).
        local: Option<SocketAddr>,
        /// `getpeername(2)` in the pod.
        peer: Option<SocketAddr>,
    },
    /// It does not; the program sees this errno.
    Failed(RemoteError),
}

/// One UDP datagram. An oversized one is answered with an error frame, never cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Datagram {
    /// Payload to or from `peer`.
    Data {
        /// The other end in the pod's network.
        peer: SocketAddr,
        /// The payload.
        payload: Vec<u8>,
    },
    /// An error the program sees at its next call (ICMP port unreachable: ECONNREFUSED).
    Error(RemoteError),
    /// Session → agent, on a socket that is connected to a name server, after
    /// [`Notice::Resolver`](crate::control::Notice::Resolver): a question, and what the program
    /// will ask when there is no such name. While that is the answer, the agent asks the next of
    /// them at once; all answers come back as [`Datagram::Data`].
    Ask {
        /// The program's own datagram.
        question: Vec<u8>,
        /// Whole messages, each to be asked when the one before it knows no such name.
        next: Vec<Vec<u8>>,
    },
}
