//! The keys of the configuration, mirrord's, from the root down. Below, one file for each group.

pub mod agent;
pub mod env;
pub mod fs;
pub mod http_filter;
pub mod incoming;
pub mod network;
pub mod outgoing;
pub mod target;

use crate::group::{Shorthand, Status, group};
use crate::kinds::Many;
use crate::unserved::{self, Shape};

const LATER: Status = Status::NotYet("this comes later");
const MACOS: Status = Status::NotNeeded("it is about macOS' System Integrity Protection");
const OURS: Status = Status::NotNeeded(
    "it tunes a process of mirrord that we do not have; connections end with \
                       the session here",
);

group! {
    /// A whole configuration. Every value knows where it comes from.
    pub struct Config {
        settings {
            /// Name of this session, to be used in templates as `{{ key }}`; made up when not given.
            "key" key: Option<String> = None, env &["MIRRORD_KEY"];
            /// Programs that run as if we were not here, by the name of their file.
            "skip_processes" skip_processes: Many<String> = Many::default(),
                env &["MIRRORD_SKIP_PROCESSES"];
            /// Let build tools (compilers, `git`, `cargo`, `dlv`, …) run as if we were not here.
            "skip_build_tools" skip_build_tools: bool = true, env &["MIRRORD_SKIP_BUILD_TOOLS"];
            /// More build tools, for `skip_build_tools`.
            "skip_extra_build_tools" skip_extra_build_tools: Many<String> = Many::default(),
                env &["MIRRORD_SKIP_EXTRA_BUILD_TOOLS"];
            /// Path of the kubeconfig file; without it, as kubectl finds it.
            "kubeconfig" kubeconfig: Option<String> = None, env &["MIRRORD_KUBECONFIG"];
            /// Context of the kubeconfig file; without it, the current one.
            "kube_context" kube_context: Option<String> = None, env &["MIRRORD_KUBE_CONTEXT"];
            /// Accept a cluster's certificate without checking it.
            "accept_invalid_certificates" accept_invalid_certificates: bool = false,
                env &["MIRRORD_ACCEPT_INVALID_CERTIFICATES"];
        }
        groups {
            /// What to run inside of: `process/PID`, `sandbox/NAME`, `pod/NAME/container/NAME`, …
            "target" target: target::TargetConfig;
            /// What of the target the program sees.
            "feature" feature: FeatureConfig;
            /// How the agent is started in a cluster.
            "agent" agent: agent::AgentConfig;
        }
        unserved {
            /// A profile stored in the cluster that changes this configuration.
            "profile": Shape::Text, LATER;
            /// Use HTTP proxies from the environment for the cluster's API.
            "use_proxy": Shape::Bool, LATER, env &["MIRRORD_PROXY"];
            /// Try again to start the agent.
            "startup_retry": unserved::STARTUP_RETRY, LATER;
            /// Use mirrord's operator.
            "operator": Shape::Bool, Status::Operator("sessions here need no operator"), env &["MIRRORD_OPERATOR_ENABLE"];
            /// Sessions over several clusters.
            "multi_cluster": Shape::Bool, Status::Operator("it plans sessions over clusters; here each session names its own context"), env &["MIRRORD_MULTI_CLUSTER"];
            /// Settings for runs in continuous integration.
            "ci": unserved::CI,
                Status::Operator("it starts sessions for continuous integration; `exec` and the daemon run there as anywhere");
            /// Containers that mirrord starts beside a local container.
            "container": unserved::CONTAINER,
                Status::NotYet("running local containers comes later");
            /// The proxy for local containers.
            "external_proxy": unserved::EXTERNAL_PROXY,
                Status::NotYet("running local containers comes later");
            /// mirrord's own proxy process.
            "internal_proxy": unserved::INTERNAL_PROXY, OURS;
            /// mirrord's local API of sessions.
            "api": Shape::Bool, Status::NotNeeded("editors speak to our own server"), env &["MIRRORD_API"];
            /// Report use to the makers of mirrord.
            "telemetry": Shape::Bool, Status::NotNeeded("nothing is ever reported to anyone"), env &["MIRRORD_TELEMETRY"];
            /// Binaries to patch.
            "sip_binaries": Shape::Texts, MACOS;
            /// Binaries not to patch.
            "skip_sip": Shape::Texts, MACOS, env &["MIRRORD_SKIP_SIP"];
            /// Switches of mirrord that may change.
            "experimental": unserved::EXPERIMENTAL,
                Status::NotNeeded("these switches change how mirrord's own interception works");
            /// Trace to join.
            "traceparent": Shape::Text, Status::NotYet("joining traces comes later");
            /// Baggage of the trace to join.
            "baggage": Shape::Text, Status::NotYet("joining traces comes later");
        }
    }
}

group! {
    /// What of the target the program sees.
    pub struct FeatureConfig {
        settings {
            /// The program sees the target's host name.
            "hostname" hostname: bool = true;
        }
        groups {
            /// The target's environment variables.
            "env" env: env::EnvConfig;
            /// The target's files.
            "fs" fs: fs::FsConfig;
            /// The target's network.
            "network" network: network::NetworkConfig;
            /// Conveniences for well-known tools.
            "magic" magic: MagicConfig;
        }
        unserved {
            /// Work in a copy of the target.
            "copy_target": unserved::COPY_TARGET, Status::Operator("it copies the target; steal with an `http_filter` to leave the target to others");
            /// Share message queues with the target.
            "split_queues": Shape::ListOrObject, Status::Operator("it splits the queues' messages; give the program a queue of its own by `feature.env.override`");
            /// Own branches of the target's databases.
            "db_branches": Shape::ListOrObject, Status::Operator("it copies databases; name a database of your own by `feature.env.override`");
            /// Preview environments.
            "preview": unserved::PREVIEW, Status::Operator("it runs previews in the cluster; here the program runs on this machine");
        }
    }
}

group! {
    /// Conveniences for well-known tools.
    pub struct MagicConfig {
        settings {
            /// Hide the developer's own AWS credentials (`~/.aws`, `AWS_PROFILE`), so that the
            /// target's identity is used.
            "aws" aws: bool = true;
        }
        unserved {
            /// Read the target's mounted volumes from it in the mode `localwithoverrides`.
            "auto_mount": Shape::Bool, LATER;
            /// Settings that trade completeness for speed.
            "turbo": Shape::Bool, Status::NotNeeded("there is nothing to trade here");
        }
    }
}

impl Shorthand for Config {}
impl Shorthand for FeatureConfig {}
impl Shorthand for MagicConfig {}

/// `false` for "all of it off", `true` for "as by default".
macro_rules! toggle {
    ($name:ty, $node:ident, $reader:ident, $off:expr) => {
        match $node.value {
            $crate::tree::Value::Bool(true) => true,
            $crate::tree::Value::Bool(false) => {
                let origin = $reader.origin(&$node.span);
                #[allow(clippy::redundant_closure_call)]
                ($off)(origin);
                true
            }
            _ => false,
        }
    };
}
pub(crate) use toggle;
