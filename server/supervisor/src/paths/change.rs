//! Calls that change names, attributes or extended attributes.
//!
//! The pod's kernel decides whether they are allowed: the file server passes each on, with the
//! target's ids (or the caller's, when they changed). What is left to do here is the umask, the
//! border between the two machines, and forgetting what was known.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, RenameFlags, Uid, XattrFlags};

use super::{
    decide::Target,
    job::Job,
    kind::Kind,
    look::done,
    sys::{self, Errno},
    tree::magic_path,
};
use crate::call::Outcome;

impl Job {
    pub(crate) fn change(&self) -> Errno<Outcome> {
        let outcome = match self.request.kind {
            Kind::Rename { flags } => self.rename(flags),
            Kind::Link { follow } => self.link(follow),
            Kind::MakeDirectory { .. }
            | Kind::MakeNode { .. }
            | Kind::Remove { .. }
            | Kind::SymLink { .. } => self.change_name(),
            _ => self.change_attributes(),
        };
        self.forget();
        outcome
    }

    fn forget(&self) {
        let facts = &self.shared.facts;
        match (&self.request.kind, &self.target) {
            (_, Target::Local(_)) => {}
            (
                Kind::MakeDirectory { .. }
                | Kind::MakeNode { .. }
                | Kind::Remove { .. }
                | Kind::SymLink { .. }
                | Kind::SetTimes { .. }
                | Kind::Truncate { .. },
                Target::Pod(path),
            ) => facts.changed(path),
            _ => facts.clear(),
        }
    }

    fn change_name(&self) -> Errno<Outcome> {
        let (parent, name) = self.tree()?.parent(self.path()?)?;
        let permissions = |mode: u32| Mode::from_raw_mode(mode & 0o7777 & !self.umask);
        done(match self.request.kind {
            Kind::MakeDirectory { mode } => rustix::fs::mkdirat(&parent, name, permissions(mode)),
            Kind::MakeNode { mode, device } => {
                let kind = match mode & libc::S_IFMT {
                    0 => libc::S_IFREG,
                    kind => kind,
                };
                let kind = FileType::from_raw_mode(kind);
                rustix::fs::mknodat(&parent, name, kind, permissions(mode), device)
            }
            Kind::Remove { directory: true } => {
                rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)
            }
            Kind::Remove { directory: false } => {
                rustix::fs::unlinkat(&parent, name, AtFlags::empty())
            }
            _ => rustix::fs::symlinkat(self.arguments.name.as_slice(), &parent, name),
        })
    }

    /// The second path, when it is in the same tree as the first.
    fn second(&self) -> Errno<&[u8]> {
        match (&self.target, &self.second) {
            (Target::Pod(_), Some(Target::Pod(path)))
            | (Target::Local(_), Some(Target::Local(path))) => Ok(path),
            (_, Some(Target::Missing)) => Err(libc::ENOENT),
            _ => Err(libc::EXDEV),
        }
    }

    fn rename(&self, flags: u32) -> Errno<Outcome> {
        let second = self.second()?;
        let tree = self.tree()?;
        let (from, name) = tree.parent(self.path()?)?;
        let (to, new_name) = tree.parent(second)?;
        let flags = RenameFlags::from_bits_retain(flags);
        done(rustix::fs::renameat_with(&from, name, &to, new_name, flags))
    }

    fn link(&self, follow: bool) -> Errno<Outcome> {
        let second = self.second()?;
        let tree = self.tree()?;
        let file = tree.handle(self.path()?, follow, 0)?;
        let (to, new_name) = tree.parent(second)?;
        // By its magic link: AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH (linkat(2)).
        let flags = AtFlags::SYMLINK_FOLLOW;
        done(rustix::fs::linkat(
            CWD,
            magic_path(&file),
            &to,
            new_name,
            flags,
        ))
    }

    fn change_attributes(&self) -> Errno<Outcome> {
        let path = self.path()?;
        let file: OwnedFd = self.tree()?.handle(path, self.follow(path), 0)?;
        let path = magic_path(&file);
        let name = self.arguments.name.as_slice();
        done(match self.request.kind {
            Kind::ChangeMode { mode, .. } => {
                rustix::fs::chmod(path, Mode::from_raw_mode(mode & 0o7777))
            }
            Kind::ChangeOwner { uid, gid, .. } => {
                let uid = (uid != u32::MAX).then(|| Uid::from_raw(uid));
                let gid = (gid != u32::MAX).then(|| Gid::from_raw(gid));
                rustix::fs::chown(path, uid, gid)
            }
            Kind::SetTimes { .. } => match &self.arguments.times {
                Some(times) => rustix::fs::utimensat(CWD, path, &times.0, AtFlags::empty()),
                None => return Err(libc::EFAULT),
            },
            Kind::Truncate { length } => {
                sys::truncate(path.as_bytes(), length)?;
                Ok(())
            }
            Kind::SetXattr { flags, .. } => {
                let flags = XattrFlags::from_bits_retain(flags as u32);
                rustix::fs::setxattr(path, name, &self.arguments.value, flags)
            }
            Kind::RemoveXattr { .. } => rustix::fs::removexattr(path, name),
            _ => return Err(libc::ENOSYS),
        })
    }
}
