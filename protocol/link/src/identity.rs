//! Who may speak: the session's key, the agent's key, and what each of them signs.
//!
//! A session's proof covers the agent's fingerprint, so it cannot be used with another agent; an
//! agent's proof covers the session's whole hello with its nonce, so it cannot be used twice.

use std::{
    collections::HashSet,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use mirrord_protocol::{
    codec::{self, CodecError},
    hello::VersionRange,
};
use serde::{Deserialize, Serialize};

use crate::{LinkError, hex};

/// An agent makes at most this many links; after them it refuses rather than forget a nonce.
const MAX_HELLOS: usize = 65_536;

/// A peer that says nothing for this long holds no socket of ours.
pub(crate) const HELLO_LIMIT: Duration = Duration::from_secs(10);

/// An agent's public key, printed by the agent and read by the session over another channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

/// What a session proves itself with, and which agent it expects.
///
/// No `Debug`: it holds a secret key.
#[derive(Clone)]
pub struct SessionIdentity {
    /// The session's id, the same on all its links.
    pub session: String,
    /// The session's secret key.
    pub key: SigningKey,
    /// The agent that was started for it.
    pub agent: Fingerprint,
}

/// What an agent proves itself with, and which session it serves.
#[derive(Clone)]
pub struct AgentIdentity {
    key: SigningKey,
    session: Arc<Mutex<VerifyingKey>>,
    versions: VersionRange,
    /// The agent's own version, for messages.
    pub(crate) agent_version: String,
    nonces: Arc<Mutex<HashSet<[u8; 32]>>>,
    /// How long a caller may take for its hello.
    pub(crate) hello_limit: Duration,
    /// How long a session that was lost is waited for.
    pub(crate) grace: Duration,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let what = || LinkError::BadHello {
            what: format!("`{text}` is not a fingerprint"),
        };
        hex::decode_key(text).map(Fingerprint).ok_or_else(what)
    }
}

impl SessionIdentity {
    /// A fresh secret key. Its public half is given to the agent when it is started:
    /// `--session-key` and [`SessionIdentity::public_hex`].
    pub fn new_key() -> Result<SigningKey, LinkError> {
        random_key().map(|bytes| SigningKey::from_bytes(&bytes))
    }

    /// A public key as `--session-key` takes it.
    pub fn public_hex(key: &SigningKey) -> String {
        hex::encode(key.verifying_key().as_bytes())
    }

    /// Everything, the secret key included, for another process of the same session. Never write
    /// it anywhere but into an inherited socket.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        codec::encode(&(&self.session, self.key.to_bytes(), self.agent))
    }

    /// What [`SessionIdentity::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let (session, key, agent) = codec::decode::<(String, [u8; 32], Fingerprint)>(bytes)?;
        Ok(SessionIdentity {
            session,
            key: SigningKey::from_bytes(&key),
            agent,
        })
    }

    /// The proof for one hello.
    pub(crate) fn prove(&self, hello: &[u8]) -> Signature {
        self.key.sign(&session_transcript(self.agent, hello))
    }

    /// Whether the agent that answered holds the expected key.
    pub(crate) fn verify_agent(&self, hello: &[u8], answer: &[u8], proof: &[u8]) -> bool {
        let transcript = agent_transcript(&self.key.verifying_key(), hello, answer);
        verify(&self.agent.0, &transcript, proof)
    }
}

impl AgentIdentity {
    /// A new key for an agent that serves the session with this public key (in hexadecimal).
    pub fn new(session_public: &str, agent_version: &str) -> Result<Self, LinkError> {
        Ok(AgentIdentity {
            key: SigningKey::from_bytes(&random_key()?),
            session: Arc::new(Mutex::new(session_key(session_public)?)),
            versions: mirrord_protocol::VERSION,
            agent_version: agent_version.to_owned(),
            nonces: Arc::default(),
            hello_limit: HELLO_LIMIT,
            grace: Duration::ZERO,
        })
    }

    /// Serves the session with this public key from now on, and no other; also for the clones.
    pub fn rekey(&self, session_public: &str) -> Result<(), LinkError> {
        let key = session_key(session_public)?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    fn session(&self) -> VerifyingKey {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same agent, speaking other versions (for tests of the negotiation).
    #[must_use]
    pub fn with_versions(mut self, versions: VersionRange) -> Self {
        self.versions = versions;
        self
    }

    /// The same agent with more or less patience for a caller's hello.
    #[must_use]
    pub fn with_hello_limit(mut self, limit: Duration) -> Self {
        self.hello_limit = limit;
        self
    }

    /// The same agent, telling its session that it waits so long for it when the link was lost.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What the agent prints.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.key.verifying_key().to_bytes())
    }

    /// Versions this agent speaks.
    pub(crate) fn versions(&self) -> VersionRange {
        self.versions
    }

    /// Whether the caller holds the session's key and meant this agent.
    pub(crate) fn verify_session(&self, hello: &[u8], proof: &[u8]) -> bool {
        verify(
            self.session().as_bytes(),
            &session_transcript(self.fingerprint(), hello),
            proof,
        )
    }

    /// The proof for one answer.
    pub(crate) fn prove(&self, hello: &[u8], answer: &[u8]) -> Signature {
        self.key
            .sign(&agent_transcript(&self.session(), hello, answer))
    }

    /// Remembers a nonce for as long as the agent lives; each is good once.
    pub(crate) fn use_nonce(&self, nonce: [u8; 32]) -> Result<(), LinkError> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.contains(&nonce) {
            return Err(LinkError::Replayed);
        }
        if nonces.len() >= MAX_HELLOS {
            return Err(LinkError::TooManyHellos { limit: MAX_HELLOS });
        }
        nonces.insert(nonce);
        Ok(())
    }
}

/// A session's public key from its text.
fn session_key(text: &str) -> Result<VerifyingKey, LinkError> {
    let bad = || LinkError::BadHello {
        what: format!("`{text}` is not a session's public key (64 hex digits)"),
    };
    let bytes = hex::decode_key(text).ok_or_else(bad)?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| bad())
}

/// 32 bytes from the kernel.
pub(crate) fn random_key() -> Result<[u8; 32], LinkError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| LinkError::Local {
        what: "get random bytes from the kernel (getrandom(2))",
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

fn verify(key: &[u8; 32], transcript: &[u8], proof: &[u8]) -> bool {
    let (Ok(key), Ok(proof)) = (VerifyingKey::from_bytes(key), Signature::from_slice(proof)) else {
        return false;
    };
    key.verify_strict(transcript, &proof).is_ok()
}

// A different first line for each side, so that no proof can be passed off as the other's; what
// has no fixed size is preceded by its length, so that no two inputs give the same bytes.
fn session_transcript(agent: Fingerprint, hello: &[u8]) -> Vec<u8> {
    let mut text = b"mirrord-server link: session to agent, form 1\n".to_vec();
    text.extend_from_slice(&agent.0);
    push_sized(&mut text, hello);
    text
}

fn agent_transcript(session: &VerifyingKey, hello: &[u8], answer: &[u8]) -> Vec<u8> {
    let mut text = b"mirrord-server link: agent to session, form 1\n".to_vec();
    text.extend_from_slice(session.as_bytes());
    push_sized(&mut text, hello);
    push_sized(&mut text, answer);
    text
}

fn push_sized(text: &mut Vec<u8>, part: &[u8]) {
    text.extend_from_slice(&(part.len() as u64).to_le_bytes());
    text.extend_from_slice(part);
}
