//! Everything that can go wrong with a link, in words for the person who runs the session.

use std::{io, time::Duration};

use mirrord_protocol::{codec::CodecError, hello::VersionRange};

use crate::{Endpoint, Fingerprint};

/// A link that could not be made, or that ended other than by a clean close.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nobody answers at the endpoint.
    #[error("could not connect to the agent at {endpoint}: {source} (is the agent still running?)")]
    Connect {
        /// What was dialled.
        endpoint: Endpoint,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no agent now, but one will come.
    #[error("the agent is being replaced: {what}")]
    Coming {
        /// What is being done.
        what: String,
    },
    /// There will be no agent any more.
    #[error("{reason}")]
    Gone {
        /// Why.
        reason: String,
    },
    /// A step of the hello took too long.
    #[error(
        "{what} took longer than {after:?}; the other side hangs, or the network drops packets"
    )]
    Timeout {
        /// The step.
        what: &'static str,
        /// Its limit.
        after: Duration,
    },
    /// The agent answered, and said no.
    #[error("the agent refused the link: {reason}")]
    Refused {
        /// The agent's words.
        reason: String,
    },
    /// Whoever listens there has not the key that the agent printed when it started.
    #[error(
        "what listens at {endpoint} is not the agent that was started (it could not prove the key \
         {expected}); another process may have taken the address, so nothing was sent to it"
    )]
    WrongAgent {
        /// What was dialled.
        endpoint: Endpoint,
        /// The fingerprint the agent printed.
        expected: Fingerprint,
    },
    /// Whoever called has not the session's key.
    #[error("a caller could not prove that it is the session this agent was started for; refused")]
    WrongSession,
    /// A hello that was heard before.
    #[error("a hello was replayed; refused")]
    Replayed,
    /// So many links were made that replays could no longer be told apart.
    #[error("this agent has accepted its {limit} links; start another agent")]
    TooManyHellos {
        /// The bound of the memory for nonces.
        limit: usize,
    },
    /// No protocol version that both speak.
    #[error(
        "the session speaks protocol versions {} to {}, the agent {} to {}; use the same release on both sides",
        session.min, session.max, agent.min, agent.max
    )]
    Version {
        /// The session's range.
        session: VersionRange,
        /// The agent's range.
        agent: VersionRange,
    },
    /// The peer does not speak this protocol.
    #[error("the hello was not understood: {what} (is something else listening there?)")]
    BadHello {
        /// What was wrong.
        what: String,
    },
    /// Nothing was heard for too long.
    #[error("nothing was heard from the other side for {after:?}; it hangs or is unreachable")]
    Dead {
        /// How long.
        after: Duration,
    },
    /// The other side ended the link on purpose.
    #[error("the other side closed the link: {reason}")]
    Closed {
        /// Its words.
        reason: String,
    },
    /// The connection broke.
    #[error("the link broke: {0}")]
    Broken(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    /// The multiplexer gave up.
    #[error("the streams of the link broke: {0}")]
    Streams(#[source] Box<yamux::ConnectionError>),
    /// A message that is none of ours.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The system refused something local.
    #[error("could not {what}: {source}")]
    Local {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl LinkError {
    /// Whether the same attempt may succeed later: what lies between the two sides may come back,
    /// a proof that was refused does not get better.
    pub fn may_pass(&self) -> bool {
        match self {
            LinkError::Connect { .. }
            | LinkError::Coming { .. }
            | LinkError::Timeout { .. }
            | LinkError::Dead { .. }
            | LinkError::Closed { .. }
            | LinkError::Broken(_)
            | LinkError::Streams(_)
            // A forwarder without its other end accepts and hangs up: no hello at all.
            | LinkError::BadHello { .. }
            // Descriptors run out and are there again.
            | LinkError::Local { .. } => true,
            LinkError::Refused { .. }
            | LinkError::Gone { .. }
            | LinkError::WrongAgent { .. }
            | LinkError::WrongSession
            | LinkError::Replayed
            | LinkError::TooManyHellos { .. }
            | LinkError::Version { .. }
            | LinkError::Codec(_) => false,
        }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for LinkError {
    fn from(source: tokio_tungstenite::tungstenite::Error) -> Self {
        LinkError::Broken(Box::new(source))
    }
}
