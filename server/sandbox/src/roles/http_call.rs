//! `sandbox-http FOLDER PLACE`: makes the HTTP call that stands as JSON on the standard input from
//! the network of a place, and writes the answer as JSON to the standard output.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::enter::Entrance;
use crate::http::HttpCall;

pub(super) fn run(arguments: &[OsString]) -> Result<i32> {
    let [folder, place] = arguments else {
        bail!("expected a folder and a place")
    };
    let place = place
        .to_string_lossy()
        .parse()
        .map_err(anyhow::Error::msg)?;
    let call: HttpCall =
        serde_json::from_reader(io::stdin()).context("could not understand the call")?;
    Entrance::open(Path::new(folder))?.enter_network(place)?;
    let answer = call.make()?;
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &answer).context("could not write the answer")?;
    stdout.flush().context("could not write the answer")?;
    Ok(0)
}
