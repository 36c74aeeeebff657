//! Why an agent ends: its session said so, went away, a signal came, or the target ended.

use std::{
    fmt, io,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
};

use crate::readiness::register;

/// The end of an agent, for its log and for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The session asked for it.
    SessionClosed {
        /// Its words.
        reason: String,
    },
    /// The session's control link was lost, and it did not come back in time.
    SessionLost {
        /// What broke.
        cause: String,
        /// How long was waited.
        grace: Duration,
    },
    /// The session's process ended; nothing comes back.
    SessionGone,
    /// The target's process ended.
    TargetGone,
    /// Somebody on the agent's machine wants it to end.
    Signal {
        /// Its name.
        name: &'static str,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::SessionClosed { reason } => write!(f, "the session closed its link: {reason}"),
            End::SessionLost { cause, grace } if grace.is_zero() => {
                write!(f, "the session's control link was lost: {cause}")
            }
            End::SessionLost { cause, grace } => {
                write!(
                    f,
                    "the session's link was lost and not back within {grace:?}: {cause}"
                )
            }
            End::SessionGone => f.write_str("the session's process ended"),
            End::TargetGone => f.write_str("the target's process ended"),
            End::Signal { name } => write!(f, "the agent was stopped by {name}"),
        }
    }
}

/// Completes when the process behind a pidfd has ended.
pub async fn wait_for_exit(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    // A pidfd is readable once its process is a zombie or gone (pidfd_open(2)).
    let pidfd = register(pidfd.try_clone_to_owned()?, Interest::READABLE)?;
    let _readable = pidfd.readable().await?;
    Ok(())
}

/// Completes when nobody holds the other end of a pipe any more; never without one.
pub async fn wait_for_hang_up(pipe: Option<&AsyncFd<OwnedFd>>) {
    match pipe {
        // Nothing is written into it: readable is its end, as is an error.
        Some(pipe) => drop(pipe.readable().await),
        None => std::future::pending().await,
    }
}

/// The signals that end an agent in order.
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts to listen; from now on these signals no longer kill the process by themselves.
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The name of the next signal.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}
