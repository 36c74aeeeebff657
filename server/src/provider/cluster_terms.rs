//! What the configuration says about agents in a cluster.

use mirrord_config::Config;
use mirrord_config::config::agent::{ProfileConfig, Quantities, Replicas};
use mirrord_config::config::fs::FsMode;
use mirrord_config::config::incoming::IncomingMode;
use mirrord_config::kinds::Pairs;
use mirrord_config::{LoadedConfig, setting::Origin};
use mirrord_kubernetes::{Access, AgentSettings, Form, Needs};
use serde_json::{Map, Value as Json, json};

/// The agent's image: of the same version, as its protocol is.
pub const IMAGE: &str = concat!("docker.io/mirrord-server/agent:", env!("CARGO_PKG_VERSION"));

/// What an agent in a cluster is started with.
#[derive(Debug, Clone, Default)]
pub struct ClusterTerms {
    /// The cluster, and as whom.
    pub access: Access,
    /// How it is started.
    pub settings: AgentSettings,
    /// What the session will want of it.
    pub needs: Needs,
    /// The session covers every pod of the target's workload.
    pub all_replicas: bool,
    /// The form that was found for another pod of the workload: nothing is asked again.
    pub form: Option<Form>,
}

impl ClusterTerms {
    /// Those of a configuration, for a program that runs by it.
    pub fn of(config: &LoadedConfig) -> Self {
        let settings = settings(&config.config);
        let fs = &config.config.feature.fs;
        let incoming = &config.config.feature.network.incoming.mode;
        let asked = incoming.value.0 == IncomingMode::Steal && incoming.origin != Origin::Default;
        ClusterTerms {
            access: super::access(config),
            settings,
            needs: Needs {
                files: fs.mode.value != FsMode::Local,
                incoming: incoming.value.0 != IncomingMode::Off,
                incoming_asked: asked,
            },
            all_replicas: config.config.agent.replicas.value == Replicas::All,
            form: None,
        }
    }

    /// Those for another pod of the workload, whose clients alone are wanted.
    pub fn of_another_pod(&self, form: Option<Form>) -> Self {
        ClusterTerms {
            needs: Needs {
                files: false,
                ..self.needs.clone()
            },
            form,
            ..self.clone()
        }
    }

    /// Those of a configuration, for a command that uses the target's network only.
    pub fn of_network(config: &LoadedConfig, incoming: bool) -> Self {
        ClusterTerms {
            needs: Needs {
                files: false,
                incoming,
                incoming_asked: incoming,
            },
            ..ClusterTerms::of(config)
        }
    }
}

fn settings(config: &Config) -> AgentSettings {
    let agent = &config.agent;
    let image = agent.image.value.as_ref();
    let disabled = agent.disabled_capabilities.value.values().into_iter();
    AgentSettings {
        image: image.map_or_else(|| IMAGE.to_owned(), |image| image.name(IMAGE)),
        image_pull_policy: agent.image_pull_policy.value.as_str().to_owned(),
        image_pull_secrets: agent.image_pull_secrets.value.0.clone(),
        namespace: agent.namespace.value.clone(),
        ephemeral: agent.ephemeral.value,
        ttl: agent.ttl.value,
        startup_timeout: agent.startup_timeout.value,
        communication_timeout: agent.communication_timeout.value,
        log_level: agent.log_level.value.clone(),
        labels: pairs(&agent.labels.value),
        annotations: pairs(&agent.annotations.value),
        node_selector: pairs(&agent.node_selector.value),
        tolerations: match &agent.tolerations.value {
            Some(tolerations) => tolerations.0.clone(),
            None => Json::Null,
        },
        resources: object([
            ("requests", amounts(&agent.resources.requests.value)),
            ("limits", amounts(&agent.resources.limits.value)),
            ("claims", list(&agent.resources.claims.value.0)),
        ]),
        profiles: object([
            (
                "seccompProfile",
                profile(&agent.security_context.seccomp_profile),
            ),
            (
                "appArmorProfile",
                profile(&agent.security_context.app_armor_profile),
            ),
        ]),
        service_account: agent.service_account.value.clone(),
        priority_class: agent.priority_class.value.clone(),
        privileged: agent.privileged.value,
        disabled_capabilities: disabled
            .map(|name| name.trim_start_matches("CAP_").to_owned())
            .collect(),
        without_sidecars: agent.disable_mesh_sidecar_injection.value,
    }
}

fn pairs(pairs: &Pairs) -> std::collections::BTreeMap<String, String> {
    pairs.values().into_iter().collect()
}

fn amounts(amounts: &Quantities) -> Json {
    let amounts = amounts.0.iter();
    let amounts: Map<String, Json> = amounts
        .map(|(name, amount)| (name.clone(), json!(amount.value)))
        .collect();
    match amounts.is_empty() {
        true => Json::Null,
        false => Json::Object(amounts),
    }
}

fn list(list: &Json) -> Json {
    match list.as_array() {
        Some(items) if !items.is_empty() => list.clone(),
        _ => Json::Null,
    }
}

fn profile(profile: &ProfileConfig) -> Json {
    let kind = profile.kind.value.map(|kind| json!(kind.as_str()));
    let name = profile.localhost_profile.value.as_ref();
    object([
        ("type", kind.unwrap_or_default()),
        (
            "localhostProfile",
            name.map_or(Json::Null, |name| json!(name)),
        ),
    ])
}

/// Only what is there; `null` when nothing is.
fn object<const N: usize>(parts: [(&str, Json); N]) -> Json {
    let parts = parts.into_iter().filter(|(_, part)| !part.is_null());
    let parts: Map<String, Json> = parts.map(|(name, part)| (name.to_owned(), part)).collect();
    match parts.is_empty() {
        true => Json::Null,
        false => Json::Object(parts),
    }
}
