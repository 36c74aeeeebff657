//! The session's network relays: outgoing connections and datagrams of the program towards the
//! agent, clients of the pod towards the program, and the addresses both pretend to have.
//!
//! The session runs [`outgoing`] and [`incoming`] on its tokio runtime. The supervisor shares
//! [`peers`], which is memory, and asks the kernel through [`sockets`]; it needs no runtime.

#[doc(hidden)]
pub mod fuzzing;
pub mod incoming;
pub mod outgoing;
pub mod peers;
pub mod sockets;
