//! Our executable in place of another one.
//!
//! Some settings take one executable and no arguments (`dlvToolPath` for Go). The launch table names
//! us there, and in a variable the program that is meant; then we are its launcher.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::roles::{Role, SUPERVISOR_VARIABLE};

/// Names the program.
const STAND_FOR: &str = mirrord_launch::STAND_FOR;

/// Becomes the launcher of the program that the environment names, with the same arguments;
/// returns when there is none, and with an error when it cannot.
pub fn stand_in(arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let Some(program) = std::env::var_os(STAND_FOR) else {
        return Ok(());
    };
    let socket = std::env::var_os(SUPERVISOR_VARIABLE).with_context(|| {
        format!("{STAND_FOR} is set without {SUPERVISOR_VARIABLE}: unset both, they are left over")
    })?;
    let us = std::env::current_exe().context("could not find our own executable")?;
    let error = Command::new(us)
        .arg(Role::Launch.argument())
        .arg(socket)
        .arg(&program)
        .args(arguments)
        .env_remove(STAND_FOR)
        .exec();
    Err(error).with_context(|| format!("could not start the launcher of {}", program.display()))
}
