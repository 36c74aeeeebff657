//! `agent`: how the agent is started in a cluster. Kinds of values that only it has are below;
//! what is wrong between them is in `check/agent.rs`.

mod image;
mod kinds;

pub use image::Image;
pub use kinds::{Claims, Quantities, Secrets, Tolerations};

use crate::group::{Shorthand, Status, group, words};
use crate::kinds::{Many, Pairs};
use crate::unserved::{Key, Shape, U32, U64, key};

const OWN_PACKETS: Status = Status::NotNeeded("connections are taken without iptables here");
const NO_MARK: Status = Status::NotNeeded("answers pass unchanged here");
const FILTERS: Status = Status::NotYet("HTTP filters come later");

const DNS: &[Key] = &[
    key("timeout", U32, "Seconds that a look-up may take."),
    key("attempts", U32, "How often a look-up is tried."),
];

words! {
    /// When the node fetches the agent's image.
    pub enum PullPolicy {
        /// Each time.
        Always = "Always",
        /// When the node lacks it.
        IfNotPresent = "IfNotPresent",
        /// Never; the node must have it.
        Never = "Never",
    }
}

words! {
    /// Which seccomp or AppArmor profile the agent's pod has.
    pub enum ProfileType {
        /// The container runtime's own.
        RuntimeDefault = "RuntimeDefault",
        /// One of the node, named by `localhost_profile`.
        Localhost = "Localhost",
        /// None.
        Unconfined = "Unconfined",
    }
}

words! {
    /// How many pods of a workload a session covers.
    pub enum Replicas {
        /// One.
        One = "one",
        /// Every pod, also those that come later.
        All = "all",
    }
}

group! {
    /// How the agent is started in a cluster.
    pub struct AgentConfig {
        settings {
            /// Namespace that the agent runs in; without it, the target's.
            "namespace" namespace: Option<String> = None, env &["MIRRORD_AGENT_NAMESPACE"];
            /// The agent's image: its name, or `{"registry": …, "tag": …}` with one of them
            /// (`MIRRORD_AGENT_IMAGE_REGISTRY`, `MIRRORD_AGENT_IMAGE_TAG`). Without it, the one of
            /// this version; another version is refused when it starts.
            "image" image: Option<Image> = None, env &["MIRRORD_AGENT_IMAGE"];
            /// When the node fetches the image.
            "image_pull_policy" image_pull_policy: PullPolicy = PullPolicy::IfNotPresent,
                env &["MIRRORD_AGENT_IMAGE_PULL_POLICY"];
            /// Secrets that the image is fetched with. A container in the target's pod has those
            /// of the pod.
            "image_pull_secrets" image_pull_secrets: Secrets = Secrets::default();
            /// `true`: run the agent as an ephemeral container of the target's pod. `false`: never.
            /// Without a word, a job on the target's node, or an ephemeral container where the
            /// cluster allows no such job.
            "ephemeral" ephemeral: Option<bool> = None, env &["MIRRORD_EPHEMERAL_CONTAINER"];
            /// How many pods of the target's workload the session covers. `one`: one of them. `all`:
            /// the incoming traffic of every pod comes here, also of those that come later, each by
            /// an agent of its own, at most 20 of them; environment, files, names and outgoing
            /// connections are those of one pod.
            "replicas" replicas: Replicas = Replicas::One, env &["MIRRORD_AGENT_REPLICAS"];
            /// Seconds that an ended agent's job and pod are kept. When it is given they are kept
            /// after each session, for their log; otherwise only when nobody could remove them.
            "ttl" ttl: Option<u64> = None, env &["MIRRORD_AGENT_TTL"];
            /// Seconds that the agent has to start.
            "startup_timeout" startup_timeout: u64 = 60, env &["MIRRORD_AGENT_STARTUP_TIMEOUT"];
            /// Seconds that an agent lives without a session: before its first, and when the link
            /// to it was lost. Without it, 60 and 10.
            "communication_timeout" communication_timeout: Option<u64> = None,
                env &["MIRRORD_AGENT_COMMUNICATION_TIMEOUT"];
            /// The agent's log level, as for `RUST_LOG`.
            "log_level" log_level: String = "warn".to_owned(), env &["MIRRORD_AGENT_RUST_LOG"];
            /// Labels of the agent's job and pod.
            "labels" labels: Pairs = Pairs::default();
            /// Annotations of the agent's job and pod.
            "annotations" annotations: Pairs = Pairs::default();
            /// Nodes that an agent without target may run on.
            "node_selector" node_selector: Pairs = Pairs::default();
            /// Taints of nodes that the agent's pod stands; without it, all.
            "tolerations" tolerations: Option<Tolerations> = None;
            /// Service account of the agent's pod.
            "service_account" service_account: Option<String> = None;
            /// Priority class of the agent's pod.
            "priority_class" priority_class: Option<String> = None;
            /// Run the agent's container as privileged.
            "privileged" privileged: bool = false;
            /// Capabilities that the agent's container is not given, as `CAP_NET_RAW`. What needs
            /// them is lost.
            "disabled_capabilities" disabled_capabilities: Many<String> = Many::default();
            /// Keep meshes from putting a sidecar beside the agent.
            "disable_mesh_sidecar_injection" disable_mesh_sidecar_injection: bool = true;
        }
        groups {
            /// Resources of the agent's container.
            "resources" resources: ResourcesConfig;
            /// Security context of the agent's pod.
            "security_context" security_context: SecurityContextConfig;
        }
        unserved {
            /// Write the agent's log as JSON.
            "json_log": Shape::Bool, Status::NotYet("its log is text"), env &["MIRRORD_AGENT_JSON_LOG"];
            /// See whether the node has room for a pod first.
            "check_out_of_pods": Shape::Bool,
                Status::NotNeeded("a full node says so at once, in its own words");
            /// How the agent resolves names.
            "dns": Shape::Keys(DNS),
                Status::NotNeeded("names are resolved as the target's own resolv.conf says");
            /// Address that the agent offers Prometheus metrics at.
            "metrics": Shape::Text, Status::NotYet("the agent offers no metrics");
            /// Keep a mesh's sidecar from the agent's port.
            "exclude_from_mesh": Shape::Bool,
                Status::NotNeeded("the agent listens on its loopback address only, which meshes leave alone"),
                env &["MIRRORD_AGENT_EXCLUDE_FROM_MESH"];
            /// Seconds that the first bytes of a connection are waited for to see whether it is HTTP.
            "http_detection_timeout": U64, FILTERS, env &["MIRRORD_AGENT_HTTP_DETECTION_TIMEOUT"];
            /// Bytes of a request's body that filters on bodies look at.
            "max_body_buffer_size": U32, FILTERS;
            /// Milliseconds that a request's body may take to arrive for such filters.
            "max_body_buffer_timeout": U32, FILTERS;
            /// Milliseconds that a `jq` filter may take.
            "jaq_time_limit": U64, FILTERS;
            /// Mark answers with who gave them.
            "inject_headers": Shape::Bool, NO_MARK;
            /// Keep answers from being cached.
            "override_cache_control": Shape::Bool, NO_MARK;
            /// End connections that stand when a port is stolen.
            "flush_connections": Shape::Bool,
                Status::NotNeeded("connections that stand stay with the target's program"),
                env &["MIRRORD_AGENT_STEALER_FLUSH_CONNECTIONS"];
            /// Remove iptables rules that an agent left behind.
            "clean_iptables_on_start": Shape::Bool, OWN_PACKETS, env &["MIRRORD_AGENT_CLEAN_IPTABLES_ON_START"];
            /// Which kind of iptables the agent uses.
            "nftables": Shape::Bool, OWN_PACKETS;
            /// Pass requests on to the pod's own address.
            "external_ip_fix": Shape::Bool,
                Status::NotNeeded("requests are always passed on to the address they came for"),
                env &["MIRRORD_AGENT_EXTERNAL_IP_FIX"];
        }
    }
}

group! {
    /// Resources of the agent's container.
    pub struct ResourcesConfig {
        settings {
            /// What is reserved: `{"cpu": "100m", "memory": "64Mi"}`.
            "requests" requests: Quantities = Quantities::default();
            /// What may be used at most.
            "limits" limits: Quantities = Quantities::default();
            /// Claims of dynamic resources.
            "claims" claims: Claims = Claims::default();
        }
    }
}

group! {
    /// Security context of the agent's pod.
    pub struct SecurityContextConfig {
        groups {
            /// The AppArmor profile.
            "app_armor_profile" app_armor_profile: ProfileConfig;
            /// The seccomp profile.
            "seccomp_profile" seccomp_profile: ProfileConfig;
        }
    }
}

group! {
    /// A profile of the kernel's, on the agent's node.
    pub struct ProfileConfig {
        settings {
            /// Which: the runtime's own, one of the node, or none.
            "type" kind: Option<ProfileType> = None;
            /// The profile's name on the node, for `Localhost`.
            "localhost_profile" localhost_profile: Option<String> = None;
        }
    }
}

impl Shorthand for AgentConfig {}
impl Shorthand for ResourcesConfig {}
impl Shorthand for SecurityContextConfig {}
impl Shorthand for ProfileConfig {}
