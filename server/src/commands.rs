//! The commands of the command line, one file each.

mod completions;
mod config;
mod daemon;
mod demo;
mod doctor;
mod dump;
mod exec;
mod explain;
mod port_forward;
mod rbac;
mod sandbox;
mod session;
mod targets;

use anyhow::{Context, Result, bail};
use mirrord_config::{Flags, LoadedConfig};
use mirrord_supervisor::tell;

use crate::cli::launch::Place;
use crate::cli::{Cli, Command, ConfigCommand};
use mirrord_target::Target;

/// Exit status when the program was never started (as `env(1)`, `timeout(1)` and `ssh(1)` use
/// numbers above the usual ones for their own failures).
pub const EXIT_FAILED_TO_START: i32 = 125;

/// Exit status of a command line that cannot be understood (clap's).
pub const EXIT_USAGE: i32 = 2;

/// Runs a command; the result is our exit status.
pub fn run(cli: Cli) -> Result<i32> {
    let Some(command) = cli.command else {
        return stdio(&cli.log, cli.no_daemon);
    };
    anyhow::ensure!(!cli.stdio, "--stdio stands alone, without a command");
    // The daemon writes its log elsewhere.
    if !matches!(command, Command::Daemon { command: None, .. }) {
        start_log(&cli.log);
    }
    match command {
        Command::Exec(arguments) => exec::run(*arguments, cli.log),
        Command::PortForward(arguments) => port_forward::run(arguments),
        Command::Dump(arguments) => dump::run(&arguments),
        Command::Targets(arguments) => targets::run(&arguments),
        Command::Sandbox { command } => sandbox::run(command),
        Command::Daemon { command, idle } => daemon::run(command, idle, cli.log),
        Command::Doctor { json } => doctor::run(json),
        Command::Rbac(arguments) => rbac::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Config {
            command: ConfigCommand::Verify(arguments),
        }
        | Command::VerifyConfig(arguments) => config::verify(arguments),
        Command::Completions { shell } => completions::run(shell),
        Command::Session { command } => session::run(command, cli.log),
        Command::Agent { command } => session::run_agent(command),
        Command::Demo => demo::run(),
        Command::NewKey { path } => {
            println!("{}", crate::key_file::create(&path)?);
            Ok(0)
        }
    }
}

/// The configuration of a command that uses a target, and the target. Warnings are told.
fn load(place: &Place, flags: &Flags) -> Result<(LoadedConfig, Target)> {
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let loaded = mirrord_config::load(place.config.as_deref(), &folder, flags)?;
    for warning in &loaded.warnings {
        tell(format_args!("{warning}"));
    }
    let name = place.target.clone().or_else(|| loaded.config.target_name());
    match name {
        Some(name) => Ok((loaded, name.parse()?)),
        None => bail!(
            "no target: give one with --target (for example --target sandbox/default, see \
             `mirrord-server targets`) or as `target` in a configuration file"
        ),
    }
}

/// Runs a command's work that has a target of its own. Signals are blocked while there is one
/// thread, so that those that come inherit it.
fn with_signals(work: impl Future<Output = Result<i32>>) -> Result<i32> {
    crate::session::signals::block()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")?
        .block_on(work)
}

fn stdio(log: &str, no_daemon: bool) -> Result<i32> {
    if no_daemon {
        crate::daemon::run_for_one(log)?;
        return Ok(0);
    }
    crate::stdio::run(log)
}

/// Logs go to stderr, and only when asked for: a program's own output must stay readable.
fn start_log(filter: &str) {
    // What goes wrong with a request is told once, by us, with what was tried.
    let whole = format!("kube_client=off,{filter}");
    let filter = tracing_subscriber::EnvFilter::try_new(whole).unwrap_or_else(|error| {
        tell(format_args!(
            "--log {filter:?} is not a log filter ({error}); using \"warn\""
        ));
        tracing_subscriber::EnvFilter::new("warn")
    });
    // A log that nobody reads any more is no reason to panic.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
}
