//! Calls that make, move and remove names, and change attributes.

use std::{os::fd::AsFd, sync::Arc};

use mirrord_protocol::files::{Answer, Changes, Entry, NodeId, SetTime, StatFs};
use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, chownat,
        linkat, mkdirat, mknodat, openat, renameat_with, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{Context, attr, kernel, nodes::Node, walk::look_up};

/// `UTIME_NOW` and `UTIME_OMIT` of utimensat(2).
const NOW: i64 = libc::UTIME_NOW;
const OMIT: i64 = libc::UTIME_OMIT;

impl Context<'_> {
    pub(super) fn lookup(&self, parent: NodeId, name: &[u8]) -> Result<Answer, Errno> {
        Ok(Answer::Entry(self.entry(&*self.node(parent)?, name)?.1))
    }

    pub(super) fn attr(&self, node: NodeId) -> Result<Answer, Errno> {
        let node = self.node(node)?;
        Ok(Answer::Attr(attr::of(self.files.nodes.fd(&node)?)?.0))
    }

    pub(super) fn mknod(
        &self,
        parent: NodeId,
        name: &[u8],
        mode: u32,
        rdev: u64,
    ) -> Result<Answer, Errno> {
        let parent = self.node(parent)?;
        let directory = self.directory(&parent, name)?;
        let kind = match mode & libc::S_IFMT {
            0 => libc::S_IFREG,
            kind => kind,
        };
        let permissions = Mode::from_raw_mode(mode & 0o7777);
        if kind != libc::S_IFREG {
            let kind = FileType::from_raw_mode(kind);
            mknodat(&*directory, name, kind, permissions, rdev)?;
            return Ok(Answer::Entry(self.entry(&parent, name)?.1));
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW;
        let made = openat(&*directory, name, flags | OFlags::CLOEXEC, permissions)?;
        let (node, entry) = self.entry(&parent, name)?;
        if attr::of(&made)?.0.ino == entry.attr.ino {
            self.keep_made(&node, made);
        }
        Ok(Answer::Entry(entry))
    }

    pub(super) fn mkdir(&self, parent: NodeId, name: &[u8], mode: u32) -> Result<Answer, Errno> {
        let parent = self.node(parent)?;
        let directory = self.directory(&parent, name)?;
        mkdirat(&*directory, name, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(Answer::Entry(self.entry(&parent, name)?.1))
    }

    pub(super) fn symlink(
        &self,
        parent: NodeId,
        name: &[u8],
        target: &[u8],
    ) -> Result<Answer, Errno> {
        let parent = self.node(parent)?;
        symlinkat(target, &*self.directory(&parent, name)?, name)?;
        Ok(Answer::Entry(self.entry(&parent, name)?.1))
    }

    pub(super) fn link(&self, node: NodeId, parent: NodeId, name: &[u8]) -> Result<Answer, Errno> {
        let node = self.node(node)?;
        let parent = self.node(parent)?;
        let directory = self.directory(&parent, name)?;
        // AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH (linkat(2)); the name of the descriptor in
        // /proc needs none.
        let fd = self.files.nodes.fd(&node)?;
        let from = self.files.name_of(&fd);
        linkat(
            &self.files.descriptors,
            &*from,
            &*directory,
            name,
            AtFlags::SYMLINK_FOLLOW,
        )?;
        Ok(Answer::Entry(self.entry(&parent, name)?.1))
    }

    pub(super) fn rename(
        &self,
        (parent, name): (NodeId, &[u8]),
        (new_parent, new_name): (NodeId, &[u8]),
        flags: u32,
    ) -> Result<Answer, Errno> {
        let (parent, new_parent) = (self.node(parent)?, self.node(new_parent)?);
        let from = self.directory(&parent, name)?;
        let to = self.directory(&new_parent, new_name)?;
        let flags = RenameFlags::from_bits(flags).ok_or(Errno::INVAL)?;
        let moved = self.known(&from, name);
        let replaced = self.known(&to, new_name);
        if let Some(node) = &replaced {
            self.files.nodes.pin(node);
        }
        renameat_with(&*from, name, &*to, new_name, flags)?;
        if let Some(node) = moved {
            node.moved_to(new_parent.id, new_name);
        }
        if let (Some(node), true) = (replaced, flags.contains(RenameFlags::EXCHANGE)) {
            node.moved_to(parent.id, name);
        }
        Ok(Answer::Done)
    }

    pub(super) fn remove(&self, parent: NodeId, name: &[u8], dir: bool) -> Result<Answer, Errno> {
        let directory = self.directory(&*self.node(parent)?, name)?;
        // Programs that have it open go on using it.
        if let Some(node) = self.known(&directory, name) {
            self.files.nodes.pin(&node);
        }
        let flags = if dir {
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        unlinkat(&*directory, name, flags)?;
        Ok(Answer::Done)
    }

    pub(super) fn set_attr(&self, id: NodeId, changes: &Changes) -> Result<Answer, Errno> {
        let node = self.node(id)?;
        let fd = self.files.nodes.fd(&node)?;
        if let Some(size) = changes.size {
            self.set_size(&node, size)?;
        }
        if changes.uid.is_some() || changes.gid.is_some() {
            let (uid, gid) = (
                changes.uid.map(Uid::from_raw),
                changes.gid.map(Gid::from_raw),
            );
            chownat(&*fd, c"", uid, gid, AtFlags::EMPTY_PATH)?;
        }
        if let Some(mode) = changes.mode {
            if mode & 0o200 == 0 {
                self.hold_writable(&node);
            }
            // fchmod(2) refuses O_PATH descriptors; their names in /proc are taken.
            let mode = Mode::from_raw_mode(mode & 0o7777);
            let name = self.files.name_of(&fd);
            rustix::fs::chmodat(&self.files.descriptors, &*name, mode, AtFlags::empty())?;
        }
        if changes.accessed.is_some() || changes.modified.is_some() {
            let times = Timestamps {
                last_access: timespec(changes.accessed),
                last_modification: timespec(changes.modified),
            };
            let name = self.files.name_of(&fd);
            utimensat(&self.files.descriptors, &*name, &times, AtFlags::empty())?;
        }
        self.attr(id)
    }

    pub(super) fn access(&self, node: NodeId, mask: u32) -> Result<Answer, Errno> {
        let node = self.node(node)?;
        kernel::access(self.files.nodes.fd(&node)?.as_fd(), mask & 7)?;
        Ok(Answer::Done)
    }

    pub(super) fn stat_fs(&self, node: NodeId) -> Result<Answer, Errno> {
        let node = self.node(node)?;
        let stat = rustix::fs::fstatfs(self.files.nodes.fd(&node)?)?;
        Ok(Answer::StatFs(StatFs {
            kind: stat.f_type as u64,
            block_size: stat.f_bsize as u32,
            fragment_size: stat.f_frsize as u32,
            blocks: stat.f_blocks,
            blocks_free: stat.f_bfree,
            blocks_available: stat.f_bavail,
            files: stat.f_files,
            files_free: stat.f_ffree,
            name_max: stat.f_namelen as u32,
        }))
    }

    fn entry(&self, parent: &Node, name: &[u8]) -> Result<(Arc<Node>, Entry), Errno> {
        check(name)?;
        look_up(self, parent, name)
    }

    fn directory(&self, parent: &Node, name: &[u8]) -> Result<Arc<std::os::fd::OwnedFd>, Errno> {
        check(name)?;
        self.files.nodes.fd(parent)
    }

    /// The node of a name that is about to change, when the file server has it.
    fn known(&self, directory: impl AsFd, name: &[u8]) -> Option<Arc<Node>> {
        let (_, identity) = attr::at(directory.as_fd(), name).ok()?;
        self.files.nodes.find(&identity)
    }
}

/// A name is one component: nothing that leaves its directory.
fn check(name: &[u8]) -> Result<(), Errno> {
    match name {
        b"" | b"." | b".." => Err(Errno::INVAL),
        name if name.contains(&b'/') || name.contains(&0) => Err(Errno::INVAL),
        _ => Ok(()),
    }
}

fn timespec(time: Option<SetTime>) -> Timespec {
    match time {
        None => Timespec {
            tv_sec: 0,
            tv_nsec: OMIT,
        },
        Some(SetTime::Now) => Timespec {
            tv_sec: 0,
            tv_nsec: NOW,
        },
        Some(SetTime::At(time)) => Timespec {
            tv_sec: time.seconds,
            tv_nsec: i64::from(time.nanoseconds),
        },
    }
}
