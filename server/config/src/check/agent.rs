//! `agent`: names and numbers that a cluster would refuse, told with their place before a run.

use mirrord_target::{Kind, Target, is_kubernetes_name};

use super::Checks;
use crate::config::Config;
use crate::config::agent::{ProfileConfig, ProfileType, Replicas};
use crate::config::incoming::IncomingMode;
use crate::kinds::Pairs;
use crate::problem::Code;
use crate::setting::Setting;

/// Seconds; the largest number that mirrord takes.
const MOST: u64 = u16::MAX as u64;

/// The longest name or value of a label, and the longest name of an annotation behind its prefix
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).
const LABEL: usize = 63;

impl Checks {
    pub(super) fn agent(&mut self, config: &Config) {
        let agent = &config.agent;
        for (key, name) in [
            ("namespace", &agent.namespace),
            ("service_account", &agent.service_account),
            ("priority_class", &agent.priority_class),
        ] {
            self.kubernetes_name(key, name);
        }
        let patience = &agent.communication_timeout;
        for (key, least, value, origin) in [
            ("ttl", 0, agent.ttl.value, &agent.ttl.origin),
            ("communication_timeout", 1, patience.value, &patience.origin),
            (
                "startup_timeout",
                1,
                Some(agent.startup_timeout.value),
                &agent.startup_timeout.origin,
            ),
        ] {
            if let Some(value) = value.filter(|value| !(least..=MOST).contains(value)) {
                let message =
                    format!("agent.{key} must be a number from {least} to {MOST}, not {value}");
                self.error(Code::OutOfRange, origin, &message, "these are seconds");
            }
        }
        for (key, pairs) in [
            ("labels", &agent.labels.value),
            ("annotations", &agent.annotations.value),
            ("node_selector", &agent.node_selector.value),
        ] {
            self.pairs(key, pairs);
        }
        for capability in &agent.disabled_capabilities.value.0 {
            if !is_capability(&capability.value) {
                let message = format!(
                    "agent.disabled_capabilities: `{}` is no capability",
                    capability.value
                );
                let help = "write it as capabilities(7) does: `CAP_NET_RAW`, or `NET_RAW`";
                self.error(Code::UnknownValue, &capability.origin, &message, help);
            }
        }
        let context = &agent.security_context;
        for (key, profile) in [
            ("app_armor_profile", &context.app_armor_profile),
            ("seccomp_profile", &context.seccomp_profile),
        ] {
            self.profile(key, profile);
        }
        if agent.ephemeral.value == Some(true) {
            self.unused_when_ephemeral(config);
        }
        if agent.replicas.value == Replicas::All {
            self.all_replicas(config);
        }
    }

    /// Several pods are there only behind a workload, and something only where their clients come
    /// here.
    fn all_replicas(&mut self, config: &Config) {
        let origin = &config.agent.replicas.origin;
        let what = match &config.target.path.value {
            Some(Target::Kubernetes(target)) if target.kind == Kind::Pod => "one pod",
            Some(Target::Kubernetes(_)) | None => "",
            Some(Target::Targetless) => "no pod at all",
            Some(Target::Process(_) | Target::Sandbox(_) | Target::Container(_)) => {
                "one of this machine"
            }
        };
        if let (Some(target), false) = (&config.target.path.value, what.is_empty()) {
            let message = format!(
                "agent.replicas: `all` needs a workload of a cluster as its target; {target} is {what}"
            );
            let help = "name a deployment, statefulset, daemonset, replicaset, rollout, service or \
                        label, or leave agent.replicas out";
            self.error(Code::Conflict, origin, &message, help);
        } else if config.feature.network.incoming.mode.value.0 == IncomingMode::Off {
            let message = "agent.replicas: `all` has no effect with feature.network.incoming `off`: \
                           all else is one pod's";
            self.warning(Code::NoEffect, origin, message);
        }
    }

    fn kubernetes_name(&mut self, key: &str, name: &Setting<Option<String>>) {
        if let Some(value) = name
            .value
            .as_ref()
            .filter(|value| !is_kubernetes_name(value))
        {
            let message = format!("agent.{key}: `{value}` is no name in Kubernetes");
            let help = "small letters, digits, `-` and `.` only";
            self.error(Code::UnknownValue, &name.origin, &message, help);
        }
    }

    fn pairs(&mut self, key: &str, pairs: &Pairs) {
        for (name, value) in &pairs.0 {
            let (prefix, last) = name.value.rsplit_once('/').unwrap_or(("", &name.value));
            let good = is_label(last) && !last.is_empty();
            if !good || !(prefix.is_empty() || is_kubernetes_name(prefix)) {
                let message = format!("agent.{key}: `{}` is no name of one", name.value);
                let help = "write `name` or `prefix.example/name`, at most 63 letters, digits, \
                            `-`, `_` and `.` behind the prefix";
                self.error(Code::UnknownValue, &name.origin, &message, help);
            }
            // Annotations hold any text.
            if key != "annotations" && !is_label(&value.value) {
                let message = format!("agent.{key}: `{}` is no value of a label", value.value);
                let help = "at most 63 letters, digits, `-`, `_` and `.`";
                self.error(Code::UnknownValue, &value.origin, &message, help);
            }
            if name.value == "app.kubernetes.io/managed-by"
                || name.value.starts_with("mirrord-server/")
            {
                let message = format!(
                    "agent.{key}: `{}` is ours, what is left behind is found by it",
                    name.value
                );
                self.error(
                    Code::Conflict,
                    &name.origin,
                    &message,
                    "choose another name",
                );
            }
        }
    }

    fn profile(&mut self, key: &str, profile: &ProfileConfig) {
        let (kind, name) = (&profile.kind, &profile.localhost_profile);
        match (kind.value, &name.value) {
            (Some(ProfileType::Localhost), None) => self.error(
                Code::Missing,
                &kind.origin,
                &format!("agent.security_context.{key}: `Localhost` lacks a `localhost_profile`"),
                "name the profile on the node",
            ),
            (Some(ProfileType::Localhost), Some(_)) | (_, None) => {}
            (_, Some(_)) => self.error(
                Code::Conflict,
                &name.origin,
                &format!(
                    "agent.security_context.{key}.localhost_profile goes with the type `Localhost` \
                     only"
                ),
                "write `\"type\": \"Localhost\"`, or leave it out",
            ),
        }
    }

    /// What only a pod of the agent's own can have.
    fn unused_when_ephemeral(&mut self, config: &Config) {
        let agent = &config.agent;
        let given = [
            (
                "namespace",
                agent.namespace.value.is_some(),
                &agent.namespace.origin,
            ),
            (
                "labels",
                !agent.labels.value.0.is_empty(),
                &agent.labels.origin,
            ),
            (
                "annotations",
                !agent.annotations.value.0.is_empty(),
                &agent.annotations.origin,
            ),
            (
                "tolerations",
                agent.tolerations.value.is_some(),
                &agent.tolerations.origin,
            ),
            (
                "service_account",
                agent.service_account.value.is_some(),
                &agent.service_account.origin,
            ),
            (
                "priority_class",
                agent.priority_class.value.is_some(),
                &agent.priority_class.origin,
            ),
            ("ttl", agent.ttl.value.is_some(), &agent.ttl.origin),
            (
                "resources.requests",
                !agent.resources.requests.value.0.is_empty(),
                &agent.resources.requests.origin,
            ),
            (
                "resources.limits",
                !agent.resources.limits.value.0.is_empty(),
                &agent.resources.limits.origin,
            ),
        ];
        for (key, _, origin) in given.into_iter().filter(|(_, given, _)| *given) {
            let message = format!(
                "agent.{key} has no effect with agent.ephemeral: the container belongs to the \
                 target's pod"
            );
            self.warning(Code::NoEffect, origin, &message);
        }
    }
}

/// The name or value of a label; empty ones are values.
fn is_label(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.is_empty()
        || text.len() <= LABEL
            && text.starts_with(edge)
            && text.ends_with(edge)
            && text.chars().all(|c| edge(c) || "-_.".contains(c))
}

fn is_capability(text: &str) -> bool {
    let name = text.strip_prefix("CAP_").unwrap_or(text);
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
