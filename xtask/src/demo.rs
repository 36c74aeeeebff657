//! `cargo xtask demo`: from a clone to the product's main job in one command.

use std::process::Command;

use anyhow::Result;

use crate::{build, command, prerequisites};

/// Builds everything and runs `mirrord-server demo`.
pub fn run() -> Result<()> {
    prerequisites::say_what_is_missing(prerequisites::DEMO)?;
    let folder = build::product(build::Profile::Release)?;
    command::run(Command::new(folder.join("mirrord-server")).arg("demo"))
}
