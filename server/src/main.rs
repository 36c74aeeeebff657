//! `mirrord-server`: runs local programs as if they were inside a pod.
//!
//! One binary in several roles. The command line below is for people; the roles of [`roles`] are
//! started by the product itself and are the separate processes of a session.

// It panics when nobody reads stderr any more, see `tell`.
#![warn(clippy::print_stderr)]

mod cli;
mod commands;
mod events;
mod key_file;
mod provider;
mod roles;
mod runtime_dir;
mod sandboxes;
mod session;
mod target;

use clap::Parser;
use mirrord_supervisor::tell;

fn main() {
    if let Some(status) = mirrord_sandbox::run_role(std::env::args_os()) {
        std::process::exit(status);
    }
    let mut arguments = std::env::args_os();
    let role = arguments.nth(1);
    if let Some(role) = role.as_deref().and_then(roles::Role::from_argument) {
        std::process::exit(roles::run(role, arguments.collect()));
    }
    let cli = cli::Cli::parse();
    start_log(&cli.log);
    let status = commands::run(cli.command, cli.log).unwrap_or_else(|error| {
        tell(format_args!("{error:#}"));
        commands::EXIT_FAILED_TO_START
    });
    std::process::exit(status);
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
