//! Where a request's paths lead: rules, working directories and descriptors put together.
//!
//! Everything here is done on the thread that received the call, so it only asks the kernel what
//! it can answer from its own memory: links in `/proc`, `statx` without synchronising, and local
//! names.

use std::os::fd::AsFd;

use mirrord_protocol::event::{EventKind, Place as Side};
use mirrord_rules::{Access, PathPlace, Rule, Rules};

use super::{
    Shared,
    kind::Kind,
    request::{At, Request},
    resolve::{Base, BaseKind, Found, Place, View, is_own_process, join, resolve},
    roots::RootOf,
    sys::{self, Errno},
};
use crate::tracee::Tracee;

/// Where one path of a call leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The kernel shall do it.
    Kernel,
    /// A path of this machine that the caller's own name does not lead to.
    Local(Vec<u8>),
    /// A path of the pod.
    Pod(Vec<u8>),
    /// "No such file".
    Missing,
}

/// The rules for one access, and local names.
struct Ruled<'a> {
    rules: &'a Rules<'static>,
    access: Access,
    here: std::os::fd::BorrowedFd<'a>,
}

impl View for Ruled<'_> {
    fn decide(&self, path: &[u8]) -> Place {
        match self.rules.path(path, self.access).place {
            PathPlace::LocalTrusted => Place::Trusted,
            PathPlace::Local => Place::Local,
            PathPlace::Remote { .. } | PathPlace::NotFound | PathPlace::Mapped => Place::Elsewhere,
        }
    }

    fn link(&self, path: &[u8]) -> Result<Vec<u8>, i32> {
        match rustix::fs::readlinkat(self.here, path, Vec::new()) {
            Ok(text) => Ok(text.into_bytes()),
            Err(errno) => Err(errno.raw_os_error()),
        }
    }

    fn plain(&self, path: &[u8], follow: bool) -> bool {
        let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
        let opened = sys::openat2(self.here, path, flags as u64, 0, sys::NO_SYMLINKS);
        !matches!(opened, Err(libc::ELOOP))
    }
}

impl Shared {
    /// Decides about one path of a request. `Err`: the kernel shall answer (a bad pointer, a
    /// closed descriptor).
    pub(crate) fn target(&self, tracee: &Tracee, request: &Request, at: At) -> Errno<Target> {
        let path = tracee.read_path(at.path).map_err(|e| e.raw_os_error())?;
        if path.is_empty() {
            return Ok(self.empty_path(tracee, request, at));
        }
        let kind = &request.kind;
        let absolute = path[0] == b'/';
        if let Kind::Open { resolve, .. } = kind
            && resolve & (sys::IN_ROOT | RESOLVE_BENEATH) != 0
        {
            // The caller itself confines the name to its descriptor, so the kernel finds the
            // right side alone.
            return Ok(Target::Kernel);
        }
        let base = if absolute {
            None
        } else {
            Some(self.base(tracee, at.dir)?)
        };
        let own_mount = matches!(&base, Some(base) if base.kind == BaseKind::Remote);
        let view = |here| Ruled {
            rules: self.rules.get(),
            access: kind.access(),
            here,
        };
        let found = resolve(
            &view(self.roots.own()),
            base.as_ref(),
            &path,
            kind.follows(),
        );
        if !matches!(found, Found::Kernel(_)) {
            match self.roots.of(tracee) {
                RootOf::Own => {}
                RootOf::Other => return Ok(Target::Kernel),
                RootOf::Container(root) => {
                    let view = view(root.as_fd());
                    let found = resolve(&view, base.as_ref(), &path, kind.follows());
                    return Ok(self.in_container(tracee, request, found));
                }
            }
        }
        let target = match found {
            Found::Kernel(name) => {
                self.report(tracee, request, &name, None);
                Target::Kernel
            }
            Found::Local(name) => {
                self.report(tracee, request, &name, None);
                Target::Local(self.own_process(tracee, name))
            }
            Found::Elsewhere { name, .. } if self.is_own_program(tracee, &name) => {
                self.report(tracee, request, &name, None);
                Target::Kernel
            }
            Found::Elsewhere { name, raw } => self.ruled(tracee, request, &name, raw),
        };
        // From a folder on the mount the kernel finds its way alone, and some things only it can
        // do: change a working directory, and make a descriptor that only names a file.
        let for_kernel = match kind {
            Kind::ChangeDirectory => true,
            Kind::Open { flags, .. } => flags & libc::O_PATH as u64 != 0,
            _ => false,
        };
        if own_mount && for_kernel && matches!(target, Target::Pod(_)) {
            return Ok(Target::Kernel);
        }
        Ok(target)
    }

    /// Whether a name is that of the program (or script) that the caller executes.
    fn is_own_program(&self, tracee: &Tracee, name: &[u8]) -> bool {
        tracee.tgid().is_ok_and(|tgid| self.programs.is(tgid, name))
    }

    /// In a container only what is the pod's is ours to answer: all else the kernel finds in the
    /// container, its programs too.
    fn in_container(&self, tracee: &Tracee, request: &Request, found: Found) -> Target {
        let Found::Elsewhere { name, raw } = found else {
            return Target::Kernel;
        };
        if matches!(request.kind, Kind::Execute) {
            return Target::Kernel;
        }
        match self.ruled(tracee, request, &name, raw) {
            Target::Local(_) => Target::Kernel,
            target => target,
        }
    }

    /// What the rule makes of a path that is not simply local.
    fn ruled(&self, tracee: &Tracee, request: &Request, name: &[u8], raw: Vec<u8>) -> Target {
        let access = request.kind.access();
        let decision = self.rules.get().path(name, access);
        match decision.place {
            PathPlace::NotFound => {
                self.report(tracee, request, name, Some((Side::NotFound, decision.rule)));
                Target::Missing
            }
            PathPlace::Mapped => {
                let mut mapped = Vec::new();
                self.mapper.map(name, &mut mapped);
                if raw.ends_with(b"/") {
                    mapped.push(b'/');
                }
                let place = self.rules.get().path_as_is(name_of(&mapped), access).place;
                let (side, target) = match place {
                    PathPlace::NotFound => (Side::NotFound, Target::Missing),
                    PathPlace::Remote { .. } => (Side::Remote, Target::Pod(mapped.clone())),
                    _ => (Side::Local, Target::Local(mapped.clone())),
                };
                self.report(tracee, request, &mapped, Some((side, decision.rule)));
                target
            }
            PathPlace::Remote { .. } => {
                self.report(tracee, request, name, Some((Side::Remote, decision.rule)));
                Target::Pod(raw)
            }
            PathPlace::Local | PathPlace::LocalTrusted => {
                self.report(tracee, request, name, None);
                Target::Local(raw)
            }
        }
    }

    /// An empty name means the descriptor itself, which the kernel knows; but not a working
    /// directory that we keep, nor the original text of a link in the pod.
    fn empty_path(&self, tracee: &Tracee, request: &Request, at: At) -> Target {
        let reads_link = matches!(request.kind, Kind::ReadLink { .. });
        if !at.empty || (at.dir != libc::AT_FDCWD && !reads_link) {
            return Target::Kernel;
        }
        match self.base(tracee, at.dir) {
            Ok(Base {
                path,
                kind: BaseKind::Virtual,
            }) => self.ruled(tracee, request, &path, path.clone()),
            Ok(Base {
                path,
                kind: BaseKind::Remote,
            }) if reads_link => Target::Pod(path),
            _ => Target::Kernel,
        }
    }

    /// Where a relative name of this call begins.
    pub(crate) fn base(&self, tracee: &Tracee, dir: i32) -> Errno<Base> {
        let tid = tracee.tid();
        if dir == libc::AT_FDCWD {
            if let Some(path) = self.directories.of(tracee) {
                return Ok(Base {
                    path,
                    kind: BaseKind::Virtual,
                });
            }
            let remote = self.is_pods(&format!("/proc/{tid}/cwd"))?;
            let path = tracee.cwd_path().map_err(|e| e.raw_os_error())?;
            return self.base_at(path, remote, BaseKind::LocalCwd);
        }
        let remote = self.is_pods(&format!("/proc/{tid}/fd/{dir}"))?;
        let path = tracee.fd_path(dir).map_err(|e| e.raw_os_error())?;
        self.base_at(path, remote, BaseKind::LocalFd)
    }

    fn base_at(&self, path: Vec<u8>, remote: bool, local: BaseKind) -> Errno<Base> {
        // "pipe:[1]", or a folder that cannot be reached by name any more.
        if path.first() != Some(&b'/') || path.ends_with(b" (deleted)") {
            return Err(libc::ENOENT);
        }
        if remote {
            return Ok(Base {
                path: self.in_pod(path),
                kind: BaseKind::Remote,
            });
        }
        Ok(Base { path, kind: local })
    }

    /// Whether a link of `/proc` leads to the pod's mount.
    fn is_pods(&self, link: &str) -> Errno<bool> {
        match self.device {
            Some(device) => Ok(sys::identity(link.as_bytes())?.device == device),
            None => Ok(false),
        }
    }

    /// The working directory's path when it is the pod's.
    pub(crate) fn pods_cwd(&self, tracee: &Tracee) -> Option<Vec<u8>> {
        if !self.is_pods(&format!("/proc/{}/cwd", tracee.tid())).ok()? {
            return None;
        }
        tracee.cwd_path().ok().map(|path| self.in_pod(path))
    }

    /// Path below the pod's root: a detached mount shows it as it is; another kind shows where
    /// it is mounted in front.
    fn in_pod(&self, path: Vec<u8>) -> Vec<u8> {
        match &self.mount_point {
            Some(point) => match path.strip_prefix(point.as_slice()) {
                Some(b"") => b"/".to_vec(),
                Some(rest) if rest[0] == b'/' => rest.to_vec(),
                _ => path,
            },
            None => path,
        }
    }

    /// `/proc/self` would be us: name the caller instead.
    fn own_process(&self, tracee: &Tracee, path: Vec<u8>) -> Vec<u8> {
        let Ok(tgid) = tracee.tgid() else {
            return path;
        };
        let tid = tracee.tid();
        let replace = [
            ("/proc/self", format!("/proc/{tgid}")),
            ("/proc/thread-self", format!("/proc/{tgid}/task/{tid}")),
            ("/dev/fd", format!("/proc/{tgid}/fd")),
            ("/dev/stdin", format!("/proc/{tgid}/fd/0")),
            ("/dev/stdout", format!("/proc/{tgid}/fd/1")),
            ("/dev/stderr", format!("/proc/{tgid}/fd/2")),
        ];
        for (name, theirs) in replace {
            match path.strip_prefix(name.as_bytes()) {
                Some(b"") => return theirs.into_bytes(),
                Some([b'/', rest @ ..]) => return join(theirs.as_bytes(), rest),
                _ => {}
            }
        }
        path
    }

    /// Tells the session, when somebody listens. `ruled`: other than simply local, and why.
    fn report(
        &self,
        tracee: &Tracee,
        request: &Request,
        path: &[u8],
        ruled: Option<(Side, Rule<'_>)>,
    ) {
        let stays = ruled.is_none_or(|(side, _)| side == Side::Local);
        if !self.events.wanted(stays) {
            return;
        }
        let (place, rule) = match ruled {
            Some((side, rule)) => (side, rule.to_string()),
            None if is_own_process(path) => (Side::Local, "the calling process".to_owned()),
            None if self.is_own_program(tracee, path) => (
                Side::Local,
                "the program itself, which runs on this machine".to_owned(),
            ),
            None if !mirrord_rules::is_plain(name_of(path)) => {
                (Side::Local, "relative to a local folder".to_owned())
            }
            None => {
                let decision = self.rules.get().path(name_of(path), request.kind.access());
                match decision.place {
                    PathPlace::Local | PathPlace::LocalTrusted => {
                        (Side::Local, decision.rule.to_string())
                    }
                    _ => (Side::Local, "relative to a local folder".to_owned()),
                }
            }
        };
        self.events.emit(EventKind::File {
            pid: tracee.tid(),
            call: request.name.to_owned(),
            path: String::from_utf8_lossy(path).into_owned(),
            writes: request.kind.access() == Access::Write,
            place,
            rule,
        });
    }
}

/// `RESOLVE_BENEATH` (openat2(2)).
const RESOLVE_BENEATH: u64 = 0x08;

/// A path as the rules want it, without the slash at its end.
fn name_of(path: &[u8]) -> &[u8] {
    match path.strip_suffix(b"/") {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    }
}
