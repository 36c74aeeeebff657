//! `mirrord-server exec`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mirrord_protocol::session_control::OwnedBy;

use crate::cli::Exec;
use crate::events::{EventLog, Wanted};
use crate::session::{self, About, AgentChoice, Options, Work, signals};

/// Runs the program in its target; the result is its exit status.
pub fn run(arguments: Exec, log: String) -> Result<i32> {
    crate::roles::refuse_if_supervised()?;
    let (config, target) = super::load(&arguments.place, &arguments.flags())?;
    let agent = agent(&arguments)?;
    // While there is one thread (events are written by one of their own): those that come inherit it.
    signals::block()?;
    let events = match &arguments.events {
        Some(path) => EventLog::to_file(path)?,
        None => EventLog::kept(Wanted::Nothing),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")?;
    let options = Options {
        config,
        target,
        agent,
        events,
        about: About {
            name: arguments.command[0].to_string_lossy().into_owned(),
            workspace: std::env::current_dir().ok(),
            owned_by: OwnedBy::User,
            chosen: None,
        },
        work: Work::Program(arguments.command),
        log,
    };
    runtime.block_on(session::run(options))
}

/// `--agent ENDPOINT,FINGERPRINT,KEYFILE`, `--agent-tcp`, or our own.
fn agent(arguments: &Exec) -> Result<AgentChoice> {
    if let Some(address) = arguments.agent_tcp {
        return Ok(AgentChoice::StartOnTcp(address));
    }
    let Some(text) = &arguments.agent else {
        return Ok(AgentChoice::Start);
    };
    let parts: Vec<&str> = text.split(',').collect();
    let [endpoint, fingerprint, key] = parts[..] else {
        bail!("--agent wants ENDPOINT,FINGERPRINT,KEYFILE, not {text:?}");
    };
    Ok(AgentChoice::Join {
        endpoint: endpoint.parse()?,
        fingerprint: fingerprint.parse()?,
        key: PathBuf::from(Path::new(key)),
    })
}
