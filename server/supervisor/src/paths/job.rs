//! One call that is ours to do: everything it needs, so that it can be done on another thread,
//! and after a restart the same way again.

use std::{os::fd::OwnedFd, sync::Arc};

use mirrord_files::{Walked, Want};
use mirrord_protocol::creds::Creds;

use super::{
    Shared,
    decide::Target,
    kind::Kind,
    pod::Question,
    request::Request,
    sys::{self, Errno, FileIds},
    times::FileTimes,
    tree::Tree,
};
use crate::{
    call::{Cancelled, Outcome, Value},
    tracee::Tracee,
};

/// A call with its arguments read.
pub(crate) struct Job {
    pub shared: Arc<Shared>,
    pub request: Request,
    /// Where the (first) path leads.
    pub target: Target,
    /// Where the second leads.
    pub second: Option<Target>,
    /// Ids other than those the session began with.
    pub creds: Option<Creds>,
    /// The caller's umask; only read for calls that make something.
    pub umask: u32,
    pub arguments: Arguments,
    pub tgid: i32,
}

/// What was read from the caller's memory or descriptors beside paths.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Name of an extended attribute, or the text of a new symlink.
    pub name: Vec<u8>,
    /// Value of an extended attribute.
    pub value: Vec<u8>,
    /// Times to set.
    pub times: Option<FileTimes>,
    /// The caller's inotify descriptor.
    pub inotify: Option<OwnedFd>,
}

/// Longest name and value of an extended attribute (limits.h).
const XATTR_NAME_MAX: usize = 255;
pub(crate) const XATTR_SIZE_MAX: u64 = 65536;

impl Arguments {
    /// Reads what `kind` needs; `Err` with the errno that the kernel would give.
    pub(crate) fn read(kind: &Kind, tracee: &Tracee) -> Errno<Arguments> {
        let errno = |e: rustix::io::Errno| e.raw_os_error();
        let name = |address| {
            let too_long = rustix::io::Errno::RANGE;
            let name = tracee
                .read_cstr(address, XATTR_NAME_MAX + 1, too_long)
                .map_err(errno)?;
            if name.is_empty() {
                Err(libc::ERANGE)
            } else {
                Ok(name)
            }
        };
        let mut read = Arguments::default();
        match *kind {
            Kind::Open { flags, .. } if super::open::contradicts_itself(flags) => {
                return Err(libc::EINVAL);
            }
            Kind::SymLink { text } => {
                read.name = tracee.read_path(text).map_err(errno)?;
                if read.name.is_empty() {
                    return Err(libc::ENOENT);
                }
            }
            Kind::GetXattr { name: at, .. } | Kind::RemoveXattr { name: at, .. } => {
                read.name = name(at)?;
            }
            Kind::SetXattr {
                name: at,
                value,
                size,
                ..
            } => {
                read.name = name(at)?;
                if size > XATTR_SIZE_MAX {
                    return Err(libc::E2BIG);
                }
                read.value = tracee.read_vec(value, size as usize).map_err(errno)?;
            }
            Kind::SetTimes { times, .. } => read.times = Some(FileTimes::read(times, tracee)?),
            Kind::Watch { inotify, .. } => {
                read.inotify = Some(tracee.dup_fd(inotify).map_err(errno)?);
            }
            _ => {}
        }
        Ok(read)
    }
}

impl Job {
    /// Does it now if that asks nobody but the kernel's caches.
    pub(crate) fn quick(&self) -> Option<Outcome> {
        let Target::Pod(path) = &self.target else {
            return None;
        };
        let follow = self.follow(path);
        let walked = self.shared.facts.get(path, follow, self.creds.as_ref());
        let _ids = self.ids();
        let looks = matches!(self.request.kind, Kind::Stat { .. } | Kind::Statx { .. });
        let Some(walked) = walked else {
            return if looks {
                self.quick_stat_in_listed(path)
            } else {
                None
            };
        };
        match self.request.kind {
            Kind::Open { flags, resolve, .. } => self.quick_open(&walked, path, flags, resolve),
            Kind::Stat { .. } | Kind::Statx { .. } => self.quick_stat(&walked),
            Kind::Access { mode, .. } => self.quick_access(&walked, mode),
            Kind::ReadLink { buffer, size } => Some(read_link(&walked, buffer, size)),
            Kind::ChangeDirectory => Some(self.change_directory(&walked)),
            _ => None,
        }
    }

    /// Does it, however long it takes.
    pub(crate) fn run(&self, cancelled: &Cancelled) -> Outcome {
        let _ids = self.ids();
        self.attempt(cancelled).unwrap_or_else(Outcome::errno)
    }

    fn attempt(&self, cancelled: &Cancelled) -> Errno<Outcome> {
        match self.request.kind {
            Kind::Open {
                flags,
                mode,
                resolve,
            } => self.open(cancelled, flags, mode, resolve),
            Kind::Stat { .. } | Kind::Statx { .. } => self.stat(cancelled),
            Kind::Access { mode, .. } => self.access(cancelled, mode),
            Kind::ReadLink { buffer, size } => self.read_link(cancelled, buffer, size),
            Kind::ChangeDirectory => match &self.target {
                Target::Local(path) => Ok(self.change_local_directory(path)),
                _ => Ok(self.change_directory(&*self.walk(cancelled, Want::Attr)?)),
            },
            Kind::Execute => self.execute(cancelled),
            Kind::FileHandle => Err(libc::EOPNOTSUPP),
            Kind::StatFs { .. } | Kind::Watch { .. } => self.look(cancelled),
            Kind::GetXattr { .. } | Kind::ListXattr { .. } => self.look(cancelled),
            _ => self.change(),
        }
    }

    /// Path of the first target.
    pub(crate) fn path(&self) -> Errno<&[u8]> {
        match &self.target {
            Target::Local(path) | Target::Pod(path) => Ok(path),
            Target::Kernel | Target::Missing => Err(libc::ENOENT),
        }
    }

    /// The tree of the first target, or why there is none.
    pub(crate) fn tree(&self) -> Errno<Tree<'_>> {
        match &self.target {
            Target::Pod(_) => match self.shared.pod.root() {
                Some(root) => Ok(Tree::pod(root)),
                None => {
                    self.without_mount();
                    Err(libc::EOPNOTSUPP)
                }
            },
            _ => Ok(Tree::local(self.shared.roots.own())),
        }
    }

    /// Whether a link at the end of the path is followed; a slash behind it follows always.
    pub(crate) fn follow(&self, path: &[u8]) -> bool {
        self.request.kind.follows() || path.ends_with(b"/")
    }

    /// What the agent says about the pod's path: from the cache, or in one round trip.
    pub(crate) fn walk(&self, cancelled: &Cancelled, want: Want) -> Errno<Arc<Walked>> {
        let path = self.path()?;
        let (follow, creds) = (self.follow(path), self.creds.as_ref());
        let facts = &self.shared.facts;
        if let Some(known) = facts.get(path, follow, creds) {
            return Ok(known);
        }
        let generation = facts.generation();
        let question = Question {
            path,
            follow,
            want,
            creds,
            cancelled: cancelled.fd(),
        };
        let walked = Arc::new(self.shared.pod.walk(&question)?);
        facts.put(path, follow, creds, &walked, generation);
        Ok(walked)
    }

    /// Acts with the caller's ids where they are not those the session began with: the file
    /// server passes them on, and this machine's files want them too.
    fn ids(&self) -> Option<FileIds> {
        self.creds
            .as_ref()
            .map(|creds| FileIds::assume(creds.uid, creds.gid))
    }

    fn without_mount(&self) {
        let limits = self
            .shared
            .pod
            .limits()
            .unwrap_or("the pod's files are not mounted");
        let path = String::from_utf8_lossy(self.path().unwrap_or_default());
        self.shared.notice(format!(
            "{} of {path} in the pod is not possible here: {limits}",
            self.request.name
        ));
    }
}

/// `readlink(2)` from what is known.
pub(crate) fn read_link(walked: &Walked, buffer: u64, size: u64) -> Outcome {
    if size as i32 <= 0 {
        return Outcome::errno(libc::EINVAL);
    }
    match &walked.found {
        Ok(found) => match &found.link {
            Some(text) => {
                let text = &text[..text.len().min(size as i32 as usize)];
                Outcome::number(text.len() as i64).write(buffer, text.to_vec())
            }
            None => Outcome::errno(libc::EINVAL),
        },
        Err(errno) => Outcome::errno(*errno),
    }
}

/// A descriptor for the caller.
pub(crate) fn give(fd: OwnedFd, flags: u64) -> Outcome {
    let cloexec = flags & libc::O_CLOEXEC as u64 != 0;
    Outcome {
        value: Value::Fd { fd, cloexec },
        ..Outcome::default()
    }
}

/// Whether a call makes something, so that the umask matters.
pub(crate) fn makes(kind: &Kind) -> bool {
    let creating = libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY);
    match kind {
        Kind::Open { flags, .. } => flags & creating as u64 != 0,
        Kind::MakeDirectory { .. } | Kind::MakeNode { .. } => true,
        _ => false,
    }
}

/// Ids of the caller when they are not ours; one cheap question to `/proc`, unlike its `status`.
pub(crate) fn other_ids(tracee: &Tracee) -> Option<Creds> {
    let task = sys::identity(format!("/proc/{}", tracee.tid()).as_bytes()).ok()?;
    if (task.uid, task.gid) == sys::own_ids() {
        return None;
    }
    tracee.status().ok().map(|status| status.creds.clone())
}
