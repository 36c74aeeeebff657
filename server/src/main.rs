//! `mirrord-server`: runs local programs as if they were inside a pod.
//!
//! One binary in several roles. The command line below is for people; the roles of [`roles`] are
//! started by the product itself and are the separate processes of a session.

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
        eprintln!("mirrord-server: {error:#}");
        commands::EXIT_FAILED_TO_START
    });
    std::process::exit(status);
}

/// Logs go to stderr, and only when asked for: a program's own output must stay readable.
fn start_log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|error| {
        eprintln!("mirrord-server: --log {filter:?} is not a log filter ({error}); using \"warn\"");
        tracing_subscriber::EnvFilter::new("warn")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
