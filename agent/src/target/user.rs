//! An agent with no more rights than its target: it becomes the target's own user before it opens
//! anything. The kernel then shows it the target's files and environment without any capability
//! (ptrace(2), "Ptrace access mode checking": the same user and group, and capabilities that are a
//! subset).

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use super::{Target, TargetError, facts};

/// Takes the ids of a process, unless the agent has them already. Before any thread is started:
/// other threads would keep theirs.
///
/// # Errors
/// [`TargetError::NotItsUser`] when the agent was not started as that user and may not become it.
pub fn become_its_user(pid: i32) -> Result<(), TargetError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let text = text.map_err(|_| TargetError::NoProcess { pid })?;
    let (creds, _) = facts::parse_status(&text).ok_or(TargetError::NoProcess { pid })?;
    let own = rustix::process::geteuid().as_raw();
    if own == creds.uid && rustix::process::getegid().as_raw() == creds.gid {
        return Ok(());
    }
    let groups = creds.groups.iter();
    let groups: Vec<_> = groups
        .map(|group| rustix::fs::Gid::from_raw(*group))
        .collect();
    // The groups and the group first: the user takes the right to change them along.
    set_thread_groups(&groups)
        .and_then(|()| set_thread_gid(rustix::fs::Gid::from_raw(creds.gid)))
        .and_then(|()| set_thread_uid(rustix::fs::Uid::from_raw(creds.uid)))
        // A process that changed its user does not own its files below /proc any more (proc(5)).
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::Dumpable))
        .map_err(|errno: Errno| TargetError::NotItsUser {
            pid,
            uid: creds.uid,
            gid: creds.gid,
            own,
            errno,
        })
}

impl Target {
    /// Leaves out the target's groups that the agent has not got: file calls are made with what is
    /// left, and the kernel decides.
    ///
    /// # Errors
    /// [`TargetError::Failed`] when the agent's own groups cannot be read.
    pub fn keep_to_own_groups(&mut self) -> Result<(), TargetError> {
        let own = rustix::process::getgroups().map_err(|errno| {
            TargetError::new(self.pid, "read our own groups (getgroups(2))", errno)
        })?;
        let has = |group: &u32| own.iter().any(|own| own.as_raw() == *group);
        self.creds.groups.retain(has);
        self.facts.creds.groups.retain(has);
        Ok(())
    }
}
