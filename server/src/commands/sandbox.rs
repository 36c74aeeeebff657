//! `mirrord-server sandbox up|down|list|exec`.

use std::os::unix::process::ExitStatusExt;

use anyhow::Result;
use mirrord_sandbox::{SandboxSpec, State};

use crate::cli::SandboxCommand;
use crate::sandboxes::sandboxes;

/// Runs one of them.
pub fn run(command: SandboxCommand) -> Result<i32> {
    let sandboxes = sandboxes()?;
    match command {
        SandboxCommand::Up { name } => {
            let sandbox = sandboxes.up(&SandboxSpec::new(&name))?;
            println!(
                "sandbox/{name} is up; its pod is process {}",
                sandbox.target_pid()
            );
            println!("run something in it: mirrord-server exec --target sandbox/{name} -- CMD");
        }
        SandboxCommand::Down { name, all: false } => sandboxes.down(&name)?,
        SandboxCommand::Down { all: true, .. } => {
            for (info, state) in sandboxes.list()? {
                if state != State::Dead {
                    sandboxes.down(&info.name)?;
                }
            }
        }
        SandboxCommand::List { json: true } => {
            let rows: Vec<_> = sandboxes
                .list()?
                .into_iter()
                .map(|(info, state)| serde_json::json!({ "state": state, "info": info }))
                .collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        SandboxCommand::List { json: false } => {
            println!("{:<20} {:<12} {:>8}  SERVICES", "NAME", "STATE", "PID");
            for (info, state) in sandboxes.list()? {
                let state = match state {
                    State::Running => "running",
                    State::TargetGone => "target gone",
                    State::Dead => "dead",
                };
                let services: Vec<String> = info
                    .services
                    .iter()
                    .map(|service| format!("{}:{}", service.name, service.port))
                    .collect();
                println!(
                    "{:<20} {state:<12} {:>8}  {}",
                    info.name,
                    info.target_pid,
                    services.join(" ")
                );
            }
        }
        SandboxCommand::Exec { name, command } => {
            let status = sandboxes.find(&name)?.exec(&command)?;
            return Ok(status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
        }
    }
    Ok(0)
}
