//! `mirrord-server`: runs local programs as if they were inside a pod.
//!
//! One binary in several roles. The command line below is for people; the roles of [`roles`] are
//! started by the product itself and are the separate processes of a session.

// It panics when nobody reads stderr any more, see `tell`.
#![warn(clippy::print_stderr)]

mod cli;
mod commands;
mod daemon;
mod doctor;
mod dump;
mod events;
mod explain;
mod forward;
mod key_file;
mod provider;
mod roles;
mod runtime_dir;
mod sandboxes;
mod session;
mod stand_in;
mod stdio;

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
    if let Err(error) = stand_in::stand_in(std::env::args_os().skip(1)) {
        tell(format_args!("{error:#}"));
        std::process::exit(commands::EXIT_FAILED_TO_START);
    }
    if let Some(answer) = cli::elsewhere::answer(std::env::args_os().skip(1)) {
        tell(format_args!("{answer}"));
        std::process::exit(commands::EXIT_USAGE);
    }
    let cli = cli::Cli::parse();
    let status = commands::run(cli).unwrap_or_else(|error| {
        tell(format_args!("{error:#}"));
        commands::EXIT_FAILED_TO_START
    });
    std::process::exit(status);
}
