//! Whose names the rules speak of: those of programs that share our root folder, and those of a
//! container that was launched into the session, whose root is the one that it joined with. After
//! chroot(2), or in a container of the program's own making, names mean something else.
//!
//! The keeper and its worker know them each, so that one that follows a worker that died knows them
//! too.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, PoisonError, RwLock},
};

use rustix::fs::{Mode, OFlags, open};

use super::sys::{self, Errno};
use crate::tracee::Tracee;

/// Roots that are known.
pub(crate) struct Roots {
    own: Root,
    containers: RwLock<Vec<Arc<Root>>>,
}

/// A root folder.
pub(crate) struct Root {
    folder: OwnedFd,
    /// Device and inode.
    identity: ((u32, u32), u64),
}

/// Which one a caller has.
pub(crate) enum RootOf {
    /// Ours.
    Own,
    /// That of a container of the session's.
    Container(Arc<Root>),
    /// Another one.
    Other,
}

impl Roots {
    /// Ours only.
    pub fn new() -> io::Result<Roots> {
        Ok(Roots {
            own: Root::at("/").map_err(io::Error::from_raw_os_error)?,
            containers: RwLock::default(),
        })
    }

    /// Our own folder.
    pub fn own(&self) -> BorrowedFd<'_> {
        self.own.folder.as_fd()
    }

    /// A process joins the session: if its root is not ours, then a container was launched.
    pub fn joined(&self, pid: i32) -> Errno<()> {
        let root = Root::at(&format!("/proc/{pid}/root"))?;
        let mut containers = self
            .containers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let is_known = |known: &Arc<Root>| known.identity == root.identity;
        if root.identity != self.own.identity && !containers.iter().any(is_known) {
            containers.push(Arc::new(root));
        }
        Ok(())
    }

    /// Which root a caller has.
    pub fn of(&self, tracee: &Tracee) -> RootOf {
        let link = format!("/proc/{}/root", tracee.tid());
        let Ok(theirs) = sys::identity(link.as_bytes()) else {
            return RootOf::Other;
        };
        let theirs = (theirs.device, theirs.inode);
        if theirs == self.own.identity {
            return RootOf::Own;
        }
        let containers = self
            .containers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let found = containers.iter().find(|root| root.identity == theirs);
        found.map_or(RootOf::Other, |root| RootOf::Container(root.clone()))
    }
}

impl Root {
    fn at(path: &str) -> Errno<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty()).map_err(|errno| errno.raw_os_error())?;
        let identity = sys::identity(path.as_bytes())?;
        Ok(Root {
            folder,
            identity: (identity.device, identity.inode),
        })
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}
