//! Where this user's sandboxes are kept.

use anyhow::{Context, Result};
use mirrord_sandbox::Sandboxes;

use crate::runtime_dir;

/// This user's sandboxes, made of processes of this binary.
pub fn sandboxes() -> Result<Sandboxes> {
    let program = std::env::current_exe().context("could not find our own executable")?;
    Ok(Sandboxes::new(
        runtime_dir::user_folder()?.join("sandboxes"),
        program,
    ))
}
