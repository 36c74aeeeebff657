//! `cargo xtask test [STAGE…]`: the one command that people and CI share.
//!
//! Each stage says what it runs and closes with its count; the last line is the sum. What could
//! not be run says why and counts as skipped, never as passed.

pub mod cluster;
mod count;
mod failures;
mod lint;
mod node;
mod protocol;
mod sandbox;
mod unit;
mod vscode;

use anyhow::Result;
use clap::ValueEnum;

pub use count::Count;

/// A stage of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Formatting, warnings, licences, generated files.
    Lint,
    /// Every crate's own tests.
    Unit,
    /// End to end in namespaces of this machine, as root and as an ordinary user; the demo.
    Sandbox,
    /// A client that nobody here wrote, against the daemon.
    Protocol,
    /// A real Kubernetes on this machine, and programs in its pods.
    Cluster,
    /// A real VS Code with the packed extension and real debuggers.
    Vscode,
}

const ALL: [Stage; 6] = [
    Stage::Lint,
    Stage::Unit,
    Stage::Sandbox,
    Stage::Protocol,
    Stage::Cluster,
    Stage::Vscode,
];

/// Runs the stages (all when none is named); `false` when something failed.
pub fn run(stages: &[Stage]) -> Result<bool> {
    let stages = if stages.is_empty() { &ALL[..] } else { stages };
    let mut total = Count::default();
    for stage in stages {
        let name = stage
            .to_possible_value()
            .map(|value| value.get_name().to_owned());
        let name = name.unwrap_or_default();
        let started = std::time::Instant::now();
        println!("== stage {name}");
        let count = match stage {
            Stage::Lint => lint::run(),
            Stage::Unit => unit::run(),
            Stage::Sandbox => sandbox::run(),
            Stage::Protocol => protocol::run(),
            Stage::Cluster => cluster::run(),
            Stage::Vscode => vscode::run(),
        };
        let count = count.unwrap_or_else(|error| {
            let broke_off = format!("stage {name} broke off: {error:#}");
            println!("{broke_off}");
            Count::one(false, &broke_off)
        });
        println!("== stage {name} took {} s", started.elapsed().as_secs());
        println!("{name}: {count}");
        total += count;
    }
    if !total.failures.is_empty() {
        println!("== what failed, once more");
    }
    for failure in &total.failures {
        println!("{failure}");
    }
    println!("{total}");
    Ok(total.failed == 0 && total.passed > 0)
}
