//! `mirrord-server dump`.

use anyhow::Result;

use crate::cli::Dump;
use crate::cli::launch::{self, Incoming};
use crate::dump::{self, Style};

/// Prints until a signal; the result is our exit status.
pub fn run(arguments: &Dump) -> Result<i32> {
    crate::roles::refuse_if_supervised()?;
    let flags = launch::flags(&arguments.place, Incoming::default(), None);
    let (config, target) = super::load(&arguments.place, &flags)?;
    let cluster = crate::provider::ClusterTerms::of_network(&config, true);
    let style = match arguments.json {
        true => Style::Json,
        false => Style::Text,
    };
    let mut ports = arguments.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    match super::with_signals(dump::run(target, cluster, &ports, style))? {
        0 => Ok(0),
        signal => Ok(128 + signal),
    }
}
