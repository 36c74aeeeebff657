//! The process whose place in the world the agent shares: descriptors that stay valid whatever
//! becomes of its pid, and the facts read from `/proc` (proc(5)).

mod container;
mod error;
mod facts;
mod user;

use std::os::fd::{AsFd, OwnedFd};

use mirrord_protocol::{control::TargetFacts, creds::Creds};
use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    process::{Pid, PidfdFlags},
    thread::LinkNameSpaceType,
};

use crate::probes::Probes;

pub use container::main_process;
pub use error::TargetError;
pub use user::become_its_user;

/// A target whose namespaces the agent is in.
pub struct Target {
    /// Its pid, as the agent saw it; may be another process's once [`Target::pidfd`] says so.
    pub pid: i32,
    /// Its root directory (`O_PATH`), in its mount namespace.
    pub root: OwnedFd,
    /// Becomes readable when the process ends (pidfd_open(2)).
    pub pidfd: OwnedFd,
    /// The ids that every file call is made with, as numbers of the target's user namespace.
    pub creds: Creds,
    /// Its effective capabilities (`CapEff`, capabilities(7)).
    pub capabilities: u64,
    /// What the session is told.
    pub facts: TargetFacts,
    /// What the pod's kubelet asks it.
    pub probes: Probes,
}

/// The way into a target: everything opened, nothing entered.
pub struct Doors {
    pid: i32,
    process: OwnedFd,
    pidfd: OwnedFd,
    root: OwnedFd,
    /// `None`, here and below: the agent is in it already.
    network: Option<OwnedFd>,
    host_names: Option<OwnedFd>,
    user: Option<OwnedFd>,
}

impl Doors {
    /// Opens what the agent needs of a process, or says what is missing.
    pub fn open(pid: i32) -> Result<Self, TargetError> {
        let number = Pid::from_raw(pid).ok_or(TargetError::NoProcess { pid })?;
        let pidfd = rustix::process::pidfd_open(number, PidfdFlags::empty())
            .map_err(|errno| TargetError::new(pid, "pidfd_open(2)", errno))?;
        let process = open_at(pid, CWD, &format!("/proc/{pid}"), OFlags::DIRECTORY)?;
        let doors = Doors {
            root: open_at(pid, process.as_fd(), "root", OFlags::PATH)?,
            network: foreign_namespace(pid, process.as_fd(), "ns/net")?,
            host_names: foreign_namespace(pid, process.as_fd(), "ns/uts")?,
            user: foreign_namespace(pid, process.as_fd(), "ns/user")?,
            pid,
            process,
            pidfd,
        };
        // A pid could have been used again between the calls above; the pidfd tells.
        if facts::has_ended(&doors.pidfd)? {
            return Err(TargetError::NoProcess { pid });
        }
        Ok(doors)
    }

    /// Enters the target's user and network namespaces. The process must have no threads yet
    /// (setns(2): EINVAL otherwise).
    pub fn enter(&self) -> Result<(), TargetError> {
        if let Some(user) = &self.user {
            // First, because it gives the rights that the next step needs.
            self.enter_one(
                user,
                LinkNameSpaceType::User,
                "enter the user namespace (setns(2))",
            )?;
        }
        if let Some(network) = &self.network {
            let what = "enter the network namespace (setns(2))";
            self.enter_one(network, LinkNameSpaceType::Network, what)?;
        }
        Ok(())
    }

    fn enter_one(
        &self,
        namespace: &OwnedFd,
        kind: LinkNameSpaceType,
        what: &'static str,
    ) -> Result<(), TargetError> {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind))
            .map_err(|errno| TargetError::new(self.pid, what, errno))
    }

    /// Reads the facts. After [`Doors::enter`], because `/proc/PID/status` shows ids as numbers
    /// of the reader's user namespace.
    pub fn look_around(self) -> Result<Target, TargetError> {
        let (facts, capabilities) = facts::read(self.pid, &self.process, self.host_names)?;
        let mut target = Target {
            pid: self.pid,
            root: self.root,
            pidfd: self.pidfd,
            creds: facts.creds.clone(),
            capabilities,
            facts,
            probes: Probes::default(),
        };
        target.facts.search = crate::resolve::search(&target);
        Ok(target)
    }
}

/// The target's namespace if it is not ours. Entering one's own user namespace is an error, and
/// one's own network namespace needs rights that an ordinary user's plain process does not give
/// (setns(2)).
fn foreign_namespace(
    pid: i32,
    process: impl AsFd,
    name: &str,
) -> Result<Option<OwnedFd>, TargetError> {
    let theirs = open_at(pid, process, name, OFlags::empty())?;
    let ours = open_at(pid, CWD, &format!("/proc/self/{name}"), OFlags::empty())?;
    let identity = |namespace: &OwnedFd| {
        rustix::fs::fstat(namespace)
            .map(|status| (status.st_dev, status.st_ino))
            .map_err(|errno| TargetError::new(pid, "fstat(2) of a namespace", errno))
    };
    Ok(if identity(&theirs)? == identity(&ours)? {
        None
    } else {
        Some(theirs)
    })
}

fn open_at(
    pid: i32,
    directory: impl AsFd,
    name: &str,
    flags: OFlags,
) -> Result<OwnedFd, TargetError> {
    rustix::fs::openat(
        directory,
        name,
        flags | OFlags::CLOEXEC | OFlags::RDONLY,
        Mode::empty(),
    )
    .map_err(|errno| match errno {
        Errno::NOENT | Errno::SRCH => TargetError::NoProcess { pid },
        other => TargetError::new(pid, "open its files below /proc", other),
    })
}
