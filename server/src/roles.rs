//! The product's own processes, all of this binary: each is started by the session (or by a
//! sandbox) with its descriptors inherited and its options on stdin.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_protocol::codec;
use mirrord_supervisor::launch::Environment;
use mirrord_supervisor::tell;
use serde::{Deserialize, Serialize};

/// A role, chosen by the first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers the program's system calls.
    Supervisor,
    /// Shows the pod's files.
    FileServer,
    /// Installs the filter and becomes the program.
    Launch,
    /// Serves every editor of the user; its stdin is the listening socket.
    Daemon,
    /// A session that others launch programs into.
    Session,
    /// An agent in a cluster, for a session that takes it for a process of this machine.
    ClusterAgent,
}

impl Role {
    /// The argument that chooses it; no command of people begins with `@`.
    pub fn argument(self) -> &'static str {
        match self {
            Role::Supervisor => "@supervisor",
            Role::FileServer => "@file-server",
            Role::Launch => "@launch",
            Role::Daemon => "@daemon",
            Role::Session => "@session",
            Role::ClusterAgent => "@cluster-agent",
        }
    }

    /// The role that an argument names.
    pub fn from_argument(argument: &OsStr) -> Option<Role> {
        [
            Role::Supervisor,
            Role::FileServer,
            Role::Launch,
            Role::Daemon,
            Role::Session,
            Role::ClusterAgent,
        ]
        .into_iter()
        .find(|role| argument == role.argument())
    }
}

/// The first descriptor that a role inherits; further ones follow it.
pub const FIRST_FD: i32 = 3;

/// Options of [`Role::Supervisor`]. Descriptors: session, hand-over, rules, peers, and files
/// where `has_files`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SupervisorOptions {
    /// The session serves files.
    pub has_files: bool,
    /// Somebody reads the decisions.
    pub report_all: bool,
    /// The pod's host name, when the program shall see it.
    pub hostname: Option<Vec<u8>>,
    /// File names of programs that are left alone.
    pub skipped: Vec<String>,
    /// On which terms programs may join that somebody else starts.
    pub launch: Option<mirrord_supervisor::LaunchTerms>,
    /// The session's folder. A session that was killed cannot remove it, so its supervisor does.
    pub folder: std::path::PathBuf,
    /// The log filter.
    pub log: String,
}

/// Options of [`Role::FileServer`]. Descriptor: the socket whose other end is the supervisor's.
#[derive(Serialize, Deserialize)]
pub struct FileServerOptions {
    /// Where the agent listens.
    pub endpoint: String,
    /// [`mirrord_link::SessionIdentity`] as bytes; holds the session's key, hence on stdin.
    pub identity: Vec<u8>,
    /// The pod's files may be changed.
    pub writable: bool,
    /// Callers with ids of their own are taken at their word.
    pub callers_ids: bool,
    /// The log filter.
    pub log: String,
}

/// Variable that tells the layer and the launcher where the supervisor is.
pub const SUPERVISOR_VARIABLE: &str = "MIRRORD_SUPERVISOR";
/// Variable with the token of a launch, see [`SupervisorOptions::launch`].
pub const TOKEN_VARIABLE: &str = "MIRRORD_LAUNCH_TOKEN";

/// How long a file call may wait for the agent.
const FILE_DEADLINE: Duration = Duration::from_secs(30);

/// Plays a role to its end; the result is the exit status.
pub fn run(role: Role, arguments: Vec<OsString>) -> i32 {
    let result = match role {
        Role::Launch => return launch(arguments),
        Role::Supervisor => supervise(),
        Role::FileServer => serve_files(),
        Role::Daemon => daemon(&arguments),
        Role::Session => session(),
        Role::ClusterAgent => return crate::provider::cluster_agent::run(),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            // The user hears of it from the session and the supervisor, who know what it means.
            tracing::warn!("the role {} ended: {error}", role.argument());
            1
        }
    }
}

fn supervise() -> Result<()> {
    refuse_if_supervised()?;
    let options: SupervisorOptions = options()?;
    start_log(&options.log);
    let mut fds = (FIRST_FD..).map(inherited);
    let mut next = || fds.next().context("no descriptor").flatten();
    let session = next()?;
    let session_end = session.try_clone().context("could not copy a descriptor")?;
    let config = mirrord_supervisor::SupervisorConfig {
        session,
        hand_over: next()?,
        rules: next()?,
        peers: next()?,
        files: if options.has_files {
            Some(next()?)
        } else {
            None
        },
        owner: rustix::process::getuid().as_raw(),
        report_all: options.report_all,
        hostname: options.hostname,
        skipped: options.skipped,
        launch: options.launch,
        handlers: mirrord_supervisor::handlers,
    };
    let result = mirrord_supervisor::run(config);
    if is_closed(&session_end)? {
        remove_after_killed_session(&options.folder);
    }
    Ok(result?)
}

/// Whether the session let go of its end of the socket. One that lives waits for our exit and holds it.
fn is_closed(session: &OwnedFd) -> std::io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(session, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default()))?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}

/// A session that was killed cannot remove its folder. One that lives does it itself, and may still
/// need it: its agent listens there.
fn remove_after_killed_session(folder: &std::path::Path) {
    // The kernel closes the session's socket to us and its lock one after the other; on a busy
    // machine the one that dies gets its turn late.
    for _ in 0..100 {
        if !folder.exists() || crate::runtime_dir::remove_if_dead(folder) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn serve_files() -> Result<()> {
    refuse_if_supervised()?;
    let options: FileServerOptions = options()?;
    start_log(&options.log);
    let control = inherited(FIRST_FD)?;
    mirrord_files::serve(
        mirrord_files::ServeOptions {
            endpoint: options.endpoint.parse()?,
            identity: mirrord_link::SessionIdentity::from_bytes(&options.identity)?,
            writable: options.writable,
            callers_ids: options.callers_ids,
            deadline: FILE_DEADLINE,
        },
        control,
    )?;
    Ok(())
}

/// `@daemon LOGFILTER`, with the listening socket as stdin.
fn daemon(arguments: &[OsString]) -> Result<()> {
    let seconds = std::env::var("MIRRORD_DAEMON_IDLE")
        .ok()
        .and_then(|text| text.parse().ok());
    crate::daemon::run(crate::daemon::Options {
        listener: inherited(0)?.into(),
        idle: seconds.map_or(crate::daemon::IDLE, Duration::from_secs),
        log: arguments.first().map_or_else(
            || "info".to_owned(),
            |text| text.to_string_lossy().into_owned(),
        ),
    })
}

fn session() -> Result<()> {
    let starter = inherited(FIRST_FD)?;
    let options = serde_json::from_slice(&given()?).context("could not read the role's options")?;
    crate::session::host::run(options, starter)
}

/// We are never supervised ourselves: a file server that waits for itself would wait for ever.
pub fn refuse_if_supervised() -> Result<()> {
    let preload = std::env::var_os("LD_PRELOAD");
    Ok(mirrord_supervisor::refuse_if_supervised(
        preload.as_deref(),
    )?)
}

/// `@launch SOCKET PROGRAM ARGUMENT…`, with the program's environment as a descriptor; or, started
/// by somebody else than a session, with a launch's token in our own.
fn launch(mut arguments: Vec<OsString>) -> i32 {
    if arguments.len() < 2 {
        tell(format_args!("@launch: needs a socket and a program"));
        return 127;
    }
    let socket = arguments.remove(0);
    let socket = std::path::Path::new(&socket);
    // The layer, if it is loaded into us too, has joined and taken the token away.
    if std::env::var_os(TOKEN_VARIABLE).is_some() || mirrord_supervisor::is_supervised() {
        mirrord_supervisor::launch(socket, &arguments, Environment::Own)
    }
    match program_environment() {
        Ok(environment) => {
            let environment = Environment::Given(environment);
            mirrord_supervisor::launch(socket, &arguments, environment)
        }
        Err(error) => {
            tell(format_args!("@launch: {error:#}"));
            126
        }
    }
}

fn program_environment() -> Result<Vec<(OsString, OsString)>> {
    let mut bytes = Vec::new();
    std::fs::File::from(inherited(FIRST_FD)?)
        .read_to_end(&mut bytes)
        .context("could not read the program's environment")?;
    let environment: Vec<(Vec<u8>, Vec<u8>)> = codec::decode(&bytes)?;
    Ok(environment
        .into_iter()
        .map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)))
        .collect())
}

pub(crate) fn options<T: serde::de::DeserializeOwned>() -> Result<T> {
    Ok(codec::decode(&given()?)?)
}

/// What our starter wrote to our standard input.
fn given() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .context("could not read the role's options")?;
    if bytes.is_empty() {
        bail!("this role is started by mirrord-server itself, not by hand");
    }
    Ok(bytes)
}

/// Takes over a descriptor that our starter put there.
fn inherited(number: i32) -> Result<OwnedFd> {
    // SAFETY: fcntl(2) with F_GETFD only looks at the descriptor's number.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        bail!("descriptor {number} was not inherited; this role is not started by hand");
    }
    // SAFETY: the descriptor is open, was put there for us, and nobody else in this process has
    // taken it: each number is asked for once, before any other descriptor is opened.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// Logs go to stderr, wherever that leads.
pub fn start_log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A log that nobody reads any more is no reason to panic.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
}
