//! An agent's process on this machine: our child, or one that another session left to us.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, ChildStdin};

/// The process. It ends with its links; this is to wait for that, and to be sure.
pub enum AgentProcess {
    /// Our child; killed when dropped.
    Child {
        /// It.
        child: Child,
        /// Its standard input: the kernel closes it with our process, whatever ends that, and so
        /// the agent knows that nobody will come back.
        lifeline: Option<ChildStdin>,
        /// It holds an agent elsewhere, and puts that away when it is told to end.
        holds: bool,
    },
    /// Another's child; killed when dropped, too.
    Adopted(Adopted),
}

/// An agent that another session started.
pub struct Adopted {
    pid: i32,
    /// Stays its, whatever happens to the number.
    pidfd: AsyncFd<OwnedFd>,
    left: bool,
    /// As of a child.
    holds: bool,
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if !self.left {
            // Gone already is what we want.
            let signal = if self.holds {
                Signal::TERM
            } else {
                Signal::KILL
            };
            let _ = pidfd_send_signal(self.pidfd.get_ref(), signal);
        }
    }
}

impl AgentProcess {
    /// The agent that another session of this user left; `holds`: the process holds it elsewhere.
    pub fn adopt(pid: i32, holds: bool) -> Result<Self> {
        let what = || format!("could not watch the agent, process {pid}");
        let id = Pid::from_raw(pid).with_context(what)?;
        let pidfd = pidfd_open(id, PidfdFlags::empty()).with_context(what)?;
        // SAFETY: the AsyncFd owns the descriptor, so its number stays ours until it is dropped.
        let pidfd = unsafe { AsyncFd::register(pidfd) }.with_context(what)?;
        Ok(AgentProcess::Adopted(Adopted {
            pid,
            pidfd,
            left: false,
            holds,
        }))
    }

    /// Whether it holds an agent elsewhere: then it ends when it is told to, and not with its links.
    pub fn holds(&self) -> bool {
        match self {
            AgentProcess::Child { holds, .. } => *holds,
            AgentProcess::Adopted(adopted) => adopted.holds,
        }
    }

    /// Its id, while it runs.
    pub fn id(&self) -> Option<i32> {
        match self {
            AgentProcess::Child { child, .. } => child.id().and_then(|pid| i32::try_from(pid).ok()),
            AgentProcess::Adopted(adopted) => Some(adopted.pid),
        }
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Result<()> {
        let what = "could not wait for the agent";
        match self {
            AgentProcess::Child { child, .. } => child.wait().await.map(drop).context(what),
            AgentProcess::Adopted(adopted) => {
                adopted.pidfd.readable().await.map(drop).context(what)
            }
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = self.id().and_then(Pid::from_raw);
        let ended = match (self, pid) {
            (AgentProcess::Adopted(adopted), _) => {
                pidfd_send_signal(adopted.pidfd.get_ref(), Signal::TERM)
            }
            (AgentProcess::Child { .. }, Some(pid)) => kill_process(pid, Signal::TERM),
            (AgentProcess::Child { .. }, None) => Ok(()),
        };
        // Gone already is what we want.
        if let Err(error) = ended {
            tracing::debug!("the agent could not be told to end: {error}");
        }
    }

    /// Ends it by force.
    pub async fn kill(&mut self) {
        match self {
            AgentProcess::Child { child, .. } => drop(child.kill().await),
            // Gone already is what we want.
            AgentProcess::Adopted(adopted) => {
                let _ = pidfd_send_signal(adopted.pidfd.get_ref(), Signal::KILL);
            }
        }
    }

    /// Leaves it to another session. This process must end soon: the child is not waited for any
    /// more. The daemon does it then (`daemon/orphans.rs`), or `init` where the daemon is gone.
    pub fn leave(self) {
        match self {
            AgentProcess::Child {
                child, lifeline, ..
            } => {
                // Dropped, it would be killed.
                std::mem::forget(child);
                // It has not minded this end since it got its new key.
                drop(lifeline);
            }
            AgentProcess::Adopted(mut adopted) => adopted.left = true,
        }
    }
}
