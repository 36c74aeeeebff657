//! `mirrord-server completions`.

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::Cli;

/// Prints a shell's completions.
pub fn run(shell: clap_complete::Shell) -> Result<i32> {
    let mut command = Cli::command();
    clap_complete::generate(
        shell,
        &mut command,
        "mirrord-server",
        &mut std::io::stdout(),
    );
    Ok(0)
}
