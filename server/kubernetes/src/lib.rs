//! Targets in a Kubernetes cluster: finding the container, starting an agent beside it, and the way
//! to it through the API server. The cluster does all the work; nothing of ours is installed in it.
//!
//! - [`connect`]: which cluster, as whom; [`kubeconfig`] and [`Environment`] say it.
//! - [`health`]: whether it would let us work.
//! - [`list`], [`watch`], [`describe`]: what there is to choose.
//! - [`resolve`]: the pod and container that a target means now.
//! - [`job`]: the agent as a Job on the pod's node.
//! - [`start`]: creating the agent, and the cluster's own words when it cannot start.
//! - [`forward`]: the agent's port as a local socket, over the API server's port-forward.

pub mod connect;
pub mod describe;
mod environment;
mod error;
pub mod forward;
pub mod health;
pub mod job;
pub mod kubeconfig;
pub mod list;
mod namespaces;
mod proxy;
pub mod resolve;
mod retry;
pub mod start;
pub mod watch;

pub use connect::{Access, Cluster};
pub use describe::Description;
pub use environment::Environment;
pub use error::{Class, Error};
pub use list::{Listed, Pods, Query, Row};
pub use mirrord_target::{ClusterTarget as Target, Kind};
pub use resolve::Container;
pub use start::{AgentTerms, RunningAgent};
pub use watch::Change;
