//! The product's three files, built side by side: server, layer and agent.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{cargo, root, run};

/// How they are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build.
    Dev,
    /// What users get.
    Release,
}

/// Builds them and returns their folder.
pub fn product(profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(root()).args([
        "build",
        "--package",
        "mirrord-server",
        "--package",
        "mirrord-layer",
        "--package",
        "mirrord-agent",
    ]);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    run(&mut command)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(folder))
}
