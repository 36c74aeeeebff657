//! The session's network relays: outgoing connections and datagrams of the program towards the
//! agent, clients of the pod towards the program, and the addresses both pretend to have.
//!
//! The session runs `outgoing` and [`incoming`] on its tokio runtime. The supervisor only reads
//! and writes [`peers`], which is shared memory, and asks its questions by `calls`, which
//! block; it needs no runtime.

pub mod incoming;
pub mod peers;
