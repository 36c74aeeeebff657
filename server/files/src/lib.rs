//! The pod's files on this machine: a FUSE file system of the session's own.
//!
//! [`serve`] is the file server, a process of its own: it holds two links to the agent and a
//! detached mount, which nobody can see but who gets its root as a descriptor. [`FilesClient`] is
//! what the supervisor asks it with. Neither knows programs, system calls or rules: they show the
//! pod's tree as it is, with the target's rights.

#![forbid(unsafe_code)]

mod client;
mod error;
mod local;
mod serve;

pub use client::{FilesClient, Found, Walked};
pub use error::FilesError;
pub use mirrord_protocol::files::{Attr, Parent, Want, allow};
pub use serve::{ServeOptions, serve};
