//! Targets in a Kubernetes cluster: finding the container, starting an agent beside it, and the way
//! to it through the API server. The cluster does all the work; nothing of ours is installed in it.
//!
//! - [`connect`]: which cluster, as whom.
//! - [`target`]: a target's name, as users write it.
//! - [`resolve`]: the pod and container that a target means now.
//! - [`job`]: the agent as a Job on the pod's node.
//! - [`start`]: creating the agent, and the cluster's own words when it cannot start.
//! - [`forward`]: the agent's port as a local socket, over the API server's port-forward.

pub mod connect;
mod error;
pub mod forward;
pub mod job;
pub mod resolve;
pub mod start;
pub mod target;

pub use connect::{Access, Cluster};
pub use error::Error;
pub use resolve::Container;
pub use start::{AgentTerms, RunningAgent};
pub use target::{Kind, Target};
