//! Targets in a Kubernetes cluster: finding the container, starting an agent beside it, and the way
//! to it through the API server. The cluster does all the work; nothing of ours is installed in it.
//!
//! - [`connect`]: which cluster, as whom; [`kubeconfig`] and [`Environment`] say it.
//! - [`health`]: whether it would let us work.
//! - [`list`], [`watch`], [`describe`]: what there is to choose.
//! - [`members`]: the pods of a workload as they come and go.
//! - [`resolve`]: the pod and container that a target means now.
//! - [`terms`]: what an agent is started with.
//! - [`job`]: the agent as a Job on the pod's node.
//! - [`ephemeral`]: the agent as a container in the target's pod.
//! - [`preflight`]: which form the agent gets, and what that costs; [`rbac`]: the rights it takes.
//! - [`start`]: creating the agent, and the cluster's own words when it cannot start.
//! - [`forward`]: the agent's port as a local socket, over the API server's port-forward.

mod arguments;
mod capabilities;
pub mod connect;
pub mod describe;
mod environment;
pub mod ephemeral;
mod error;
pub mod form;
pub mod forward;
pub mod health;
pub mod job;
pub mod kubeconfig;
pub mod list;
pub mod members;
mod namespaces;
pub mod preflight;
mod proxy;
pub mod rbac;
pub mod resolve;
mod retry;
mod running;
pub mod start;
pub mod terms;
pub mod watch;

pub use connect::{Access, Cluster};
pub use describe::Description;
pub use environment::Environment;
pub use error::{Class, Error};
pub use form::Form;
pub use list::{Listed, Pods, Query, Row};
pub use mirrord_target::{ClusterTarget as Target, Kind};
pub use preflight::Plan;
pub use resolve::{Container, Found};
pub use running::RunningAgent;
pub use terms::{AgentSettings, AgentTerms, Needs};
pub use watch::Change;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{AgentSettings, AgentTerms, Container, Found, Needs};

    pub(crate) fn container() -> Container {
        Container {
            namespace: "shop".into(),
            pod: "web-1".into(),
            pod_uid: "u".into(),
            name: "app".into(),
            id: "containerd://1f3a".into(),
            node: "node2".into(),
            probe_ports: vec![80, 8080],
            probe_commands: Vec::new(),
        }
    }

    /// The target with a pod in which its container has this security context.
    pub(crate) fn found(security: serde_json::Value) -> Found {
        let pod = serde_json::json!({
            "metadata": {"name": "web-1", "namespace": "shop"},
            "spec": {"containers": [{"name": "app", "securityContext": security}]},
        });
        Found {
            container: container(),
            pod: serde_json::from_value(pod).unwrap(),
        }
    }

    pub(crate) fn terms() -> AgentTerms {
        AgentTerms {
            session: "00ff".into(),
            session_key: "abcd".into(),
            grace: Duration::from_secs(10),
            settings: AgentSettings {
                image: "agent:1".into(),
                image_pull_policy: "IfNotPresent".into(),
                startup_timeout: 60,
                log_level: "warn".into(),
                ..AgentSettings::default()
            },
            needs: Needs::default(),
        }
    }
}
