//! From a name in a program's call to the place it really means.
//!
//! Rules are written about absolute, normal paths, programs use anything else: doubled slashes,
//! `..`, a local symlink into a remote folder, a descriptor of the other side. This module does
//! the kernel's path walk (path_resolution(7)) far enough to decide, and says whether the
//! kernel's own walk would come to the same place. It makes no system call itself: what it must
//! know it asks a [`View`].

use std::collections::VecDeque;

use mirrord_rules::is_plain;

/// How a normal absolute path is treated, as [`View::decide`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Local, below a system folder that holds no links to remote paths.
    Trusted,
    /// Local; components may be symlinks.
    Local,
    /// The pod's, or mapped: not looked up on this machine.
    Elsewhere,
}

/// What the walk asks.
pub(crate) trait View {
    /// The rule's answer for a normal absolute path.
    fn decide(&self, path: &[u8]) -> Place;
    /// readlink(2) on this machine; `Err(EINVAL)` where it is not a link.
    fn link(&self, path: &[u8]) -> Result<Vec<u8>, i32>;
    /// True when no component of a local absolute path is a symlink (the last may be one when it
    /// is not followed).
    fn plain(&self, path: &[u8], follow: bool) -> bool;
}

/// Where a relative name begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// Normal absolute path of the folder.
    pub path: Vec<u8>,
    /// Which side, and whether the kernel knows.
    pub kind: BaseKind,
}

/// Kinds of starting folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaseKind {
    /// The working directory, on this machine: names relative to it are local.
    LocalCwd,
    /// A descriptor of a folder on this machine: its names are decided as absolute ones.
    LocalFd,
    /// A folder on the pod's mount.
    Remote,
    /// A working directory that only we keep, for programs that could not change theirs.
    Virtual,
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The kernel, left alone, resolves it to the right local place. The path is for events.
    Kernel(Vec<u8>),
    /// A local place that the kernel would not find from here.
    Local(Vec<u8>),
    /// By rule not a local path.
    Elsewhere {
        /// Normal path, which the rule decided on.
        name: Vec<u8>,
        /// What to hand to the kernel below the pod's root; keeps `..` behind components that
        /// may be symlinks there, and a trailing slash.
        raw: Vec<u8>,
    },
}

/// As many links as the kernel follows (MAXSYMLINKS).
const MAX_LINKS: usize = 40;

/// Always this machine's, whatever the rules say: these name the calling process itself.
pub(crate) fn is_own_process(path: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] = [
        b"/proc/self",
        b"/proc/thread-self",
        b"/dev/fd",
        b"/dev/stdin",
        b"/dev/stdout",
        b"/dev/stderr",
    ];
    PREFIXES.iter().any(|p| below(path, p))
}

/// `path` is `folder` or inside of it.
pub(crate) fn below(path: &[u8], folder: &[u8]) -> bool {
    match path.strip_prefix(folder) {
        Some(rest) => rest.is_empty() || rest[0] == b'/' || folder == b"/",
        None => false,
    }
}

/// Resolves `path` as seen from `base` (which relative paths need).
pub(crate) fn resolve(
    view: &dyn View,
    base: Option<&Base>,
    path: &[u8],
    follow_last: bool,
) -> Found {
    let absolute = path.first() == Some(&b'/');
    if absolute && is_plain(path) {
        if is_own_process(path) {
            return Found::Kernel(path.to_vec());
        }
        match view.decide(path) {
            Place::Trusted => return Found::Kernel(path.to_vec()),
            Place::Local if view.plain(path, follow_last) => return Found::Kernel(path.to_vec()),
            Place::Local => {}
            Place::Elsewhere => {
                return Found::Elsewhere {
                    name: path.to_vec(),
                    raw: path.to_vec(),
                };
            }
        }
    }
    let mut walk = Walk::new(view);
    if !absolute {
        let Some(base) = base else {
            return Found::Kernel(path.to_vec());
        };
        walk.begin_at(base);
        if base.kind == BaseKind::LocalCwd {
            let joined = join(&base.path, path);
            if is_plain(&joined) && view.plain(&joined, follow_last) {
                return Found::Kernel(joined);
            }
        }
    }
    walk.run(path, follow_last)
}

/// `folder` + `/` + `name`.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(folder.len() + 1 + name.len());
    joined.extend_from_slice(folder);
    if joined.last() != Some(&b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}

struct Walk<'a> {
    view: &'a dyn View,
    /// Normal path so far, empty for the root.
    at: Vec<u8>,
    /// Path for the pod's kernel where it differs from `at`.
    raw: Option<Vec<u8>>,
    /// Components at the end of `at` that may be symlinks in the pod.
    unverified: usize,
    /// `at` is decided elsewhere.
    elsewhere: bool,
    /// Relative to a local working directory: local until an absolute link leads away.
    forced: bool,
    /// The kernel's own walk would not come here.
    strayed: bool,
    /// A local component is missing or closed to us: no more links can follow.
    blind: bool,
}

impl<'a> Walk<'a> {
    fn new(view: &'a dyn View) -> Self {
        Walk {
            view,
            at: Vec::new(),
            raw: None,
            unverified: 0,
            elsewhere: false,
            forced: false,
            strayed: false,
            blind: false,
        }
    }

    fn begin_at(&mut self, base: &Base) {
        if base.path != b"/" {
            self.at = base.path.clone();
        }
        self.forced = base.kind == BaseKind::LocalCwd;
        self.strayed = matches!(base.kind, BaseKind::Remote | BaseKind::Virtual);
        self.decide();
        // A folder that the pod's mount itself named has no links in its path.
        self.unverified = 0;
    }

    fn run(mut self, path: &[u8], follow_last: bool) -> Found {
        let mut pending: VecDeque<Vec<u8>> = components(path);
        let trailing = trailing_slash(path);
        let mut links = 0;
        let mut tail: &[u8] = if trailing { b"/" } else { b"" };
        if pending.is_empty() {
            self.decide();
        }
        while let Some(component) = pending.pop_front() {
            match component.as_slice() {
                b"." => {
                    if pending.is_empty() {
                        tail = if trailing { b"/./" } else { b"/." };
                        self.decide();
                    }
                    continue;
                }
                b".." => {
                    self.up();
                    continue;
                }
                _ => {}
            }
            self.down(&component);
            let local = !self.elsewhere && !self.blind;
            let last = pending.is_empty();
            if !local || (last && !follow_last && !trailing) {
                continue;
            }
            if below(&self.at, b"/proc") && self.at.len() > 5 {
                // Magic links: only the kernel can follow them.
                return self.finish_in_proc(&pending, tail);
            }
            match self.view.link(&self.at) {
                Ok(text) if links < MAX_LINKS => {
                    links += 1;
                    self.pop();
                    if text.first() == Some(&b'/') {
                        self.at.clear();
                        self.forced = false;
                        self.elsewhere = false;
                    }
                    for part in components(&text).into_iter().rev() {
                        pending.push_front(part);
                    }
                    if pending.is_empty() {
                        self.decide();
                    }
                }
                Ok(_) | Err(libc::EINVAL) => {}
                Err(_) => self.blind = true,
            }
        }
        self.finish(tail)
    }

    fn decide(&mut self) {
        let at: &[u8] = if self.at.is_empty() { b"/" } else { &self.at };
        self.elsewhere =
            !self.forced && !is_own_process(at) && self.view.decide(at) == Place::Elsewhere;
        if !self.elsewhere {
            self.raw = None;
            self.unverified = 0;
        }
    }

    fn down(&mut self, component: &[u8]) {
        self.at.push(b'/');
        self.at.extend_from_slice(component);
        if let Some(raw) = &mut self.raw {
            raw.push(b'/');
            raw.extend_from_slice(component);
        }
        self.unverified += 1;
        self.decide();
    }

    fn up(&mut self) {
        if self.elsewhere && self.unverified > 0 {
            // The component may be a symlink in the pod, so its kernel must take this step; the
            // rule is asked about the path as it reads. Locally the component may not exist.
            let raw = self.raw.get_or_insert_with(|| self.at.clone());
            raw.extend_from_slice(b"/..");
            self.strayed = true;
            pop(&mut self.at);
            self.unverified -= 1;
            let raw = self.raw.take();
            self.decide();
            if self.elsewhere {
                self.raw = raw;
                self.unverified = self.unverified.max(1);
            }
        } else {
            self.pop();
            self.decide();
        }
    }

    fn pop(&mut self) {
        pop(&mut self.at);
        self.raw = None;
    }

    fn finish_in_proc(mut self, pending: &VecDeque<Vec<u8>>, tail: &[u8]) -> Found {
        for component in pending {
            self.at.push(b'/');
            self.at.extend_from_slice(component);
        }
        self.forced = true;
        self.elsewhere = false;
        self.finish(tail)
    }

    fn finish(mut self, tail: &[u8]) -> Found {
        if self.at.is_empty() {
            self.at.push(b'/');
        }
        if self.elsewhere {
            let mut raw = self.raw.unwrap_or_else(|| self.at.clone());
            if raw != b"/" {
                raw.extend_from_slice(tail);
            }
            return Found::Elsewhere { name: self.at, raw };
        }
        if self.strayed {
            self.at.extend_from_slice(tail);
            return Found::Local(self.at);
        }
        Found::Kernel(self.at)
    }
}

fn pop(path: &mut Vec<u8>) {
    let end = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
    path.truncate(end);
}

fn components(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|&b| b == b'/')
        .filter(|c| !c.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

fn trailing_slash(path: &[u8]) -> bool {
    path.len() > 1 && path.last() == Some(&b'/')
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
