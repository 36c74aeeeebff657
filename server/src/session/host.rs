//! The role `@session`: a session as a process of its own, which outlives whoever started it.
//!
//! It is started in the environment of the user who launches (never the daemon's own), resolves
//! the configuration there, tells its starter how the start goes, and then goes on alone, writing
//! its log into its folder. A starter that goes away before the end of the start cancels it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_config::{ConfigErrors, Flags, LoadedConfig, Surroundings};
use mirrord_protocol::session_control::{
    ConfigSource, PortMode, Prepared, SessionError, SessionOptions, SessionState, StartNews,
};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::parts::Parts;
use super::signals::{self, Signals};
use super::spawn::HEARD;
use super::start::{SUPERVISOR_SOCKET, random_id, start_in};
use super::{About, AgentChoice, End, Launch, Options, Work, logs, refusal, serve};
use crate::events::{self, EventLog, Wanted};
use crate::runtime_dir::SessionFolder;
use mirrord_target::Target;

/// The file in a session's folder that says what it was started with.
const OPTIONS_FILE: &str = "options";

/// Runs a session to its end. `starter` is the connection to whoever started it.
pub fn run(options: SessionOptions, starter: OwnedFd) -> Result<()> {
    let starter = Starter(StdUnixStream::from(starter));
    match begin(options, &starter) {
        Ok(()) => Ok(()),
        Err(error) => {
            tracing::error!("the session could not be started: {}", error.message);
            starter.tell(&StartNews::Failed(error));
            Ok(())
        }
    }
}

fn begin(options: SessionOptions, starter: &Starter) -> Result<(), SessionError> {
    let internal = |error: anyhow::Error| refusal::of("internal", &error);
    crate::roles::refuse_if_supervised().map_err(internal)?;
    let folder = random_id()
        .and_then(|id| SessionFolder::create(&id))
        .map_err(internal)?;
    logs::write_to(folder.path()).map_err(internal)?;
    keep_options(folder.path(), &options).map_err(internal)?;
    crate::roles::start_log(&options.log);
    starter.step("reading the configuration");
    let config = load(&options)?;
    let target = target(&options, &config)?;
    // While there is one thread: those that come inherit it.
    signals::block().map_err(internal)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")
        .map_err(internal)?;
    let ended = runtime.block_on(live(folder, options, config, target, starter));
    // A look-up of a name that nobody answers would hold up the end for as long as it takes.
    runtime.shutdown_background();
    ended
}

/// What the session was started with, for who wants the same again. No secrets are in it.
fn keep_options(folder: &Path, options: &SessionOptions) -> Result<()> {
    let text = serde_json::to_vec(options).context("could not write the session's options")?;
    std::fs::write(folder.join(OPTIONS_FILE), text).context("could not write the session's options")
}

/// What the session of a folder was started with; `None`: it runs in the foreground.
pub fn options_of(folder: &Path) -> Result<Option<SessionOptions>> {
    let path = folder.join(OPTIONS_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("could not read {}", path.display()));
        }
    };
    let options = serde_json::from_slice(&text);
    options.with_context(|| format!("{} is of another version", path.display()))
}

async fn live(
    folder: SessionFolder,
    options: SessionOptions,
    config: LoadedConfig,
    target: Target,
    starter: &Starter,
) -> Result<(), SessionError> {
    let internal = |error: anyhow::Error| refusal::of("internal", &error);
    let signals = Signals::listen().map_err(internal)?;
    let mut news = starter.listen().map_err(internal)?;
    let expires = Duration::from_millis(options.expires_ms);
    let keep_agent = Duration::from_millis(options.keep_agent_ms);
    let mut warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let config_file = config.file.clone();
    tokio::spawn(logs::keep_small(folder.path().to_owned()));
    let step = |text: &str| starter.step(text);
    let started = start_in(folder, session_options(options, config, target), &step);
    let mut parts = tokio::select! {
        parts = started => parts.map_err(|error| failed(&error))?,
        // What was begun goes with its handles.
        () = gone(&mut news) => return Err(refusal::plain("cancelled", "the start was cancelled")),
        _signal = signals.next() => {
            return Err(refusal::plain("cancelled", "the session was ended by a signal"));
        }
    };
    warnings.append(&mut parts.agent_notes);
    let expires_at = ready(&mut parts, expires);
    let prepared = prepared(&parts, expires_at, config_file, warnings).map_err(internal)?;
    starter.tell(&StartNews::Ready(Box::new(prepared)));
    let is_heard = tokio::select! {
        heard = tokio::time::timeout(expires, heard(&mut news)) => heard.unwrap_or(false),
        _signal = signals.next() => false,
    };
    if !is_heard {
        let end = End::Stopped("the start was cancelled".into(), Duration::ZERO);
        parts.end(&end).await.close().await;
        return Ok(());
    }
    let end = serve(&mut parts, &signals).await;
    parts.end(&end).await.keep_warm(keep_agent, &signals).await;
    Ok(())
}

/// The session waits for its first process from now on.
fn ready(parts: &mut Parts, expires: Duration) -> String {
    parts.life.keep(expires);
    let expires_at = events::after(expires);
    let state = SessionState::Ready {
        expires_at: Some(expires_at.clone()),
    };
    let reason = format!("linked to {}", parts.target);
    parts.board.enter(state, &reason);
    expires_at
}

fn prepared(
    parts: &Parts,
    expires_at: String,
    config_file: Option<std::path::PathBuf>,
    warnings: Vec<String>,
) -> Result<Prepared> {
    let us = std::env::current_exe().context("could not find our own executable")?;
    let socket = parts.folder.join(SUPERVISOR_SOCKET);
    Ok(Prepared {
        session_id: parts.folder.id().to_owned(),
        folder: parts.folder.path().to_owned(),
        expires_at,
        layer: crate::provider::local::beside_us("libmirrord_layer.so")?,
        launcher: vec![
            us.to_string_lossy().into_owned(),
            crate::roles::Role::Launch.argument().to_owned(),
            socket.to_string_lossy().into_owned(),
        ],
        socket,
        token: parts.token.clone(),
        target: parts.target.to_string(),
        config_file,
        warnings,
        was_warm: parts.was_warm,
    })
}

fn session_options(options: SessionOptions, config: LoadedConfig, target: Target) -> Options {
    Options {
        config,
        target,
        agent: AgentChoice::Start,
        events: EventLog::kept(Wanted::Remote),
        work: Work::Launch(Launch {
            expires: Duration::from_millis(options.expires_ms),
            working_directory: options.working_directory,
            program: options.program,
            tools: options.tools,
        }),
        about: About {
            name: options.name,
            workspace: options.workspace,
            owned_by: options.owned_by,
            chosen: options.config.chosen,
        },
        log: options.log,
    }
}

/// Whether a session could be started with these options, as far as its configuration says.
pub fn check_config(
    options: &SessionOptions,
    environment: &[(OsString, OsString)],
) -> Result<(), ConfigErrors> {
    let env = environment.iter().filter_map(|(name, value)| {
        let name = name.to_str()?.to_owned();
        Some((name, value.to_string_lossy().into_owned()))
    });
    let source = &options.config;
    let git_branch = || mirrord_config::git_branch(&source.folder);
    let surroundings = Surroundings {
        env: env.collect(),
        git_branch: &git_branch,
    };
    let file = source.file.as_deref();
    mirrord_config::load_in(file, &source.folder, &flags(source), &surroundings).map(drop)
}

fn flags(source: &ConfigSource) -> Flags {
    Flags {
        target: source.target.clone(),
        steal: source.incoming == Some(PortMode::Steal),
        mirror: source.incoming == Some(PortMode::Mirror),
        ..Flags::default()
    }
}

fn load(options: &SessionOptions) -> Result<LoadedConfig, SessionError> {
    let source = &options.config;
    let flags = flags(source);
    mirrord_config::load(source.file.as_deref(), &source.folder, &flags).map_err(|errors| {
        let error = refusal::plain("config", &errors.to_string());
        refusal::with_help(error, "correct the configuration and launch again")
    })
}

fn target(options: &SessionOptions, config: &LoadedConfig) -> Result<Target, SessionError> {
    let name = options
        .config
        .target
        .clone()
        .or_else(|| config.config.target_name());
    let Some(name) = name else {
        let error = refusal::plain("targetRequired", "no target was chosen");
        let help = "choose a target, or write one into the configuration (`target`)";
        return Err(refusal::with_help(error, help));
    };
    name.parse()
        .map_err(|error: mirrord_target::TargetError| refusal::plain("target", &error.to_string()))
}

/// What went wrong at the start is mostly about the target and its agent.
fn failed(error: &anyhow::Error) -> SessionError {
    let kind = match error.downcast_ref::<mirrord_config::ConfigErrors>() {
        Some(_) => "config",
        None => "agent",
    };
    refusal::of(kind, error)
}

/// Completes when the starter is gone.
async fn gone(news: &mut UnixStream) {
    let mut byte = [0];
    while news.read(&mut byte).await.is_ok_and(|read| read > 0) {}
}

/// Whether the starter took note that we are ready, before it went away.
async fn heard(news: &mut UnixStream) -> bool {
    news.read_u8().await.is_ok_and(|word| word == HEARD)
}

/// Whoever started us, and listens until everything stands.
struct Starter(StdUnixStream);

impl Starter {
    fn step(&self, text: &str) {
        self.tell(&StartNews::Step {
            text: text.to_owned(),
        });
    }

    /// A few short lines: they always fit. Who is gone is noticed by [`gone`].
    fn tell(&self, news: &StartNews) {
        let Ok(mut line) = serde_json::to_string(news) else {
            return;
        };
        line.push('\n');
        let sent = std::io::Write::write_all(&mut &self.0, line.as_bytes());
        if let Err(error) = sent {
            tracing::debug!("nobody hears how the start goes: {error}");
        }
    }

    /// The other direction, on which nothing comes but the end.
    fn listen(&self) -> Result<UnixStream> {
        self.0.set_nonblocking(true)?;
        // Whole: a half that is dropped would shut its direction down, for all copies.
        Ok(UnixStream::from_std(self.0.try_clone()?)?)
    }
}
