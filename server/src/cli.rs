//! The command line that people type.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Run and debug a local process as if it were inside a Kubernetes pod.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    /// What to log on stderr, as a `tracing` filter (`warn`, `debug`, `mirrord_net=trace`).
    #[arg(long, global = true, env = "MIRRORD_LOG", default_value = "warn")]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program inside a target: its files, environment, network and traffic.
    Exec(Exec),
    /// List what a program can be run in.
    Targets {
        /// One JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Small pods made of namespaces, on this machine, for trying things.
    Sandbox {
        /// What to do with them.
        #[command(subcommand)]
        command: SandboxCommand,
    },
    /// Show the whole path once: what a program sees plain and inside a sandbox pod.
    Demo,
    /// Make a session key for `--agent`.
    #[command(name = "new-key", hide = true)]
    NewKey {
        /// The file to make.
        path: PathBuf,
    },
}

/// `exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// Configuration file (JSON, YAML or TOML); without it, `.mirrord/*mirrord.{json,toml,yml,yaml}`
    /// of this folder, if there is one.
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Target: `sandbox/NAME` or `process/PID`. Beats the configuration.
    #[arg(long, short, value_name = "TARGET")]
    pub target: Option<String>,
    /// Answer the pod's clients from the local program.
    #[arg(long, conflicts_with = "mirror")]
    pub steal: bool,
    /// Give the local program a copy of what the pod's clients send (the default).
    #[arg(long)]
    pub mirror: bool,
    /// Write every local/remote decision and its rule to FILE, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Link to the agent over TCP at this address of this machine instead of a Unix socket.
    #[arg(long, value_name = "IP:PORT", hide = true)]
    pub agent_tcp: Option<std::net::SocketAddr>,
    /// Join an agent that already runs, as `ENDPOINT,FINGERPRINT,KEYFILE`.
    #[arg(long, value_name = "AGENT", hide = true, conflicts_with = "agent_tcp")]
    pub agent: Option<String>,
    /// The program and its arguments.
    #[arg(required = true, last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `sandbox …`.
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Start one and leave it running.
    Up {
        /// Its name.
        #[arg(default_value = "default")]
        name: String,
    },
    /// End one, or all of them.
    Down {
        /// Its name.
        #[arg(default_value = "default")]
        name: String,
        /// Every sandbox of this user.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// List them.
    List {
        /// One JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Run a program really inside one, to compare.
    Exec {
        /// Its name.
        name: String,
        /// The program and its arguments.
        #[arg(required = true, last = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}
