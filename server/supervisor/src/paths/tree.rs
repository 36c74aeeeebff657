//! A tree of files in which names are resolved: the pod's mount, or this machine's own for paths
//! that a rule maps or that the caller's kernel could not find.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::sys::{self, Errno};

/// Where paths begin.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    root: BorrowedFd<'a>,
    resolve: u64,
}

impl<'a> Tree<'a> {
    /// The pod's: nothing leads out of it.
    pub(crate) fn pod(root: BorrowedFd<'a>) -> Tree<'a> {
        Tree {
            root,
            resolve: sys::IN_ROOT,
        }
    }

    /// This machine's.
    pub(crate) fn local(root: BorrowedFd<'a>) -> Tree<'a> {
        Tree { root, resolve: 0 }
    }

    /// Opens an absolute path of the tree.
    pub(crate) fn open(&self, path: &[u8], flags: u64, mode: u32, resolve: u64) -> Errno<OwnedFd> {
        let from_root = match path.iter().position(|&b| b != b'/') {
            Some(start) => &path[start..],
            None => b".",
        };
        let flags = flags | libc::O_CLOEXEC as u64;
        let makes = libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY);
        let mode = if flags & makes as u64 != 0 {
            mode & 0o7777
        } else {
            0
        };
        loop {
            match sys::openat2(
                self.root,
                from_root,
                flags,
                mode.into(),
                resolve | self.resolve,
            ) {
                Err(libc::EINTR) => {}
                result => return result,
            }
        }
    }

    /// A descriptor that only names the file.
    pub(crate) fn handle(&self, path: &[u8], follow: bool, resolve: u64) -> Errno<OwnedFd> {
        let flags = libc::O_PATH | if follow { 0 } else { libc::O_NOFOLLOW };
        self.open(path, flags as u64, 0, resolve)
    }

    /// The directory that holds the last name of `path`, and that name with its slashes, which
    /// mean "must be a directory" to the kernel. The name of the root is `.`.
    pub(crate) fn parent<'p>(&self, path: &'p [u8]) -> Errno<(OwnedFd, &'p [u8])> {
        let (folder, name) = split(path);
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        Ok((self.open(folder, flags as u64, 0, 0)?, name))
    }
}

/// Cuts a path before its last name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |i| i + 1);
    match path[..end].iter().rposition(|&b| b == b'/') {
        Some(slash) if end > 0 => (&path[..slash.max(1)], &path[slash + 1..]),
        _ => (b"/", b"."),
    }
}

/// A name for the file behind a descriptor that path calls accept, a symlink itself included.
pub(crate) fn magic_path(fd: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_keeps_its_slash() {
        assert_eq!(split(b"/a/b"), (&b"/a"[..], &b"b"[..]));
        assert_eq!(split(b"/a/b/"), (&b"/a"[..], &b"b/"[..]));
        assert_eq!(split(b"/a"), (&b"/"[..], &b"a"[..]));
        assert_eq!(split(b"/"), (&b"/"[..], &b"."[..]));
    }

    #[test]
    fn links_do_not_lead_out_of_the_pods_tree() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("hostname"), "pod").unwrap();
        std::os::unix::fs::symlink("/hostname", dir.path().join("link")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let tree = Tree::pod(root.as_fd());
        let fd = tree.open(b"/x/../link", 0, 0, 0);
        assert_eq!(fd.unwrap_err(), libc::ENOENT);
        let fd = tree.open(b"//../link", 0, 0, 0).unwrap();
        assert_eq!(
            std::io::read_to_string(std::fs::File::from(fd)).unwrap(),
            "pod"
        );
    }
}
