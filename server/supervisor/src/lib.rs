//! Answers the system calls of supervised programs (see `docs/architecture.md`).
//!
//! This crate owns the seccomp listeners of one session. The core receives calls and carries out
//! plans; [`paths`] and [`net`] make the plans. It knows no async runtime: every thread of it
//! waits in the kernel for one thing.

// It panics when nobody reads stderr any more, see `tell`.
#![warn(clippy::print_stderr)]

mod answering;
pub mod call;
pub mod context;
mod crew;
mod ending;
pub mod error;
mod exempt;
mod flight;
mod flights;
mod fork;
pub mod handler;
mod identity;
mod joining;
mod keeper;
pub mod launch;
mod listener;
mod live_rules;
mod memory;
pub mod net;
mod packets;
pub mod paths;
mod processes;
pub mod refuse;
pub mod session_link;
mod shared;
mod shared_table;
mod signals;
pub mod status;
mod tell;
pub mod terms;
pub mod tracee;
mod worker;

use std::{
    io::{Read, Seek},
    os::fd::OwnedFd,
    sync::Arc,
};

pub use error::SupervisorError;
pub use launch::launch;
pub use live_rules::LiveRules;
pub use refuse::refuse_if_supervised;
pub use tell::tell;
pub use terms::LaunchTerms;

use crate::{
    context::Context, handler::Handler, keeper::Held, paths::roots::Roots, shared::Shared,
    terms::Launch,
};

/// Makes the handlers of a worker, in the worker.
pub type MakeHandlers = fn(&Context) -> Result<Vec<Arc<dyn Handler>>, SupervisorError>;

/// What a supervisor process is started with. All descriptors are inherited.
pub struct SupervisorConfig {
    /// `SOCK_SEQPACKET` to the session (`mirrord_protocol::local`).
    pub session: OwnedFd,
    /// Socket to the file server (`mirrord_files`), when the session serves files.
    pub files: Option<OwnedFd>,
    /// A listening Unix stream socket in the session's directory, where the layer and the
    /// launcher hand their listeners over.
    pub hand_over: OwnedFd,
    /// Shared memory or a file with the compiled rules (`mirrord_rules`).
    pub rules: OwnedFd,
    /// Shared memory of the peer table (`mirrord_net`).
    pub peers: OwnedFd,
    /// The only user (beside root) whose listeners are taken.
    pub owner: u32,
    /// Whether somebody wants an event for every local/remote decision.
    pub report_all: bool,
    /// The pod's host name when `uname(2)` shall answer it.
    pub hostname: Option<Vec<u8>>,
    /// File names of further programs that are left alone (`skip_processes`).
    pub skipped: Vec<String>,
    /// On which terms programs may join that somebody else starts. `None`: whoever the owner's
    /// launcher starts, with the environment that it gives.
    pub launch: Option<LaunchTerms>,
    /// Who makes the plans: [`handlers`], unless in tests.
    pub handlers: MakeHandlers,
}

/// Whether we run under a supervisor of ours, as programs of a session do.
pub fn is_supervised() -> bool {
    mirrord_filter::control::is_supervised()
}

/// The handlers for paths and for sockets.
pub fn handlers(context: &Context) -> Result<Vec<Arc<dyn Handler>>, SupervisorError> {
    worker::handlers(context)
}

/// Supervises until the session ends (it closes its socket or says so); programs that still run
/// then are stopped. The process must have no other thread; it becomes the leader of a process
/// session of its own, so that signals from the terminal go to the program alone.
pub fn run(mut config: SupervisorConfig) -> Result<(), SupervisorError> {
    exempt::skip(std::mem::take(&mut config.skipped));
    // It leads one already when it was started that way.
    let _ = rustix::process::setsid();
    let rules = config
        .rules
        .try_clone()
        .map_err(SupervisorError::setup("read the rules"))?;
    let rules = read_rules(rules)?;
    let table = shared_table::SharedTable::create(&rules, config.report_all)
        .map_err(SupervisorError::setup("share the rules"))?;
    let shared = Shared::new().map_err(SupervisorError::setup("map shared memory"))?;
    let roots = Roots::new().map_err(SupervisorError::setup("look at the root folder"))?;
    let launch = config.launch.take().map(|terms| Launch::new(&terms));
    let launch = launch
        .transpose()
        .map_err(SupervisorError::setup("share the environment's changes"))?;
    keeper::keep(Held {
        config,
        shared,
        table,
        launch: launch.map(Arc::new),
        roots: Arc::new(roots),
        generation: 0,
    })
}

fn read_rules(fd: OwnedFd) -> Result<Vec<u8>, SupervisorError> {
    let mut rules = Vec::new();
    let mut file = std::fs::File::from(fd);
    file.rewind()
        .and_then(|()| file.read_to_end(&mut rules))
        .map_err(SupervisorError::setup("read the rules"))?;
    Ok(rules)
}
