//! Wire types: what session, agent, supervisor and layer say to each other.
//!
//! This crate knows no sockets, no files and no clock: it holds plain data and its encoding, so
//! that every process can depend on it. Everything is encoded with `postcard`, but what controls a
//! session with JSON; a frame's length comes from what carries it (a WebSocket message, a length
//! prefix, a packet).

#![forbid(unsafe_code)]

pub mod codec;
pub mod control;
pub mod creds;
pub mod dns;
pub mod event;
pub mod files;
pub mod hello;
pub mod local;
pub mod session_control;
pub mod streams;

/// The protocol version this build speaks, and the oldest it still understands.
pub const VERSION: hello::VersionRange = hello::VersionRange { min: 1, max: 1 };
