//! Calls that only look: `stat`, `statx`, `access`, `readlink`, `statfs`, reading extended
//! attributes, `inotify_add_watch`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mirrord_files::{Found, Walked, Want, allow};

use super::open::refusal;
use super::{
    decide::Target,
    job::{Job, XATTR_SIZE_MAX, read_link},
    kind::Kind,
    resolve::join,
    sys::{self, Errno},
    tree::{Tree, magic_path, split},
};
use crate::call::{Cancelled, Outcome};

impl Job {
    pub(crate) fn quick_stat(&self, walked: &Walked) -> Option<Outcome> {
        let found = match &walked.found {
            Ok(found) => found,
            Err(errno) => return Some(Outcome::errno(*errno)),
        };
        let Some(tree) = self.tree_if_mounted() else {
            return Some(self.stat_from_attributes(found));
        };
        let fd = tree.handle(&found.path, false, sys::CACHED).ok()?;
        let stat = sys::stat_bytes(fd.as_fd(), libc::AT_STATX_DONT_SYNC).ok()?;
        if self.shared.written.contains(sys::inode_of(&stat)) {
            return None;
        }
        match self.request.kind {
            Kind::Stat { buffer, .. } => Some(Outcome::number(0).write(buffer, stat)),
            _ => self.stat_of(fd.as_fd(), libc::AT_STATX_DONT_SYNC).ok(),
        }
    }

    /// A name in a folder that was just listed, as `ls -l` and every tree walk ask for: its
    /// attributes came with the listing, so it need not be asked for once more.
    pub(crate) fn quick_stat_in_listed(&self, path: &[u8]) -> Option<Outcome> {
        let fd = self.in_listed_folder(path, sys::CACHED)?;
        let stat = sys::stat_bytes(fd.as_fd(), libc::AT_STATX_DONT_SYNC).ok()?;
        if self.shared.written.contains(sys::inode_of(&stat)) {
            return None;
        }
        self.stat_of(fd.as_fd(), libc::AT_STATX_DONT_SYNC).ok()
    }

    /// A descriptor of such a name; `None` when it is not one, or is a link to be followed.
    fn in_listed_folder(&self, path: &[u8], resolve: u64) -> Option<OwnedFd> {
        let (folder, name) = split(path);
        if matches!(name, b"." | b"..") || name.ends_with(b"/") {
            return None;
        }
        let folder = self.shared.facts.searchable(folder, self.creds.as_ref())?;
        let tree = self.tree_if_mounted()?;
        let fd = tree.handle(&join(&folder, name), false, resolve).ok()?;
        if self.request.kind.follows() {
            let stat = sys::stat_bytes(fd.as_fd(), libc::AT_STATX_DONT_SYNC).ok()?;
            if sys::mode_of(&stat) & libc::S_IFMT == libc::S_IFLNK {
                return None;
            }
        }
        Some(fd)
    }

    pub(crate) fn stat(&self, cancelled: &Cancelled) -> Errno<Outcome> {
        let path = self.path()?;
        if let Target::Local(_) = self.target {
            let fd = self.tree()?.handle(path, self.follow(path), 0)?;
            return self.stat_of(fd.as_fd(), 0);
        }
        if let Some(fd) = self.in_listed_folder(path, 0) {
            return self.stat_of(fd.as_fd(), 0);
        }
        let walked = self.walk(cancelled, Want::Attr)?;
        let found = walked.found.as_ref().map_err(|errno| *errno)?;
        match self.tree_if_mounted() {
            Some(tree) => self.stat_of(tree.handle(&found.path, false, 0)?.as_fd(), 0),
            None => Ok(self.stat_from_attributes(found)),
        }
    }

    fn stat_of(&self, fd: BorrowedFd<'_>, sync: i32) -> Errno<Outcome> {
        match self.request.kind {
            Kind::Statx {
                buffer,
                flags,
                mask,
            } => {
                let asked = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
                let known =
                    asked | libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
                if flags & !known != 0 {
                    return Err(libc::EINVAL);
                }
                let flags = if sync == 0 { flags & asked } else { sync };
                Ok(Outcome::number(0).write(buffer, sys::statx_bytes(fd, flags, mask)?))
            }
            Kind::Stat { buffer, .. } => {
                Ok(Outcome::number(0).write(buffer, sys::stat_bytes(fd, sync)?))
            }
            _ => Err(libc::EINVAL),
        }
    }

    /// Without a mount: what the agent said, on no device of this machine.
    fn stat_from_attributes(&self, found: &Found) -> Outcome {
        match self.request.kind {
            Kind::Stat { buffer, .. } => {
                Outcome::number(0).write(buffer, super::attributes::stat(&found.attr))
            }
            Kind::Statx { buffer, .. } => {
                Outcome::number(0).write(buffer, super::attributes::statx(&found.attr))
            }
            _ => Outcome::errno(libc::EINVAL),
        }
    }

    pub(crate) fn quick_access(&self, walked: &Walked, mode: i32) -> Option<Outcome> {
        if let (Ok(found), Some(tree)) = (&walked.found, self.tree_if_mounted()) {
            // Another name may have removed it meanwhile: the kernel's cache knows.
            let fd = tree.handle(&found.path, false, sys::CACHED).ok()?;
            if !self.still(found, fd.as_fd()) {
                return None;
            }
        }
        Some(may(walked, mode))
    }

    pub(crate) fn access(&self, cancelled: &Cancelled, mode: i32) -> Errno<Outcome> {
        let path = self.path()?;
        if let Target::Local(_) = self.target {
            let fd = self.tree()?.handle(path, self.follow(path), 0)?;
            let wanted = rustix::fs::Access::from_bits_retain(mode as u32);
            let checked = rustix::fs::access(magic_path(&fd), wanted);
            return done(checked);
        }
        Ok(may(&*self.walk(cancelled, Want::Attr)?, mode))
    }

    pub(crate) fn read_link(
        &self,
        cancelled: &Cancelled,
        buffer: u64,
        size: u64,
    ) -> Errno<Outcome> {
        let path = self.path()?;
        if let Target::Local(_) = self.target {
            if size as i32 <= 0 {
                return Err(libc::EINVAL);
            }
            let text = rustix::fs::readlink(path, Vec::new())
                .map_err(|errno| errno.raw_os_error())?
                .into_bytes();
            let text = &text[..text.len().min(size as i32 as usize)];
            return Ok(Outcome::number(text.len() as i64).write(buffer, text.to_vec()));
        }
        Ok(read_link(&*self.walk(cancelled, Want::Attr)?, buffer, size))
    }

    /// The calls that look at the file through a descriptor.
    pub(crate) fn look(&self, cancelled: &Cancelled) -> Errno<Outcome> {
        let (fd, allowed) = self.handle(cancelled)?;
        let path = magic_path(&fd);
        match self.request.kind {
            Kind::StatFs { buffer } => {
                Ok(Outcome::number(0).write(buffer, sys::statfs_bytes(fd.as_fd())?))
            }
            Kind::Watch { mask, .. } => {
                if allowed & allow::READ == 0 {
                    return Err(libc::EACCES);
                }
                let inotify = self.arguments.inotify.as_ref().ok_or(libc::EBADF)?;
                let mask = mask & !libc::IN_DONT_FOLLOW;
                let watch = sys::inotify_add_watch(inotify.as_fd(), path.as_bytes(), mask)?;
                self.explain_watch();
                Ok(Outcome::number(watch))
            }
            Kind::GetXattr { value, size, .. } => {
                let name = self.arguments.name.as_slice();
                answer(value, size, |buffer| match buffer {
                    Some(buffer) => rustix::fs::getxattr(&path, name, buffer),
                    None => rustix::fs::getxattr_query(&path, name),
                })
            }
            Kind::ListXattr { list, size, .. } => answer(list, size, |buffer| match buffer {
                Some(buffer) => rustix::fs::listxattr(&path, buffer),
                None => rustix::fs::listxattr_query(&path),
            }),
            _ => Err(libc::ENOSYS),
        }
    }

    /// A descriptor that names the file, and its access bits.
    fn handle(&self, cancelled: &Cancelled) -> Errno<(OwnedFd, u8)> {
        let path = self.path()?;
        let tree: Tree<'_> = self.tree()?;
        if let Target::Local(_) = self.target {
            let all = allow::READ | allow::WRITE | allow::EXECUTE;
            return Ok((tree.handle(path, self.follow(path), 0)?, all));
        }
        if !matches!(self.request.kind, Kind::Watch { .. })
            && let Some(fd) = self.in_listed_folder(path, 0)
        {
            return Ok((fd, 0));
        }
        let walked = self.walk(cancelled, Want::Attr)?;
        let found = walked.found.as_ref().map_err(|errno| *errno)?;
        Ok((tree.handle(&found.path, false, 0)?, found.allowed))
    }

    fn explain_watch(&self) {
        if let Target::Pod(path) = &self.target {
            let path = String::from_utf8_lossy(path);
            self.shared.notice(format!(
                "{path} is watched for changes that supervised programs make; changes that the \
                 pod makes itself are not reported, so set the watcher to polling"
            ));
        }
    }

    /// Whether the mount still shows the permissions that the agent spoke of: a program may have
    /// changed them through a descriptor or another name. If not, nothing is believed any more.
    pub(crate) fn still(&self, found: &Found, fd: BorrowedFd<'_>) -> bool {
        let shown = sys::stat_bytes(fd, libc::AT_STATX_DONT_SYNC);
        let same = shown.is_ok_and(|stat| sys::mode_of(&stat) == found.attr.mode);
        if !same {
            self.shared.facts.clear();
        }
        same
    }

    /// The pod's mount, when there is one.
    pub(crate) fn tree_if_mounted(&self) -> Option<Tree<'_>> {
        self.shared.pod.root().map(Tree::pod)
    }
}

/// An answer of `access(2)` from the access bits.
fn may(walked: &Walked, mode: i32) -> Outcome {
    if mode & !7 != 0 {
        return Outcome::errno(libc::EINVAL);
    }
    match &walked.found {
        Ok(found) if i32::from(found.allowed) & mode == mode => Outcome::number(0),
        Ok(found) => Outcome::errno(refusal(found.allowed, mode as u8)),
        Err(errno) => Outcome::errno(*errno),
    }
}

/// Fills a buffer of the caller; one with size 0 only asks for the length (getxattr(2)).
fn answer(
    address: u64,
    size: u64,
    fill: impl Fn(Option<&mut [u8]>) -> Result<usize, rustix::io::Errno>,
) -> Errno<Outcome> {
    let errno = |e: rustix::io::Errno| e.raw_os_error();
    if size == 0 {
        return Ok(Outcome::number(fill(None).map_err(errno)? as i64));
    }
    let mut buffer = vec![0; size.min(XATTR_SIZE_MAX) as usize];
    let len = fill(Some(&mut buffer)).map_err(errno)?;
    buffer.truncate(len);
    Ok(Outcome::number(len as i64).write(address, buffer))
}

/// Zero or the errno.
pub(crate) fn done(result: Result<(), rustix::io::Errno>) -> Errno<Outcome> {
    result
        .map(|()| Outcome::number(0))
        .map_err(|errno| errno.raw_os_error())
}
