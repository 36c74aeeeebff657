//! The control link: few, small messages; answered in any order, matched by `id`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::creds::Creds;

/// Number of a request, chosen by the session, unique on its link.
pub type RequestId = u64;

/// Session → agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToAgent {
    /// A question that is answered by [`FromAgent::Answer`] with the same id.
    Request(RequestId, Request),
    /// Answered by [`FromAgent::Pong`] with the same number.
    Ping(u64),
    /// The session ends the link on purpose; the agent gives everything back and closes.
    Close {
        /// Why, for the agent's log.
        reason: String,
    },
}

/// Questions of the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// The target's environment and facts. The agent also answers it unasked with id 0 as its
    /// first message on the control link, which saves the session a round trip.
    Target,
    /// Take a TCP port of the target.
    Subscribe(Subscribe),
    /// Give a port back.
    Unsubscribe {
        /// The subscription that [`Answer::Subscribed`] named.
        subscription: u64,
    },
    /// The session is over, and another of the same user takes the agent: from now on only the
    /// holder of this key is served. All ports are given back and every link but this one is
    /// ended; the next session must call within a few seconds.
    Rekey {
        /// The next session's public key (64 hex digits).
        session_key: String,
    },
    /// Resolve a name as the target's resolver would (hosts file, search list, name servers).
    Resolve {
        /// The name.
        host: String,
    },
}

/// How incoming connections of a port are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IncomingMode {
    /// The local program answers instead of the pod's.
    Steal,
    /// The pod's program answers; the local one gets a copy of what the client sends.
    Mirror,
}

/// One port to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// TCP port in the target's network namespace, all addresses and families.
    pub port: u16,
    /// Steal or mirror.
    pub mode: IncomingMode,
}

/// Agent → session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromAgent {
    /// The answer to [`ToAgent::Request`].
    Answer(RequestId, Result<Answer, RemoteError>),
    /// The answer to [`ToAgent::Ping`].
    Pong(u64),
    /// Something happened that nobody asked about.
    Notice(Notice),
    /// The agent ends the link on purpose.
    Close {
        /// Why, for the user.
        reason: String,
    },
}

/// Answers of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Target`].
    Target(TargetFacts),
    /// To [`Request::Subscribe`].
    Subscribed {
        /// Number that names the subscription from now on.
        subscription: u64,
        /// How it is done, for the user: `sk_lookup`, `nftables`, `capture`.
        by: String,
    },
    /// To [`Request::Unsubscribe`].
    Unsubscribed,
    /// To [`Request::Rekey`].
    Rekeyed,
    /// To [`Request::Resolve`].
    Resolved(Vec<std::net::IpAddr>),
}

/// What the agent knows of the target from the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// Environment, in its order, as bytes (names and values need not be UTF-8; environ(7)).
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// The target's ids, which every file call is made with.
    pub creds: Creds,
    /// `gethostname(2)` inside the target's UTS namespace.
    pub hostname: String,
    /// Working directory of the target, for information.
    pub working_directory: String,
    /// Domains that short names are looked up in (resolv.conf(5)).
    pub search: Vec<String>,
}

/// Unasked news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// The target's main process ended; the agent will close the link.
    TargetGone,
    /// A subscription ended by itself.
    SubscriptionEnded {
        /// Which.
        subscription: u64,
        /// Why.
        reason: String,
    },
    /// Text for the session's log.
    Log {
        /// `warn` or `info`.
        level: String,
        /// The text.
        text: String,
    },
    /// How the target's programs look names up (resolv.conf(5)); to sessions with the feature
    /// [`LOOK_AHEAD`](crate::hello::LOOK_AHEAD).
    Resolver {
        /// Its name servers.
        servers: Vec<SocketAddr>,
        /// Domains that short names are completed with, in their order.
        search: Vec<String>,
        /// A name with fewer dots is completed before it is asked for as it is.
        ndots: usize,
    },
}

/// An error on the agent's side: an errno where a program will see it, and words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    /// Linux errno number (errno(3)); 0 when none fits.
    pub errno: i32,
    /// What was tried and what went wrong.
    pub message: String,
}

/// An address of a client and of the server it called, as the pod sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPair {
    /// The client's end.
    pub client: SocketAddr,
    /// The address in the pod that it called.
    pub server: SocketAddr,
}
