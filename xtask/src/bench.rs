//! `cargo xtask bench`: what our way costs beside the plain program, in one run.
//!
//! The three namespaces are a sandbox's: its client's is the developer's machine, the pod is the
//! pod, and its service's network is reached by the pod only. *plain* is the program inside the
//! pod. *bare* is the program on the developer's machine behind two small epoll relays, one in
//! the place of the session and one in the place of the agent: the limit of this shape. *ours* is
//! the program on the developer's machine through `exec`, over a TCP link across the veth. Each
//! figure is a median of rounds; the ratios are what counts. What an editor waits for (the daemon,
//! the language features) has no plain side: there the figures themselves count.

mod client;
pub mod cluster;
mod daemon;
mod figures;
mod language;
mod operations;
mod stage;

use std::path::Path;

use anyhow::{Context, Result};

use figures::Figure;

/// Measures, prints a table, and writes the JSON list.
pub fn run(json: Option<&Path>, only: &str) -> Result<()> {
    let stage = stage::Stage::set()?;
    let mut figures: Vec<Figure> = Vec::new();
    println!("{}", figures::heading());
    for operation in operations::ALL
        .iter()
        .filter(|operation| operation.name.contains(only))
    {
        let figure = operation.measure(&stage).unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", operation.name);
            Figure {
                operation: operation.name,
                plain: None,
                bare: None,
                ours: None,
                unit: operation.unit,
            }
        });
        println!("{figure}");
        figures.push(figure);
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&figures)?)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    stage.clear()
}
