//! Everything that is built, tried, tested and measured here: `cargo xtask …`.

mod agent_image;
mod bench;
mod build;
mod cluster;
mod command;
mod demo;
mod fuzz;
mod licences;
mod prerequisites;
mod schemas;
mod test;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Build, try, test and measure mirrord-server")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build server, layer and agent; prints the folder they are in.
    Build {
        /// Unoptimised, with debug information.
        #[arg(long)]
        dev: bool,
    },
    /// Build everything and run the demo.
    Demo,
    /// Measure against the plain program and a bare chain of relays, in one run.
    Bench {
        /// Also write the figures to FILE, as a JSON list.
        #[arg(long, value_name = "FILE")]
        json: Option<std::path::PathBuf>,
        /// In a cluster of namespaces on this machine instead (root).
        #[arg(long)]
        cluster: bool,
        /// Only operations whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Make the agent's image: an archive for `docker load`, `kind load image-archive`, `ctr images
    /// import`.
    AgentImage {
        /// The archive.
        #[arg(long, value_name = "FILE", default_value = "mirrord-agent.tar")]
        out: std::path::PathBuf,
    },
    /// Search for inputs that break a promise (see `fuzz/README.md`); in all targets, or those named.
    Fuzz {
        /// Targets.
        targets: Vec<String>,
        /// How long in each.
        #[arg(long, default_value_t = 300)]
        seconds: u32,
    },
    /// Make the JSON Schemas and the pages about configuration and protocol from the code.
    Schemas {
        /// Write nothing; fail when a file is not as the code says.
        #[arg(long)]
        check: bool,
    },
    /// Run the tests: all stages, or those named (lint, unit, sandbox, protocol, cluster, vscode).
    Test {
        /// Stages.
        stages: Vec<test::Stage>,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Build { dev } => {
            let folder = build::product(if dev {
                build::Profile::Dev
            } else {
                build::Profile::Release
            })?;
            println!("{}", folder.display());
        }
        Command::Demo => demo::run()?,
        Command::Bench {
            json,
            cluster: true,
            only,
        } => bench::cluster::run(json.as_deref(), &only)?,
        Command::Bench { json, only, .. } => bench::run(json.as_deref(), &only)?,
        Command::AgentImage { out } => agent_image::write(&out)?,
        Command::Fuzz { targets, seconds } => fuzz::search(&targets, seconds)?,
        Command::Schemas { check } => {
            if !schemas::run(check)? {
                std::process::exit(1);
            }
        }
        Command::Test { stages } => {
            if !test::run(&stages)? {
                std::process::exit(1);
            }
        }
    }
    Ok(())
}
