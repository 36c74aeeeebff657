//! The commands of the command line, one file each.

mod demo;
mod exec;
mod sandbox;
mod targets;

use anyhow::Result;

use crate::cli::Command;

/// Exit status when the program was never started (as `env(1)`, `timeout(1)` and `ssh(1)` use
/// numbers above the usual ones for their own failures).
pub const EXIT_FAILED_TO_START: i32 = 125;

/// Runs a command; the result is our exit status.
pub fn run(command: Command, log: String) -> Result<i32> {
    match command {
        Command::Exec(arguments) => exec::run(arguments, log),
        Command::Targets { json } => targets::run(json),
        Command::Sandbox { command } => sandbox::run(command),
        Command::Demo => demo::run(),
        Command::NewKey { path } => {
            println!("{}", crate::key_file::create(&path)?);
            Ok(0)
        }
    }
}
