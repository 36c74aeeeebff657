//! With whose rights a thread makes file calls.
//!
//! A root agent must neither read what the pod cannot, nor leave root's files behind: each worker
//! thread takes the target's file-system ids, groups and capabilities, for itself alone, before
//! it touches a file. Then the kernel decides, and EACCES is real.

use std::io;

use mirrord_protocol::creds::Creds;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::kernel;

/// What a thread may take on.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    own: Creds,
    permitted: CapabilitySet,
    /// The target's effective capabilities, as far as this agent has them.
    capabilities: CapabilitySet,
}

/// The rights that this thread has at present.
#[derive(Debug, Default)]
pub(super) struct Assumed {
    creds: Option<Creds>,
}

impl Rights {
    /// For calls with the rights of a target that has these effective capabilities.
    pub(super) fn new(capabilities: u64) -> io::Result<Rights> {
        let own = Creds {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: rustix::process::getgroups()?
                .iter()
                .map(|group| group.as_raw())
                .collect(),
        };
        let permitted = rustix::thread::capabilities(None)?.permitted;
        let capabilities = CapabilitySet::from_bits_retain(capabilities) & permitted;
        Ok(Rights {
            own,
            permitted,
            capabilities,
        })
    }

    /// Gives the calling thread the rights of `creds`. EPERM: the agent may not take these ids.
    pub(super) fn assume(
        &self,
        creds: &Creds,
        of_target: bool,
        now: &mut Assumed,
    ) -> io::Result<()> {
        if now.creds.as_ref() == Some(creds) {
            return Ok(());
        }
        let before = now.creds.take();
        let groups_differ = before.as_ref().unwrap_or(&self.own).groups != creds.groups;
        if before.is_none() || groups_differ {
            self.set_groups(&creds.groups)?;
        }
        kernel::set_fs_gid(creds.gid)?;
        kernel::set_fs_uid(creds.uid)?;
        // After the ids: a change of the fsuid from or to 0 changes the effective set by itself
        // (capabilities(7)). The ids of another call need the two SET capabilities, which open no
        // files. Only the target's own ids come with the target's capabilities.
        let keep = CapabilitySet::SETUID | CapabilitySet::SETGID;
        let theirs = if of_target {
            self.capabilities
        } else {
            CapabilitySet::empty()
        };
        rustix::thread::set_capabilities(
            None,
            CapabilitySets {
                effective: (theirs | keep) & self.permitted,
                permitted: self.permitted,
                inheritable: CapabilitySet::empty(),
            },
        )?;
        now.creds = Some(creds.clone());
        Ok(())
    }

    fn set_groups(&self, groups: &[u32]) -> io::Result<()> {
        let list: Vec<_> = groups
            .iter()
            .map(|&group| rustix::fs::Gid::from_raw(group))
            .collect();
        match rustix::thread::set_thread_groups(&list) {
            // An agent of the target's own user, or in a user namespace where setgroups(2) is
            // denied (user_namespaces(7)): it has the groups that it was started with.
            Err(rustix::io::Errno::PERM) if self.permitted_ids_are_own(groups) => Ok(()),
            result => Ok(result?),
        }
    }

    fn permitted_ids_are_own(&self, groups: &[u32]) -> bool {
        let may_choose = self.permitted.contains(CapabilitySet::SETGID);
        groups
            .iter()
            .all(|group| self.own.groups.contains(group) || *group == self.own.gid)
            || (may_choose && setgroups_is_denied())
    }
}

fn setgroups_is_denied() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}
