//! The agent's command line.

use std::time::Duration;

use clap::Parser;
use mirrord_link::Endpoint;

/// Works inside a target's namespaces for one session; started by a provider, not by hand.
#[derive(Debug, Clone, Parser)]
#[command(name = "mirrord-agent", version)]
pub struct Args {
    /// Process whose namespaces, files and environment are served.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    #[arg(required_unless_present_any = ["target_container", "targetless"])]
    pub target_pid: Option<i32>,
    /// Container whose main process is served instead, as its runtime calls it: containerd://ID.
    #[arg(long, value_name = "ID", conflicts_with = "target_pid")]
    pub target_container: Option<String>,
    /// The agent is its own target: for programs that only want to be somewhere else.
    #[arg(long, conflicts_with_all = ["target_pid", "target_container"])]
    pub targetless: bool,
    /// Be the target's own user from the start, with no more rights than that has.
    #[arg(long, conflicts_with = "targetless")]
    pub as_target: bool,
    /// Where the session connects: unix:/absolute/path or tcp:ADDRESS:PORT (port 0: any).
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Endpoint,
    /// The session's public key; nobody else is served.
    #[arg(long, value_name = "HEX")]
    pub session_key: String,
    /// How long the agent waits for the session to come back after its control link was lost.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub grace_ms: u64,
    /// Standard input comes from the session: its end is the session's, and not waited out.
    #[arg(long)]
    pub end_with_stdin: bool,
    /// How long the agent waits for its first call; without it, for ever. Where nobody holds the
    /// agent's process, one that is never called must not stay.
    #[arg(long, value_name = "MS")]
    pub first_call_ms: Option<u64>,
    /// Ports that the probes of the target's pod name: what the node's kubelet sends there goes on to
    /// the pod's own program while they are stolen.
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub probe_ports: Vec<u16>,
    /// Probes of the target's pod that are programs, as a JSON list of their arguments: what they call in
    /// the pod is the pod's own program.
    #[arg(long, value_name = "JSON", default_value = "[]", value_parser = commands)]
    pub probe_commands: Commands,
    /// What is logged to standard error: error, warn, info, debug, trace.
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub log: String,
}

/// Arguments of programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands(pub Vec<Vec<String>>);

fn commands(text: &str) -> Result<Commands, serde_json::Error> {
    serde_json::from_str(text).map(Commands)
}

impl Args {
    /// See `--first-call-ms`.
    pub fn first_call(&self) -> Option<Duration> {
        self.first_call_ms.map(Duration::from_millis)
    }

    /// See `--grace-ms`.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}
