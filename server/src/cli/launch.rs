//! What commands that use a target say about their configuration. A flag beats the environment,
//! which beats the file.

use std::path::PathBuf;

use clap::Args;
use mirrord_config::{FlagSetting, Flags};

/// Which configuration, and where.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// Configuration file (JSON, YAML or TOML); without it, `.mirrord/*mirrord.{json,toml,yml,yaml}`
    /// of this folder, if there is one.
    #[arg(long, short = 'f', value_name = "FILE", visible_alias = "config-file")]
    pub config: Option<PathBuf>,
    /// Target: `sandbox/NAME`, `process/PID` or `container/NAME`. Beats the configuration.
    #[arg(long, short, value_name = "TARGET")]
    pub target: Option<String>,
}

/// What happens with the pod's traffic.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Incoming {
    /// Answer the pod's clients from this machine.
    #[arg(long, conflicts_with = "mirror")]
    pub steal: bool,
    /// Get a copy of what the pod's clients send (the default).
    #[arg(long)]
    pub mirror: bool,
}

/// Flags that stand for a key of the configuration.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration, over the environment and the file")]
pub struct Overrides {
    /// Which files are the pod's: `read`, `write`, `local` or `localwithoverrides`.
    #[arg(long, value_name = "MODE")]
    fs_mode: Option<String>,
    /// Variables of the pod to leave out (`A;B_*`).
    #[arg(
        long = "override-env-vars-exclude",
        short = 'x',
        value_name = "NAMES",
        alias = "override-env-vars-to-exclude"
    )]
    env_exclude: Option<String>,
    /// Only these variables of the pod (`A;B_*`).
    #[arg(
        long = "override-env-vars-include",
        short = 's',
        value_name = "NAMES",
        alias = "override-env-vars-to-include"
    )]
    env_include: Option<String>,
    /// A file of variables, over the pod's.
    #[arg(long = "override-env-file", value_name = "FILE", alias = "env-file")]
    env_file: Option<String>,
    /// No variables of the pod.
    #[arg(long, conflicts_with_all = ["env_exclude", "env_include"])]
    no_remote_env: bool,
    /// Connect from this machine.
    #[arg(long)]
    no_outgoing: bool,
    /// Connect TCP from this machine.
    #[arg(long)]
    no_tcp_outgoing: bool,
    /// Connect UDP from this machine.
    #[arg(long)]
    no_udp_outgoing: bool,
    /// Resolve names on this machine.
    #[arg(long)]
    no_remote_dns: bool,
    /// Programs that run as if we were not here (`A;B`).
    #[arg(long, value_name = "NAMES")]
    skip_processes: Option<String>,
    /// Name of this session, for templates.
    #[arg(long, short, value_name = "NAME")]
    key: Option<String>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Those that are about a cluster.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "About a cluster")]
struct Cluster {
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespace of the target.
    #[arg(long, short = 'n', value_name = "NAME")]
    target_namespace: Option<String>,
    /// Namespace of the agent.
    #[arg(long, short = 'a', value_name = "NAME")]
    agent_namespace: Option<String>,
    /// What the agent logs.
    #[arg(long, short = 'l', value_name = "FILTER")]
    agent_log_level: Option<String>,
    /// Image of the agent.
    #[arg(long, short = 'i', value_name = "IMAGE")]
    agent_image: Option<String>,
    /// Seconds that an agent stays after its last session.
    #[arg(long, value_name = "SECONDS")]
    agent_ttl: Option<String>,
    /// Seconds that an agent may take to start.
    #[arg(long, value_name = "SECONDS")]
    agent_startup_timeout: Option<String>,
    /// How many pods of the target's workload the session covers: `one` or `all`.
    #[arg(long, value_name = "WORD")]
    replicas: Option<String>,
    /// Run the agent as an ephemeral container.
    #[arg(long, short = 'e')]
    ephemeral_container: bool,
    /// Accept a cluster's certificate without checking it.
    #[arg(long, short = 'c')]
    accept_invalid_certificates: bool,
}

/// What the command line says, together.
pub fn flags(place: &Place, incoming: Incoming, overrides: Option<&Overrides>) -> Flags {
    Flags {
        target: place.target.clone(),
        steal: incoming.steal,
        mirror: incoming.mirror,
        settings: overrides.map_or_else(Vec::new, Overrides::settings),
    }
}

impl Overrides {
    /// The keys that they stand for.
    fn settings(&self) -> Vec<FlagSetting> {
        let cluster = &self.cluster;
        let texts = [
            ("--fs-mode", "feature.fs.mode", &self.fs_mode),
            (
                "--override-env-vars-exclude",
                "feature.env.exclude",
                &self.env_exclude,
            ),
            (
                "--override-env-vars-include",
                "feature.env.include",
                &self.env_include,
            ),
            (
                "--override-env-file",
                "feature.env.env_file",
                &self.env_file,
            ),
            ("--skip-processes", "skip_processes", &self.skip_processes),
            ("--key", "key", &self.key),
            ("--context", "kube_context", &cluster.context),
            (
                "--target-namespace",
                "target.namespace",
                &cluster.target_namespace,
            ),
            (
                "--agent-namespace",
                "agent.namespace",
                &cluster.agent_namespace,
            ),
            (
                "--agent-log-level",
                "agent.log_level",
                &cluster.agent_log_level,
            ),
            ("--agent-image", "agent.image", &cluster.agent_image),
            ("--agent-ttl", "agent.ttl", &cluster.agent_ttl),
            ("--replicas", "agent.replicas", &cluster.replicas),
            (
                "--agent-startup-timeout",
                "agent.startup_timeout",
                &cluster.agent_startup_timeout,
            ),
        ];
        let switches = [
            (
                "--no-remote-env",
                "feature.env.exclude",
                "*",
                self.no_remote_env,
            ),
            (
                "--no-outgoing",
                "feature.network.outgoing.tcp",
                "false",
                self.no_outgoing,
            ),
            (
                "--no-outgoing",
                "feature.network.outgoing.udp",
                "false",
                self.no_outgoing,
            ),
            (
                "--no-tcp-outgoing",
                "feature.network.outgoing.tcp",
                "false",
                self.no_tcp_outgoing,
            ),
            (
                "--no-udp-outgoing",
                "feature.network.outgoing.udp",
                "false",
                self.no_udp_outgoing,
            ),
            (
                "--no-remote-dns",
                "feature.network.dns.enabled",
                "false",
                self.no_remote_dns,
            ),
            (
                "--ephemeral-container",
                "agent.ephemeral",
                "true",
                cluster.ephemeral_container,
            ),
            (
                "--accept-invalid-certificates",
                "accept_invalid_certificates",
                "true",
                cluster.accept_invalid_certificates,
            ),
        ];
        let texts = texts.into_iter().filter_map(|(flag, key, value)| {
            let value = value.clone()?;
            Some((flag, key, value))
        });
        let switches = switches.into_iter().filter(|(.., on)| *on);
        let switches = switches.map(|(flag, key, value, _)| (flag, key, value.to_owned()));
        texts
            .chain(switches)
            .map(|(flag, key, value)| FlagSetting {
                flag,
                key: key.to_owned(),
                value,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
