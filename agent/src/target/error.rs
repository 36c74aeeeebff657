//! Why a process cannot be a target, with what to do about it.

use rustix::io::Errno;

/// A target that could not be opened or entered.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nothing has that pid.
    #[error("there is no process {pid}, or it has ended; `ps -p {pid}` shows whether it runs")]
    NoProcess {
        /// The pid asked for.
        pid: i32,
    },
    /// No process of this node is in that container.
    #[error(
        "there is no process of the container {id} on this node: it has ended, or the agent does \
         not share the node's process ids (hostPID)"
    )]
    NoContainer {
        /// The container asked for.
        id: String,
    },
    /// The agent may not become the target's user.
    #[error(
        "the target, process {pid}, is of the user {uid} and the group {gid}, and this agent cannot \
         become that ({errno}): it was started as {own}. Name the user and the group in the pod's \
         specification (securityContext.runAsUser, runAsGroup), so that the agent is started as them"
    )]
    NotItsUser {
        /// The target.
        pid: i32,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
        /// The agent's user.
        own: u32,
        /// EPERM.
        errno: Errno,
    },
    /// The kernel said no.
    #[error(
        "no permission to {what} of process {pid} ({errno}): it belongs to another user or user \
         namespace. Run as root, or choose a process of your own"
    )]
    NoPermission {
        /// The pid asked for.
        pid: i32,
        /// What was tried.
        what: &'static str,
        /// EPERM or EACCES.
        errno: Errno,
    },
    /// A kernel that is too old, or built without something.
    #[error(
        "this kernel cannot {what} for process {pid} ({errno}); the agent needs Linux 5.10 or \
         newer with network, UTS and user namespaces"
    )]
    NoKernel {
        /// The pid asked for.
        pid: i32,
        /// What was tried.
        what: &'static str,
        /// ENOSYS or EINVAL.
        errno: Errno,
    },
    /// Anything else.
    #[error("could not {what} of process {pid}: {errno}")]
    Failed {
        /// The pid asked for.
        pid: i32,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        errno: Errno,
    },
}

impl TargetError {
    /// Sorts an errno.
    pub(super) fn new(pid: i32, what: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::SRCH => TargetError::NoProcess { pid },
            Errno::PERM | Errno::ACCESS => TargetError::NoPermission { pid, what, errno },
            Errno::NOSYS | Errno::INVAL => TargetError::NoKernel { pid, what, errno },
            _ => TargetError::Failed { pid, what, errno },
        }
    }
}
