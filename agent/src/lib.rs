//! The agent: it works inside one target's namespaces, for one session.
//!
//! It enters the target's user and network namespaces before it starts any thread, so everything
//! it connects or binds is the target's network; files go through a descriptor of the target's
//! root directory; the listener for the session stays in the namespace the agent was started in.
//! Whatever it took (ports, sockets, processes) is given back when it ends, by any cause.
//!
//! It knows nothing of configuration, debuggees or decisions: it does what its session asks, with
//! the target's own rights.

pub mod args;
pub mod control;
pub mod environment;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod incoming;
pub mod lifecycle;
pub mod listener;
pub mod memory;
pub mod outgoing;
pub mod probes;
mod process;
pub mod readiness;
pub mod resolve;
pub mod serve;
pub mod target;
