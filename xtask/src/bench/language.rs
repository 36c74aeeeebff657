//! The language features on a configuration of 2,000 lines, measured by the crate's own example
//! beside the code: no daemon and no pipe are in these figures.

use std::process::Command;

use anyhow::Result;

use super::stage::{Stage, result};

/// What 95 of 100 answers of `feature` stay under, in ms; each follows an edit.
pub fn p95(stage: &Stage, language: &str, feature: &str) -> Result<f64> {
    let speed = stage.example("mirrord-language", "speed")?;
    result(Command::new(speed).args([language, feature]))
}
