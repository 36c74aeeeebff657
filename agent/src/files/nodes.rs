//! The files that the file server knows of, each with an `O_PATH` descriptor.
//!
//! A node lives until the file server gave it back as often as it got it. Descriptors are bounded:
//! when many are open, those used longest ago are closed, and such a node is found again by its
//! directory and name; if another file has that name by then, the call fails with ESTALE.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use mirrord_protocol::files::{Attr, NodeId, ROOT};
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};

use super::{attr, attr::Identity};

/// One file.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    /// `S_IFMT` part of its mode, which never changes.
    pub(super) kind: u32,
    identity: Identity,
    fd: Mutex<Option<Arc<OwnedFd>>>,
    place: Mutex<(NodeId, Vec<u8>)>,
    /// Open for reading and writing, made when first needed.
    pub(super) content: Mutex<Content>,
    used: AtomicU64,
    /// It has no name any more, or never had one we know: its descriptor must stay.
    pinned: AtomicBool,
    handed: AtomicU64,
}

/// Descriptors that content is moved through.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) read: Option<Arc<OwnedFd>>,
    pub(super) write: Option<Arc<OwnedFd>>,
}

/// All nodes of a session.
#[derive(Debug)]
pub(super) struct Nodes {
    table: Mutex<Table>,
    clock: AtomicU64,
    limit: usize,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<NodeId, Arc<Node>>,
    by_identity: HashMap<Identity, NodeId>,
    last: NodeId,
    opened: usize,
}

impl Nodes {
    /// A table with the root in it, that keeps about `limit` descriptors open.
    pub(super) fn new(root: OwnedFd, limit: usize) -> Result<Nodes, Errno> {
        let (attr, identity) = attr::of(&root)?;
        let node = Node::new(ROOT, attr.mode & libc::S_IFMT, identity, (ROOT, Vec::new()));
        *lock(&node.fd) = Some(Arc::new(root));
        node.pinned.store(true, Ordering::Relaxed);
        let mut table = Table {
            last: first_number()?,
            ..Table::default()
        };
        table.by_id.insert(ROOT, Arc::new(node));
        table.by_identity.insert(identity, ROOT);
        Ok(Nodes {
            table: Mutex::new(table),
            clock: AtomicU64::new(1),
            limit,
        })
    }

    /// A node by its number; ESTALE: never given out, or given back.
    pub(super) fn get(&self, id: NodeId) -> Result<Arc<Node>, Errno> {
        lock(&self.table)
            .by_id
            .get(&id)
            .cloned()
            .ok_or(Errno::STALE)
    }

    /// The node of an identity, when there is one.
    pub(super) fn find(&self, identity: &Identity) -> Option<Arc<Node>> {
        let table = lock(&self.table);
        table
            .by_identity
            .get(identity)
            .and_then(|id| table.by_id.get(id))
            .cloned()
    }

    /// The node of a file that was just looked up, with its descriptor if it was opened. Counts
    /// as handed out once.
    pub(super) fn hand_out(
        &self,
        (attr, identity): &(Attr, Identity),
        fd: Option<OwnedFd>,
        parent: NodeId,
        name: &[u8],
    ) -> Arc<Node> {
        let kind = attr.mode & libc::S_IFMT;
        let mut table = lock(&self.table);
        let known = table
            .by_identity
            .get(identity)
            .and_then(|id| table.by_id.get(id))
            .cloned();
        let node = match known {
            // A number that was given to another kind of file after a node lost its descriptor.
            Some(node) if node.kind == kind => node,
            _ => {
                table.last += 1;
                let place = (parent, name.to_vec());
                let node = Arc::new(Node::new(table.last, kind, *identity, place));
                table.by_id.insert(node.id, node.clone());
                table.by_identity.insert(*identity, node.id);
                node
            }
        };
        node.handed.fetch_add(1, Ordering::Relaxed);
        node.used.store(
            self.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        if node.id != ROOT {
            *lock(&node.place) = (parent, name.to_vec());
        }
        if let Some(fd) = fd {
            let mut own = lock(&node.fd);
            if own.is_none() {
                *own = Some(Arc::new(fd));
                table.opened += 1;
            }
        }
        if table.opened > self.limit {
            table.close_oldest(self.limit / 2);
        }
        node
    }

    /// Takes nodes back.
    pub(super) fn forget(&self, nodes: &[(NodeId, u64)]) {
        let mut table = lock(&self.table);
        for (id, count) in nodes {
            let Some(node) = table.by_id.get(id).filter(|node| node.id != ROOT).cloned() else {
                continue;
            };
            if node.handed.fetch_sub(*count, Ordering::Relaxed) > *count {
                continue;
            }
            table.by_id.remove(id);
            if table.by_identity.get(&node.identity) == Some(id) {
                table.by_identity.remove(&node.identity);
            }
            if lock(&node.fd).is_some() {
                table.opened -= 1;
            }
        }
    }

    /// Takes all nodes back: the session is gone.
    pub(super) fn clear(&self) {
        let mut table = lock(&self.table);
        table.by_id.retain(|id, _| *id == ROOT);
        table.by_identity.retain(|_, id| *id == ROOT);
        table.opened = 0;
    }

    /// The node's `O_PATH` descriptor, opened again when it was closed.
    pub(super) fn fd(&self, node: &Node) -> Result<Arc<OwnedFd>, Errno> {
        node.used.store(
            self.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        if let Some(fd) = &*lock(&node.fd) {
            return Ok(fd.clone());
        }
        let (parent, name) = lock(&node.place).clone();
        let directory = self.fd(&*self.get(parent)?)?;
        let fd = open_path(&directory, &name).map_err(|_| Errno::STALE)?;
        if attr::of(&fd)?.1 != node.identity {
            return Err(Errno::STALE);
        }
        let fd = Arc::new(fd);
        // The table's lock comes first, as everywhere.
        let mut table = lock(&self.table);
        let mut own = lock(&node.fd);
        if own.is_none() && table.by_id.contains_key(&node.id) {
            *own = Some(fd.clone());
            table.opened += 1;
        }
        Ok(fd)
    }

    /// Keeps a file reachable that is about to lose its name.
    pub(super) fn pin(&self, node: &Node) {
        // When it cannot be opened it is gone already, and later calls say ESTALE.
        let _ = self.fd(node);
        node.pinned.store(true, Ordering::Relaxed);
    }

    /// How many descriptors are open, for tests.
    #[cfg(test)]
    pub(super) fn opened(&self) -> usize {
        lock(&self.table).opened
    }
}

/// The numbers of one agent are not another's: when an agent takes the place of one that is gone,
/// a file that its session knew from the old one is stale, and never another file.
fn first_number() -> Result<NodeId, Errno> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|_| Errno::IO)?;
    Ok((NodeId::from(u32::from_ne_bytes(bytes)) << 31) + ROOT)
}

impl Table {
    fn close_oldest(&mut self, down_to: usize) {
        let mut open: Vec<_> = self
            .by_id
            .values()
            .filter(|node| !node.pinned.load(Ordering::Relaxed) && lock(&node.fd).is_some())
            .cloned()
            .collect();
        open.sort_by_key(|node| node.used.load(Ordering::Relaxed));
        let surplus = self.opened.saturating_sub(down_to).min(open.len());
        for node in &open[..surplus] {
            *lock(&node.fd) = None;
            *lock(&node.content) = Content::default();
        }
        self.opened -= surplus;
    }
}

impl Node {
    fn new(id: NodeId, kind: u32, identity: Identity, place: (NodeId, Vec<u8>)) -> Node {
        Node {
            id,
            kind,
            identity,
            fd: Mutex::default(),
            place: Mutex::new(place),
            content: Mutex::default(),
            used: AtomicU64::new(0),
            pinned: AtomicBool::new(false),
            handed: AtomicU64::new(0),
        }
    }

    /// Enters the name it has from now on.
    pub(super) fn moved_to(&self, parent: NodeId, name: &[u8]) {
        *lock(&self.place) = (parent, name.to_vec());
    }

    /// Its content descriptors.
    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        lock(&self.content)
    }
}

/// Opens one name without following it: a name holds no slash, so it stays in its directory.
pub(super) fn open_path(directory: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(
        directory,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;

    /// A table over a folder with files `0`, `1`, … that were all looked up.
    fn looked_up(count: usize, limit: usize) -> (tempfile::TempDir, Nodes, Vec<Arc<Node>>) {
        let folder = tempfile::tempdir().unwrap();
        let root = open_path(CWD, folder.path().as_os_str().as_encoded_bytes()).unwrap();
        let nodes = Nodes::new(root, limit).unwrap();
        let root = nodes.get(ROOT).unwrap();
        let handed = (0..count).map(|number| {
            let name = number.to_string();
            std::fs::write(folder.path().join(&name), &name).unwrap();
            let fd = open_path(&*nodes.fd(&root).unwrap(), name.as_bytes()).unwrap();
            let found = attr::of(&fd).unwrap();
            nodes.hand_out(&found, Some(fd), ROOT, name.as_bytes())
        });
        let handed = handed.collect();
        (folder, nodes, handed)
    }

    #[test]
    fn descriptors_are_bounded_and_found_again_by_name() {
        let (_folder, nodes, handed) = looked_up(100, 10);
        assert!(nodes.opened() <= 11, "{} are open", nodes.opened());
        for node in &handed {
            assert_eq!(attr::of(nodes.fd(node).unwrap()).unwrap().1, node.identity);
        }
    }

    #[test]
    fn another_file_under_the_old_name_is_stale() {
        let (folder, nodes, handed) = looked_up(100, 10);
        let first = folder.path().join("0");
        // Beside the old file, so that it cannot get its number.
        std::fs::write(folder.path().join("new"), "").unwrap();
        std::fs::rename(folder.path().join("new"), first).unwrap();
        assert_eq!(nodes.fd(&handed[0]).unwrap_err(), Errno::STALE);
    }

    #[test]
    fn a_node_lives_until_it_is_given_back_as_often_as_it_was_handed_out() {
        let (_folder, nodes, handed) = looked_up(1, 10);
        let found = attr::of(nodes.fd(&handed[0]).unwrap()).unwrap();
        let again = nodes.hand_out(&found, None, ROOT, b"0");
        assert_eq!(again.id, handed[0].id);
        nodes.forget(&[(again.id, 1)]);
        assert!(nodes.get(again.id).is_ok());
        nodes.forget(&[(again.id, 1)]);
        assert_eq!(nodes.get(again.id).unwrap_err(), Errno::STALE);
    }
}
