//! The pod's files on this machine: a FUSE file system of the session's own.
//!
//! [`serve()`] is the file server, a process of its own: it holds two links to the agent and a
//! detached mount, which nobody can see but who gets its root as a descriptor. [`FilesClient`] is
//! what the supervisor asks it with. Neither knows programs, system calls or rules: they show the
//! pod's tree as it is, with the target's rights.

#![deny(unsafe_code)]

mod abi;
mod agent;
mod client;
mod clients;
mod content;
mod device;
mod error;
mod fs;
mod interrupt;
mod local;
mod mount;
mod ops;
mod request;
mod serve;
mod snapshot;
mod tree;
mod watched;

pub use client::{FilesClient, Found, Walked};
pub use error::FilesError;
pub use mirrord_protocol::files::{Attr, Parent, Want, allow};
pub use serve::{DEFAULT_DEADLINE, ServeOptions, serve};
