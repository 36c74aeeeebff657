//! The `unit` stage: every crate's own tests, which need no built product.

use anyhow::{Context, Result};

use super::Count;
use crate::command::{cargo, root};

/// Runs them.
pub fn run() -> Result<Count> {
    crate::prerequisites::say_what_is_missing(crate::prerequisites::UNIT)?;
    let mut command = cargo();
    command.current_dir(root()).args([
        "test",
        "--workspace",
        "--exclude",
        "mirrord-tests",
        "--exclude",
        "mirrord-cluster-tests",
        "--no-fail-fast",
    ]);
    println!("-- {command:?}");
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    print!("{printed}");
    Ok(Count::of_rust_tests(&printed, output.status.success()))
}
