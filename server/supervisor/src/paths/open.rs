//! `open`, `openat`, `openat2` and `creat`.
//!
//! The mount's opens send no message, so nothing there refuses what the pod would refuse: the
//! access bits that the agent brought decide, in the order in which the kernel checks
//! (`do_open` and `may_open` in fs/namei.c).
//!
//! The kernel gives no `O_PATH` descriptor to another process (`seccomp_notify_addfd` uses
//! `fget`, which refuses them with EBADF), so a program that asks for one gets a descriptor for
//! reading: it can do all that the other can. Links, pipes and devices cannot be opened that way.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use mirrord_files::{Found, Walked, Want, allow};
use mirrord_filter::own_open::Door;

use super::{
    decide::Target,
    job::{Job, give},
    kind::opens_for_writing,
    pod::Question,
    sys::{self, Errno},
};
use crate::call::{Cancelled, Outcome};

const CREAT: u64 = libc::O_CREAT as u64;
const EXCL: u64 = libc::O_EXCL as u64;
const TRUNC: u64 = libc::O_TRUNC as u64;
const PATH: u64 = libc::O_PATH as u64;
const DIRECTORY: u64 = libc::O_DIRECTORY as u64;
const TMPFILE: u64 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u64;
/// Only an owner may ask for it, which the mount cannot tell; the pod's access times do not
/// depend on it.
const NOATIME: u64 = libc::O_NOATIME as u64;

impl Job {
    pub(crate) fn quick_open(
        &self,
        walked: &Walked,
        path: &[u8],
        flags: u64,
        resolve: u64,
    ) -> Option<Outcome> {
        let found = match &walked.found {
            Ok(found) => found,
            Err(_) if flags & CREAT != 0 => return None,
            Err(errno) => return Some(Outcome::errno(*errno)),
        };
        if let Err(errno) = check(found, path, flags) {
            return is_special(found)
                .then_some(())
                .map_or(Some(Outcome::errno(errno)), |()| None);
        }
        // What makes or cuts a file is never in a cache.
        if flags & (CREAT | TRUNC | TMPFILE) != 0 {
            return None;
        }
        let path = if resolve == 0 { &found.path } else { path };
        let flags_here = instead_of_path(flags) & !NOATIME;
        let tree = self.tree_if_mounted()?;
        let fd = tree.open(path, flags_here, 0, resolve | sys::CACHED);
        let fd = fd.ok()?;
        if !self.still(found, fd.as_fd()) {
            return None;
        }
        self.note(found, &fd, flags);
        Some(match self.own_open(found, flags) {
            Some(answer) => Outcome::number(answer),
            None => give(fd, flags),
        })
    }

    /// What tells the caller to open the file itself, where it can: it acts with our ids, and the
    /// path leads over no link to a file that opening does nothing to.
    fn own_open(&self, found: &Found, flags: u64) -> Option<i64> {
        let possible = self.request.opens_itself
            && self.creds.is_none()
            && found.kind() == libc::S_IFREG
            && self.path() == Ok(&found.path)
            && !opens_for_writing(flags);
        let root = self.shared.pod.root().filter(|_| possible)?;
        Door {
            pid: std::process::id(),
            root: root.as_raw_fd() as u32,
        }
        .to_answer()
    }

    pub(crate) fn open(
        &self,
        cancelled: &Cancelled,
        flags: u64,
        mode: u32,
        resolve: u64,
    ) -> Errno<Outcome> {
        let path = self.path()?;
        let mode = mode & !self.umask;
        if let Target::Local(_) = self.target {
            let tree = self.tree()?;
            if flags & PATH != 0 {
                let file = tree.handle(path, self.follow(path), resolve)?;
                let mode = sys::mode_of(&sys::stat_bytes(file.as_fd(), 0)?);
                path_only(mode & libc::S_IFMT)?;
            }
            let opened = tree.open(path, instead_of_path(flags), mode, resolve);
            return Ok(give(opened?, flags));
        }
        let want = if flags & DIRECTORY != 0 {
            Want::List
        } else {
            Want::Data
        };
        let want = if flags & (PATH | TRUNC | TMPFILE) != 0 {
            Want::Attr
        } else {
            want
        };
        let walked = self.walk(cancelled, want)?;
        let path = match &walked.found {
            Ok(found) => {
                if let Err(errno) = check(found, path, flags) {
                    self.explain_special(found);
                    return Err(errno);
                }
                if resolve == 0 {
                    found.path.as_slice()
                } else {
                    path
                }
            }
            Err(libc::ENOENT) if flags & CREAT != 0 => path,
            // The kernel complains about the slash first.
            Err(libc::ENOTDIR) if flags & CREAT != 0 && path.ends_with(b"/") => path,
            Err(errno) => return Err(*errno),
        };
        let Some(tree) = self.tree_if_mounted() else {
            return self.open_snapshot(cancelled, path, &walked, flags);
        };
        let opened = tree.open(path, instead_of_path(flags) & !NOATIME, mode, resolve);
        if flags & (CREAT | TRUNC | TMPFILE) != 0 {
            self.shared.facts.changed(self.path()?);
        }
        let fd = opened?;
        match &walked.found {
            Ok(found) => self.note(found, &fd, flags),
            Err(_) => self.note_writing(&fd, flags),
        }
        Ok(give(fd, flags))
    }

    /// Without a mount a file is read whole.
    fn open_snapshot(
        &self,
        cancelled: &Cancelled,
        path: &[u8],
        walked: &Walked,
        flags: u64,
    ) -> Errno<Outcome> {
        let regular = walked
            .found
            .as_ref()
            .is_ok_and(|f| f.kind() == libc::S_IFREG);
        if !regular || opens_for_writing(flags) || flags & PATH != 0 {
            return self.tree().map(|_| Outcome::errno(libc::EOPNOTSUPP));
        }
        let creds = self.creds.as_ref();
        let question = Question {
            path,
            follow: true,
            want: Want::Attr,
            creds,
            cancelled: cancelled.fd(),
        };
        Ok(give(self.shared.pod.snapshot(&question)?, flags))
    }

    fn note(&self, found: &Found, fd: &OwnedFd, flags: u64) {
        if found.kind() == libc::S_IFDIR && flags & PATH == 0 {
            for path in [self.path().unwrap_or_default(), &found.path] {
                self.shared.facts.listed(path, self.creds.as_ref());
            }
        }
        self.note_writing(fd, flags);
    }

    /// Attributes of a file that a program writes to change without a look-up: from now on they
    /// are asked of the file server, not of the kernel's cache.
    fn note_writing(&self, fd: &OwnedFd, flags: u64) {
        if opens_for_writing(flags)
            && let Ok(stat) = sys::stat_bytes(fd.as_fd(), libc::AT_STATX_DONT_SYNC)
        {
            self.shared.written.insert(sys::inode_of(&stat));
        }
    }

    fn explain_special(&self, found: &Found) {
        if is_special(found) {
            let path = String::from_utf8_lossy(&found.path);
            self.shared.notice(format!(
                "{path} in the pod is a device or a pipe, which cannot be opened from outside; \
                 list it under feature.fs.local if the one on this machine will do"
            ));
        }
    }
}

/// What the kernel refuses before it looks at the path (`build_open_flags` in fs/open.c).
pub(crate) fn contradicts_itself(flags: u64) -> bool {
    let reads_only = flags as i32 & libc::O_ACCMODE == libc::O_RDONLY;
    flags & PATH == 0
        && (flags & (CREAT | DIRECTORY) == CREAT | DIRECTORY
            || flags & TMPFILE != 0 && (flags & CREAT != 0 || reads_only))
}

/// The flags to open with here; see the top of this file.
fn instead_of_path(flags: u64) -> u64 {
    if flags & PATH == 0 {
        flags
    } else {
        flags & !PATH | libc::O_RDONLY as u64
    }
}

/// Whether a file of this kind can be opened instead of only named.
fn path_only(kind: u32) -> Errno<()> {
    match kind {
        libc::S_IFREG | libc::S_IFDIR => Ok(()),
        libc::S_IFLNK => Err(libc::ELOOP),
        _ => Err(libc::EOPNOTSUPP),
    }
}

/// Opening these would reach this machine's device or pipe, not the pod's.
fn is_special(found: &Found) -> bool {
    matches!(found.kind(), libc::S_IFIFO | libc::S_IFCHR | libc::S_IFBLK)
}

/// What the kernel would refuse, with the pod's access bits.
fn check(found: &Found, path: &[u8], flags: u64) -> Errno<()> {
    let kind = found.kind();
    if flags & CREAT != 0 && flags & PATH == 0 && path.ends_with(b"/") {
        return Err(libc::EISDIR);
    }
    if flags & (CREAT | EXCL) == CREAT | EXCL && flags & PATH == 0 {
        return Err(libc::EEXIST);
    }
    if flags & DIRECTORY != 0 && kind != libc::S_IFDIR {
        return Err(libc::ENOTDIR);
    }
    if flags & PATH != 0 {
        return path_only(kind);
    }
    let access = flags as i32 & libc::O_ACCMODE;
    let writes = access != libc::O_RDONLY || flags & TRUNC != 0;
    match kind {
        libc::S_IFLNK => return Err(libc::ELOOP),
        libc::S_IFDIR if flags & CREAT != 0 => return Err(libc::EISDIR),
        libc::S_IFDIR if writes && flags & TMPFILE == 0 => return Err(libc::EISDIR),
        _ => {}
    }
    let mut needed = if access == libc::O_WRONLY {
        0
    } else {
        allow::READ
    };
    if writes {
        needed |= allow::WRITE;
    }
    if flags & TMPFILE != 0 {
        needed = allow::WRITE | allow::EXECUTE;
    }
    if found.allowed & needed != needed {
        return Err(refusal(found.allowed, needed));
    }
    match kind {
        libc::S_IFSOCK => Err(libc::ENXIO),
        libc::S_IFIFO | libc::S_IFCHR | libc::S_IFBLK => Err(libc::EOPNOTSUPP),
        _ => Ok(()),
    }
}

/// Why `needed` is not among what is allowed: a file system that is read-only says so (access(2)).
pub(super) fn refusal(allowed: u8, needed: u8) -> i32 {
    if allowed & allow::READ_ONLY != 0 && needed & !allowed == allow::WRITE {
        libc::EROFS
    } else {
        libc::EACCES
    }
}
