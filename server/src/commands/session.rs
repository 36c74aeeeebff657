//! `mirrord-server session …` and `mirrord-server agent …`: what runs, what happens in it, and
//! ending it. Sessions are found by their folders, so no daemon is needed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_protocol::session_control::{
    ConfigSource, OwnedBy, PortMode, SessionOptions, SessionRequest,
};
use tokio_util::sync::CancellationToken;

use crate::cli::{AgentCommand, PrepareSession, SessionCommand};
use crate::session::client::{Pushed, SessionClient};
use crate::session::{host, list, spawn};

/// How long a prepared session waits for its first process.
pub const EXPIRES: Duration = Duration::from_secs(60);
/// How long an agent is kept for the next session of its target.
pub const KEEP_AGENT: Duration = Duration::from_secs(60);

/// Programs of a session that is restarted get this long to end by themselves.
const RESTART_GRACE_MS: u64 = 2_000;

/// Runs `session …`; the result is our exit status.
pub fn run(command: SessionCommand, log: String) -> Result<i32> {
    in_runtime(async {
        match command {
            SessionCommand::Prepare(arguments) => prepare(arguments, log).await?,
            SessionCommand::List { json } => show_list(json).await?,
            SessionCommand::Events { id, since, local } => events(&id, since, local).await?,
            SessionCommand::Logs { id, lines } => {
                let (session, agent) = find(&id).await?.logs(lines).await?;
                for line in session {
                    println!("{line}");
                }
                for line in agent {
                    println!("agent: {line}");
                }
            }
            SessionCommand::Restart { id } => restart(&id).await?,
            SessionCommand::Stop {
                id,
                grace_ms,
                leave,
            } => {
                find(&id).await?.stop(grace_ms, !leave).await?;
            }
            SessionCommand::Ask { id, request } => {
                let request: SessionRequest = serde_json::from_str(&request)
                    .context("that is no question of the session's protocol")?;
                let answer = find(&id).await?.ask(request).await?;
                println!("{}", serde_json::to_string(&answer)?);
            }
        }
        Ok(0)
    })
}

/// Runs `agent …`; the result is our exit status.
pub fn run_agent(command: AgentCommand) -> Result<i32> {
    in_runtime(async {
        match command {
            AgentCommand::List { json } => agents(json).await?,
            AgentCommand::Stop { id } => find(&id).await?.stop_agent().await?,
        }
        Ok(0)
    })
}

fn in_runtime(work: impl Future<Output = Result<i32>>) -> Result<i32> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")?
        .block_on(work)
}

/// Makes a session and prints what a program needs to be launched into it.
async fn prepare(arguments: PrepareSession, log: String) -> Result<()> {
    crate::roles::refuse_if_supervised()?;
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let incoming = match (arguments.incoming.steal, arguments.incoming.mirror) {
        (true, _) => Some(PortMode::Steal),
        (_, true) => Some(PortMode::Mirror),
        _ => None,
    };
    let file = arguments
        .place
        .config
        .map(std::path::absolute)
        .transpose()?;
    let options = SessionOptions {
        name: arguments.name,
        workspace: Some(folder.clone()),
        owned_by: OwnedBy::User,
        config: ConfigSource {
            file,
            chosen: None,
            folder: folder.clone(),
            target: arguments.place.target,
            incoming,
        },
        working_directory: folder,
        program: arguments.program,
        tools: Vec::new(),
        expires_ms: arguments.expires_ms.unwrap_or(millis(EXPIRES)),
        keep_agent_ms: arguments.keep_agent_ms.unwrap_or(millis(KEEP_AGENT)),
        log,
    };
    start(&options, &std::env::vars_os().collect::<Vec<_>>()).await
}

/// Ends a session and makes the same one again, in the environment that it was started in.
async fn restart(id: &str) -> Result<()> {
    crate::roles::refuse_if_supervised()?;
    let Some(found) = list::find(id).await? else {
        bail!("there is no session {id:?} (see `mirrord-server session list`)");
    };
    let Some(options) = host::options_of(found.client.folder())? else {
        bail!(
            "session {id} runs in the foreground of `exec`: end it there (Ctrl-C) and run the \
             command again"
        );
    };
    let environment = std::fs::read(format!("/proc/{}/environ", found.status.pid))
        .with_context(|| format!("could not read the environment of session {id}"))?;
    let environment: Vec<(OsString, OsString)> = environment
        .split(|&byte| byte == 0)
        .filter_map(|variable| {
            let at = variable.iter().position(|&byte| byte == b'=')?;
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((text(&variable[..at]), text(&variable[at + 1..])))
        })
        .collect();
    // A file that is wrong meanwhile costs no session that runs.
    host::check_config(&options, &environment)?;
    found.client.stop(RESTART_GRACE_MS, true).await?;
    start(&options, &environment).await
}

async fn start(options: &SessionOptions, environment: &[(OsString, OsString)]) -> Result<()> {
    let step = |text: &str| tracing::info!("{text}");
    let cancel = CancellationToken::new();
    let prepared = spawn::prepare(options, environment, step, &cancel)
        .await
        .map_err(explained)?;
    println!("{}", serde_json::to_string_pretty(&prepared)?);
    Ok(())
}

fn explained(error: mirrord_protocol::session_control::SessionError) -> anyhow::Error {
    let mut text = error.message;
    for cause in &error.causes {
        text.push_str(": ");
        text.push_str(cause);
    }
    if let Some(help) = error.help {
        text.push_str("; ");
        text.push_str(&help);
    }
    anyhow::anyhow!("{text}")
}

async fn show_list(json: bool) -> Result<()> {
    let found = list::sessions().await?;
    let rows: Vec<_> = found.into_iter().map(|found| found.status).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let running = rows.iter().filter(|row| row.warm_until.is_none());
    println!("{:<18} {:<13} {:<24} NAME", "ID", "STATE", "TARGET");
    for row in running {
        println!(
            "{:<18} {:<13} {:<24} {}",
            row.id,
            row.state.name(),
            row.target,
            row.name
        );
    }
    Ok(())
}

async fn agents(json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for found in list::sessions().await? {
        let agent = found.client.agent_status().await?;
        rows.push((found.status, agent));
    }
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(session, agent)| serde_json::json!({ "session": session.id, "agent": agent }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    println!(
        "{:<18} {:<13} {:<24} {:<11} POD",
        "SESSION", "PHASE", "TARGET", "ROUND TRIP"
    );
    for (session, agent) in rows {
        let (mut pods, id) = (agent.agents.iter(), &session.id);
        let pod = pods.next().map_or("-", |first| &first.pod);
        line(id, &agent.phase, &agent.target, agent.round_trip_us, pod);
        for other in pods {
            line(
                id,
                &other.phase,
                &agent.target,
                other.round_trip_us,
                &other.pod,
            );
        }
    }
    Ok(())
}

fn line(session: &str, phase: &str, target: &str, round_trip_us: Option<u64>, pod: &str) {
    let time = round_trip_us.map_or("-".into(), |time| format!("{time} µs"));
    println!("{session:<18} {phase:<13} {target:<24} {time:<11} {pod}");
}

/// One JSON object a line, until the session is gone.
async fn events(id: &str, since: u64, local: bool) -> Result<()> {
    use std::io::Write;
    let mut events = find(id).await?.subscribe(since, local).await?;
    let mut out = std::io::stdout();
    while let Some(pushed) = events.next().await? {
        let line = match pushed {
            Pushed::Event(event) => serde_json::to_string(&event)?,
            Pushed::Dropped(count) => {
                serde_json::json!({ "kind": "dropped", "count": count }).to_string()
            }
        };
        // A reader that went away has seen enough.
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    Ok(())
}

async fn find(id: &str) -> Result<SessionClient> {
    match list::find(id).await? {
        Some(found) => Ok(found.client),
        None => bail!("there is no session {id:?} (see `mirrord-server session list`)"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
