//! The first words on a link: who speaks, which version, what for, and the proof of a key.
//!
//! Both sides hold an Ed25519 key made for this session: the session's public key is given to
//! the agent when it is started, the agent's fingerprint is read from the first line it prints.
//! The session's hello rides in the WebSocket upgrade request and the agent's in the answer, so a
//! link costs one round trip after its TCP connection. A replayed hello is refused: the agent
//! remembers the nonces it has seen, and its key is new with each start.

use serde::{Deserialize, Serialize};

/// Feature of a session that asks name servers ahead ([`Datagram::Ask`](crate::streams::Datagram)),
/// and of an agent that does it for those.
pub const LOOK_AHEAD: &str = "dns-look-ahead";

/// Inclusive range of protocol versions a side can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// Oldest version understood.
    pub min: u16,
    /// Newest version understood; the highest common one is used.
    pub max: u16,
}

impl VersionRange {
    /// The highest version both ranges hold, or `None` when they do not overlap.
    pub fn common(self, other: VersionRange) -> Option<u16> {
        let best = self.max.min(other.max);
        (best >= self.min && best >= other.min).then_some(best)
    }
}

/// What a WebSocket of a session carries. Control, bulk and file calls ride apart, so that a
/// `stat` or a ping never waits behind a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// [`crate::control`] messages, one a WebSocket message.
    Control,
    /// `yamux` streams, each opened with a [`crate::streams::StreamHeader`].
    Streams,
    /// [`crate::files`] calls about names and attributes, one a WebSocket message.
    Files,
    /// [`crate::files`] calls that move content, one a WebSocket message.
    FileContent,
}

/// What the session says in the upgrade request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHello {
    /// Versions the session speaks.
    pub versions: VersionRange,
    /// Names of optional abilities; an unknown one is ignored.
    pub features: Vec<String>,
    /// The session's id, the same on all its links.
    pub session: String,
    /// What this WebSocket is for.
    pub purpose: Purpose,
    /// Fresh random bytes; never accepted twice.
    pub nonce: [u8; 32],
}

/// What the agent says in the upgrade answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHello {
    /// The version both will use.
    pub version: u16,
    /// Names of optional abilities; an unknown one is ignored.
    pub features: Vec<String>,
    /// The agent's own version, for messages.
    pub agent_version: String,
    /// How long the agent waits for the session when its control link was lost, in milliseconds;
    /// zero: it ends with the link.
    pub grace_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_version_is_the_highest_shared() {
        let r = |min, max| VersionRange { min, max };
        assert_eq!(r(1, 3).common(r(2, 5)), Some(3));
        assert_eq!(r(1, 1).common(r(2, 5)), None);
        assert_eq!(r(4, 6).common(r(1, 5)), Some(5));
    }
}
