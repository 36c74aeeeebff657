//! The commands of the command line, one file each.

mod completions;
mod config;
mod daemon;
mod demo;
mod doctor;
mod exec;
mod explain;
mod sandbox;
mod session;
mod targets;

use anyhow::Result;
use mirrord_supervisor::tell;

use crate::cli::{Cli, Command, ConfigCommand};

/// Exit status when the program was never started (as `env(1)`, `timeout(1)` and `ssh(1)` use
/// numbers above the usual ones for their own failures).
pub const EXIT_FAILED_TO_START: i32 = 125;

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
        Command::Exec(arguments) => exec::run(arguments, cli.log),
        Command::Targets { json } => targets::run(json),
        Command::Sandbox { command } => sandbox::run(command),
        Command::Daemon { command, idle } => daemon::run(command, idle, cli.log),
        Command::Doctor { json } => doctor::run(json),
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

fn stdio(log: &str, no_daemon: bool) -> Result<i32> {
    if no_daemon {
        crate::daemon::run_for_one(log)?;
        return Ok(0);
    }
    crate::stdio::run(log)
}

/// Logs go to stderr, and only when asked for: a program's own output must stay readable.
fn start_log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|error| {
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
