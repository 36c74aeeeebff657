//! What the path calls need of the pod's files, behind a trait so that tests can put any folder
//! in the pod's place.

use std::os::fd::{BorrowedFd, OwnedFd};

use mirrord_files::{FilesClient, Walked, Want};
use mirrord_protocol::creds::Creds;

use super::sys::Errno;

/// One question about a path of the pod.
pub(crate) struct Question<'a> {
    /// The path, absolute, as the pod's kernel shall resolve it.
    pub path: &'a [u8],
    /// Whether a symlink at its end is followed.
    pub follow: bool,
    /// What to bring along.
    pub want: Want,
    /// Whose rights; `None`: the target's.
    pub creds: Option<&'a Creds>,
    /// Readable when nobody waits any more.
    pub cancelled: BorrowedFd<'a>,
}

/// The pod's files.
pub(crate) trait Pod: Send + Sync {
    /// Root of the mount; `None` without FUSE.
    fn root(&self) -> Option<BorrowedFd<'_>>;
    /// Resolves a path in the pod, at most one round trip.
    fn walk(&self, question: &Question<'_>) -> Errno<Walked>;
    /// A whole file's content, for when there is no mount.
    fn snapshot(&self, question: &Question<'_>) -> Errno<OwnedFd>;
    /// What does not work without a mount, in words.
    fn limits(&self) -> Option<&str>;
}

impl Pod for FilesClient {
    fn root(&self) -> Option<BorrowedFd<'_>> {
        FilesClient::root(self)
    }

    fn walk(&self, q: &Question<'_>) -> Errno<Walked> {
        FilesClient::walk(self, q.path, q.follow, q.want, q.creds, Some(q.cancelled))
    }

    fn snapshot(&self, q: &Question<'_>) -> Errno<OwnedFd> {
        FilesClient::snapshot(self, q.path, q.creds, Some(q.cancelled))
    }

    fn limits(&self) -> Option<&str> {
        FilesClient::limits(self)
    }
}
