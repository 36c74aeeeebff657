//! The link between a session and its agent: WebSockets that begin with a mutual proof.
//!
//! A session opens one WebSocket for each [`Purpose`](mirrord_protocol::hello::Purpose), so that
//! control, file calls and bulk data never wait for each other. `Control`, `Files` and
//! `FileContent` carry one message a WebSocket message ([`Socket::into_messages`]) and have no
//! flow control of their own: who asks must bound what is outstanding. `Streams` carries `yamux`
//! streams, each with its own window ([`Socket::into_streams`]).
//!
//! This crate knows nothing of targets, files or programs; it moves bytes between two processes
//! that proved who they are. It is authenticated, not encrypted: over a network it runs inside
//! something that is (a Kubernetes port-forward).

#![forbid(unsafe_code)]

mod endpoint;
mod error;
mod frame;
mod handshake;
mod held;
mod hex;
mod identity;
mod messages;
mod redial;
mod relay;
mod socket;
mod streams;
mod transport;

pub use endpoint::{Endpoint, EndpointError};
pub use error::LinkError;
pub use frame::{read_frame, write_frame};
pub use handshake::{accept, dial};
pub use held::HeldState;
pub use identity::{AgentIdentity, Fingerprint, SessionIdentity};
pub use messages::{MessageReceiver, MessageSender};
pub use redial::{patience, redial};
pub use relay::{RelaySocket, relay};
pub use socket::{KEEPALIVE_DEADLINE, KEEPALIVE_INTERVAL, Socket};
pub use streams::{IncomingStreams, Side, Stream, Streams};
pub use transport::Transport;

/// The key types, so that users need not name the crate.
pub use ed25519_dalek::{SigningKey, VerifyingKey};
