//! The command line that people type.

pub mod elsewhere;
pub mod launch;
pub mod targets;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use launch::{Incoming, Overrides, Place};

/// Run and debug a local process as if it were inside a Kubernetes pod.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to log on stderr, as a `tracing` filter (`warn`, `debug`, `mirrord_net=trace`).
    #[arg(long, global = true, env = "MIRRORD_LOG", default_value = "warn")]
    pub log: String,
    /// Speak the editors' protocol on stdin and stdout, with the user's daemon behind it.
    #[arg(long)]
    pub stdio: bool,
    /// With --stdio: serve this one client alone, without a daemon.
    #[arg(long, requires = "stdio")]
    pub no_daemon: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program inside a target: its files, environment, network and traffic.
    Exec(Box<Exec>),
    /// Lead ports of this machine to what the pod reaches, and ports of the pod to this machine.
    #[command(name = "port-forward")]
    PortForward(PortForward),
    /// Print what clients of the pod's ports send, while the pod answers them.
    Dump(Dump),
    /// List what a program can be run in.
    #[command(visible_alias = "ls")]
    Targets(targets::Targets),
    /// Small pods made of namespaces, on this machine, for trying things.
    Sandbox {
        /// What to do with them.
        #[command(subcommand)]
        command: SandboxCommand,
    },
    /// The process behind all editors of this user; without a word it runs in the foreground.
    Daemon {
        /// What to do with it.
        #[command(subcommand)]
        command: Option<DaemonCommand>,
        /// Seconds without sessions and clients after which it ends.
        #[arg(
            long,
            value_name = "SECONDS",
            env = "MIRRORD_DAEMON_IDLE",
            default_value_t = 600
        )]
        idle: u64,
    },
    /// Say what works on this machine, and what to do about the rest.
    Doctor {
        /// One JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Print the least role that sessions in a cluster need, for `kubectl apply -f -`.
    Rbac(Rbac),
    /// Say where a path, a host, a port or a variable would be, and by which rule.
    Explain(Explain),
    /// Look at configuration files.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// The same as `config verify`, as mirrord names it.
    #[command(name = "verify-config")]
    VerifyConfig(Verify),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Sessions of this user, and what happens in them.
    Session {
        /// What to do with them.
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// The agents of this user's sessions.
    Agent {
        /// What to do with them.
        #[command(subcommand)]
        command: AgentCommand,
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

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say what is wrong with a configuration file.
    Verify(Verify),
}

/// `config verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The file; without it, the one that a run in this folder would use.
    pub file: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `rbac`.
#[derive(Debug, Args)]
pub struct Rbac {
    /// How agents may be started: job, ephemeral, restricted, targetless; without it, all of them.
    #[arg(long, value_delimiter = ',', value_name = "FORM", value_parser = form)]
    pub forms: Vec<mirrord_kubernetes::Form>,
    /// Kinds of targets: pod, deployment, …; without it, all of them.
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = kind)]
    pub targets: Vec<mirrord_kubernetes::Kind>,
    /// A Role for this namespace; without it, a ClusterRole for all of them.
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The namespace that agents run in, when that is another one (`agent.namespace`): a Role for
    /// each.
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub agent_namespace: Option<String>,
    /// `all`: sessions may cover every pod of a workload (`agent.replicas: all`).
    #[arg(long, value_name = "WORD")]
    pub replicas: Option<AllReplicas>,
    /// The role's name.
    #[arg(long, value_name = "NAME", default_value = "mirrord-server")]
    pub name: String,
}

/// The word of `agent.replicas` that takes a right of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AllReplicas {
    /// Every pod of the workload.
    All,
}

fn form(name: &str) -> Result<mirrord_kubernetes::Form, String> {
    use mirrord_kubernetes::Form;
    let known = Form::ALL.map(Form::name).join(", ");
    Form::named(name).ok_or_else(|| format!("there is no such form; there are {known}"))
}

fn kind(name: &str) -> Result<mirrord_kubernetes::Kind, String> {
    use mirrord_kubernetes::Kind;
    let known = Kind::ALL.map(Kind::name).join(", ");
    Kind::named(name).ok_or_else(|| format!("there is no such kind of target; there are {known}"))
}

/// `explain`.
#[derive(Debug, Args)]
#[group(id = "thing", required = true, multiple = true, args = ["path", "host", "port", "variable"])]
pub struct Explain {
    /// A path that a program would open.
    #[arg(long, conflicts_with_all = ["host", "port", "variable"])]
    pub path: Option<String>,
    /// A host that it would connect to.
    #[arg(long, conflicts_with = "variable")]
    pub host: Option<String>,
    /// With --host the port it would connect to; alone the port that it would listen on.
    #[arg(long, conflicts_with = "variable")]
    pub port: Option<u16>,
    /// A variable's name.
    #[arg(long = "env", id = "variable", value_name = "NAME")]
    pub env: Option<String>,
    /// The configuration file, as for `exec`.
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One JSON object instead of a sentence.
    #[arg(long)]
    pub json: bool,
}

/// `daemon …`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum DaemonCommand {
    /// How it is; starts none.
    Status {
        /// One JSON object instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// End it. Its sessions go on, and the next daemon finds them.
    Stop,
}

/// `exec`.
#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub incoming: Incoming,
    #[command(flatten)]
    pub overrides: Overrides,
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

impl Exec {
    /// What its flags say about the configuration.
    pub fn flags(&self) -> mirrord_config::Flags {
        launch::flags(&self.place, self.incoming, Some(&self.overrides))
    }
}

/// `port-forward`.
#[derive(Debug, Args)]
#[group(id = "forward", required = true, multiple = true, args = ["local", "remote"])]
pub struct PortForward {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub incoming: Incoming,
    /// `[LOCAL_PORT:]HOST:PORT`, or `[LOCAL_PORT:]PORT` of the pod itself: a port of this machine
    /// that leads there. IPv6 addresses stand in brackets; several with several `-L`.
    #[arg(short = 'L', long = "local", value_name = "FORWARD")]
    pub local: Vec<crate::forward::spec::Local>,
    /// `[POD_PORT:]LOCAL_PORT`: a port of the pod whose clients get to this machine. Whether they
    /// are answered from here or only copied is as in the configuration (`--steal`, `--mirror`).
    #[arg(short = 'R', long = "remote", value_name = "FORWARD")]
    pub remote: Vec<crate::forward::spec::Remote>,
    /// One JSON object a line for each forward that stands.
    #[arg(long)]
    pub json: bool,
}

/// `dump`.
#[derive(Debug, Args)]
pub struct Dump {
    #[command(flatten)]
    pub place: Place,
    /// Ports of the pod (`-p 80 -p 8080`, `-p 80,8080`).
    #[arg(
        short = 'p',
        long = "port",
        alias = "ports",
        required = true,
        value_delimiter = ',',
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub ports: Vec<u16>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
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

/// `session …`.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Make a session and print what a program needs to be launched into it, as JSON.
    Prepare(PrepareSession),
    /// List them.
    List {
        /// One JSON array, with those that are over and keep their agent warm.
        #[arg(long)]
        json: bool,
    },
    /// Print a session's events, one JSON object a line, until it ends.
    Events {
        /// Its id.
        id: String,
        /// The first event that is wanted.
        #[arg(long, default_value_t = 0)]
        since: u64,
        /// Also every decision for this machine; the program's local calls are slower meanwhile.
        #[arg(long)]
        local: bool,
    },
    /// Print the last lines of a session's log and its agent's.
    Logs {
        /// Its id.
        id: String,
        /// How many of each.
        #[arg(long, short = 'n', default_value_t = 200)]
        lines: u32,
    },
    /// End one and prepare the same launch again, with the configuration read again; prints what
    /// `prepare` prints.
    Restart {
        /// Its id.
        id: String,
    },
    /// End one, with its programs.
    Stop {
        /// Its id.
        id: String,
        /// How long its programs have to end by themselves, in milliseconds.
        #[arg(long, default_value_t = 2_000)]
        grace_ms: u64,
        /// Let whoever launched the programs end them.
        #[arg(long)]
        leave: bool,
    },
    /// Ask a session a question of its protocol.
    #[command(hide = true)]
    Ask {
        /// Its id.
        id: String,
        /// The question, as JSON.
        request: String,
    },
}

/// `session prepare`.
#[derive(Debug, Args)]
pub struct PrepareSession {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub incoming: Incoming,
    /// Name for people.
    #[arg(long, default_value = "command line")]
    pub name: String,
    /// The program that will be launched, when it is known.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// How long the session waits for its first process, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub expires_ms: Option<u64>,
    /// How long its agent is kept for the next session, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub keep_agent_ms: Option<u64>,
}

/// `agent …`.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// List them.
    List {
        /// One JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// End the agent that a session which is over keeps warm.
    Stop {
        /// The session's id.
        id: String,
    },
}
