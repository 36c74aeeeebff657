//! `mirrord-server exec`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mirrord_config::LoadedConfig;
use mirrord_protocol::session_control::OwnedBy;

use crate::cli::Exec;
use crate::events::{EventLog, Wanted};
use crate::session::{self, About, AgentChoice, Options, Work, signals};
use crate::target::Target;

/// Runs the program in its target; the result is its exit status.
pub fn run(arguments: Exec, log: String) -> Result<i32> {
    crate::roles::refuse_if_supervised()?;
    let config = load_config(&arguments)?;
    let target = target(&arguments, &config)?;
    let agent = agent(&arguments)?;
    let events = match &arguments.events {
        Some(path) => EventLog::to_file(path)?,
        None => EventLog::kept(Wanted::Nothing),
    };
    // While there is one thread: those that come inherit it.
    signals::block()?;
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
        },
        work: Work::Program(arguments.command),
        log,
    };
    runtime.block_on(session::run(options))
}

fn load_config(arguments: &Exec) -> Result<LoadedConfig> {
    let flags = mirrord_config::Flags {
        target: arguments.target.clone(),
        steal: arguments.steal,
        mirror: arguments.mirror,
        ..Default::default()
    };
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let loaded = mirrord_config::load(arguments.config.as_deref(), &folder, &flags)?;
    for warning in &loaded.warnings {
        mirrord_supervisor::tell(format_args!("{warning}"));
    }
    Ok(loaded)
}

fn target(arguments: &Exec, config: &LoadedConfig) -> Result<Target> {
    let name = arguments
        .target
        .clone()
        .or_else(|| config.config.target_name());
    match name {
        Some(name) => Ok(name.parse()?),
        None => bail!(
            "no target: give one with --target (for example --target sandbox/default, see \
             `mirrord-server targets`) or as `target` in a configuration file"
        ),
    }
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
