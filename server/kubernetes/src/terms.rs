//! What an agent is started with: the session's part, what the configuration says (`agent`), and
//! what the session will want of it. No Kubernetes types, so that a role can be given them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What an agent is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentTerms {
    /// The session's id: a part of the agent's name.
    pub session: String,
    /// The public key (hex) of the only session that it will serve.
    pub session_key: String,
    /// How long it waits for a session whose link was lost.
    pub grace: Duration,
    /// How it is started.
    pub settings: AgentSettings,
    /// What it is started for.
    pub needs: Needs,
}

impl AgentTerms {
    /// The name of what is made for it in the cluster.
    pub fn name(&self) -> String {
        format!("mirrord-agent-{}", self.session)
    }
}

/// `agent` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentSettings {
    /// The image's whole name.
    pub image: String,
    /// `Always`, `IfNotPresent`, `Never`.
    pub image_pull_policy: String,
    /// Names of secrets: `[{"name": …}]`.
    pub image_pull_secrets: Json,
    /// Its own namespace, when that is not the target's.
    pub namespace: Option<String>,
    /// `Some(true)`: in the target's pod; `Some(false)`: never there.
    pub ephemeral: Option<bool>,
    /// Seconds that an ended agent is kept, when somebody wants that.
    pub ttl: Option<u64>,
    /// How long its start may take when the cluster says nothing that decides, in seconds.
    pub startup_timeout: u64,
    /// Seconds that it lives without a session, when somebody says so.
    pub communication_timeout: Option<u64>,
    /// What it logs, as for `RUST_LOG`.
    pub log_level: String,
    /// Labels of its Job and pod.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its Job and pod.
    pub annotations: BTreeMap<String, String>,
    /// Labels of nodes, for one without a target.
    pub node_selector: BTreeMap<String, String>,
    /// As in a pod's specification; `null`: all taints are stood.
    pub tolerations: Json,
    /// As in a container's specification.
    pub resources: Json,
    /// `seccompProfile` and `appArmorProfile`, as in a pod's security context.
    pub profiles: Json,
    /// Its service account.
    pub service_account: Option<String>,
    /// Its priority class.
    pub priority_class: Option<String>,
    /// All rights on its node.
    pub privileged: bool,
    /// Capabilities that it is not given, without `CAP_`.
    pub disabled_capabilities: Vec<String>,
    /// Meshes put nothing beside it.
    pub without_sidecars: bool,
}

impl AgentSettings {
    /// How long its start may take when the cluster says nothing that decides.
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.startup_timeout)
    }
}

/// What a session will want of its agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// The target's files.
    pub files: bool,
    /// Connections of the target's clients.
    pub incoming: bool,
    /// Somebody asked for these in so many words (`--steal`): without them the session is of no
    /// use.
    pub incoming_asked: bool,
}
