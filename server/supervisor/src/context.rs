//! What a handler is built from: the session's shared parts, one per worker process.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use crate::{
    live_rules::LiveRules, paths::roots::Roots, session_link::SessionLink,
    shared_table::SharedTable,
};

/// The shared parts. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The rules.
    pub rules: LiveRules,
    /// Questions and events to the session.
    pub session: Arc<SessionLink>,
    /// The pod's host name, when `uname(2)` shall answer it.
    pub hostname: Option<Arc<[u8]>>,
    /// Counts the workers of this session (a worker that crashed is replaced); peers of the
    /// inherited sockets can tell late answers to a predecessor by it.
    pub generation: u16,
    pub(crate) table: SharedTable,
    pub(crate) files: Option<Arc<OwnedFd>>,
    pub(crate) peers: Arc<OwnedFd>,
    pub(crate) roots: Arc<Roots>,
}

impl Context {
    /// The inherited socket to the file server, when this session has one.
    pub fn files(&self) -> Option<BorrowedFd<'_>> {
        self.files.as_ref().map(|fd| fd.as_fd())
    }

    /// Tells the layer the pod mount's `st_dev` (as `stat(2)` gives it), so that it knows the
    /// pod's directories by themselves. To be called once the mount's root is known.
    pub fn set_mount_device(&self, device: u64) {
        self.table.set_device(device);
    }

    /// The shared memory of `mirrord_net::PeerTable`.
    pub fn peers(&self) -> BorrowedFd<'_> {
        self.peers.as_fd()
    }
}
