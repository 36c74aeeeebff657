//! The file system: takes the kernel's requests, answers them from what is known or by asking the
//! agent, all on one thread.
//!
//! A thin loop of our own, because it has to ask for its abilities by name, answer `OPEN` with
//! ENOSYS, serve requests beside each other, answer INTERRUPT and run on a descriptor that it is
//! given: `fuser` 0.18 asks for two flags and answers INTERRUPT with ENOSYS, `fuse3` 0.10 mounts
//! by itself, and `fuse-backend-rs` 0.14 serves synchronously (one thread a request).
//!
//! **Opening costs no message** (`NO_OPEN_SUPPORT`, `NO_OPENDIR_SUPPORT`): OPEN, OPENDIR and FLUSH
//! are ENOSYS, which the kernel remembers, and `O_TRUNC` comes as SETATTR. So nothing here belongs to an open file, for RELEASE never comes. Writes are
//! answered when the agent has done them, so `close` has nothing left to report.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use mirrord_protocol::{
    creds::Creds,
    files::{Attr, NodeId, Op},
};
use tokio::sync::Notify;

use crate::{
    abi::{Header, IN_HEADER, Reader, Writer, init, opcode},
    agent::SharedAgent,
    device::{Body, Device},
    interrupt,
    request::Request,
    tree::Tree,
};

/// The most that one read or write moves; also the kernel's own bound (256 pages).
pub(crate) const MAX_WRITE: u32 = mirrord_protocol::files::MAX_TRANSFER;

/// A file whose size is not known before it is read is shown with this one; the first short read
/// corrects the kernel's (without an open of its own, a file cannot have FOPEN_DIRECT_IO).
const UNSIZED: u64 = 16 << 20;

/// First bytes of files that nobody read yet.
const MOST_BROUGHT: u64 = 8 << 20;

/// The file system's state.
pub(crate) struct Fs {
    pub(crate) agent: SharedAgent,
    pub(crate) tree: RefCell<Tree>,
    /// Bytes being read ahead.
    pub(crate) coming: Cell<u64>,
    /// Files whose first bytes a walk brought along, oldest first, and how many bytes.
    brought: RefCell<VecDeque<(NodeId, u64)>>,
    /// Whether the kernel asked for the root's attributes.
    pub(crate) primed: Cell<bool>,
    settings: Settings,
    running: RefCell<HashMap<u64, Rc<Notify>>>,
}

/// How it shows the pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Show every file as owned by these: no other ids exist in our user namespace, and the
    /// kernel refuses to write files of ids it cannot name.
    pub(crate) owner: Option<(u32, u32)>,
    /// Calls of other ids than ours are made with theirs.
    pub(crate) callers_ids: bool,
    /// Our own ids.
    pub(crate) own: (u32, u32),
}

/// The answer to a request: a body or an errno.
pub(crate) type Answered = Result<Body, i32>;

impl Fs {
    pub(crate) fn new(agent: SharedAgent, settings: Settings) -> Fs {
        Fs {
            agent,
            tree: RefCell::new(Tree::new()),
            coming: Cell::new(0),
            brought: RefCell::default(),
            primed: Cell::new(false),
            settings,
            running: RefCell::default(),
        }
    }

    /// Serves requests until the file system is gone.
    pub(crate) async fn run(self: &Rc<Self>, device: Rc<Device>) -> std::io::Result<()> {
        let mut buffer = vec![0; MAX_WRITE as usize + 64 * 1024];
        while let Some(len) = device.next(&mut buffer).await? {
            let mut reader = Reader::new(&buffer[..len]);
            let Some(header) = reader.header().filter(|_| len >= IN_HEADER) else {
                continue;
            };
            self.take(&device, header, reader);
        }
        Ok(())
    }

    fn take(self: &Rc<Self>, device: &Rc<Device>, header: Header, mut reader: Reader<'_>) {
        match header.opcode {
            opcode::INIT => device.answer(header.unique, self.init(reader)),
            opcode::FORGET => {
                if let Some(count) = reader.u64() {
                    self.tree.borrow_mut().forgotten(header.node, count);
                }
            }
            opcode::BATCH_FORGET => self.forget_many(reader),
            opcode::INTERRUPT => {
                if let Some(unique) = reader.u64() {
                    self.interrupt(unique, header.pid);
                }
            }
            opcode::DESTROY => device.answer(header.unique, Ok(Body::Bytes(Vec::new()))),
            _ => match Request::read(&header, reader) {
                Ok(request) => self.begin(device, header, request),
                Err(errno) => device.answer(header.unique, Err(errno)),
            },
        }
    }

    /// Runs a request beside the others, until it is answered or interrupted.
    fn begin(self: &Rc<Self>, device: &Rc<Device>, header: Header, request: Request) {
        let (fs, device) = (self.clone(), device.clone());
        tokio::task::spawn_local(async move {
            let interrupted = Rc::new(Notify::new());
            fs.running
                .borrow_mut()
                .insert(header.unique, interrupted.clone());
            let changes = request.changes();
            let mut done = Box::pin(fs.clone().answer(header, request));
            let answer = tokio::select! {
                biased;
                answer = &mut done => answer,
                cause = interrupt::wait(&interrupted, header.pid, changes) => {
                    if changes {
                        // It happens all the same, and what we know must follow.
                        tokio::task::spawn_local(done);
                    }
                    tracing::debug!(?cause, unique = header.unique, "a file call was interrupted");
                    Err(libc::EINTR)
                }
            };
            fs.running.borrow_mut().remove(&header.unique);
            device.answer(header.unique, answer);
        });
    }

    fn interrupt(&self, unique: u64, _pid: u32) {
        if let Some(running) = self.running.borrow().get(&unique) {
            running.notify_one();
        }
    }

    fn forget_many(&self, mut reader: Reader<'_>) {
        let count = reader.u32().unwrap_or(0);
        let _padding = reader.u32();
        let mut tree = self.tree.borrow_mut();
        for _ in 0..count {
            let (Some(node), Some(lookups)) = (reader.u64(), reader.u64()) else {
                return;
            };
            tree.forgotten(node, lookups);
        }
    }

    fn init(&self, mut reader: Reader<'_>) -> Answered {
        let mut next = || reader.u32().ok_or(libc::EPROTO);
        let (major, minor, readahead, offered) = (next()?, next()?, next()?, next()?);
        if major != crate::abi::MAJOR || minor < 31 {
            tracing::error!(
                major,
                minor,
                "the kernel's FUSE is too old; Linux 5.4 is needed"
            );
            return Err(libc::EPROTO);
        }
        let wanted = init::ASYNC_READ
            | init::BIG_WRITES
            | init::AUTO_INVAL_DATA
            | init::DO_READDIRPLUS
            | init::READDIRPLUS_AUTO
            | init::NO_OPEN_SUPPORT
            | init::PARALLEL_DIROPS
            | init::HANDLE_KILLPRIV
            | init::MAX_PAGES
            | init::CACHE_SYMLINKS
            | init::NO_OPENDIR_SUPPORT;
        let missing = wanted & !offered;
        if missing != 0 {
            tracing::warn!(missing = format!("{missing:#x}"), "FUSE lacks abilities");
        }
        let mut out = Writer::default();
        out.u32(crate::abi::MAJOR).u32(minor.min(crate::abi::MINOR));
        out.u32(readahead.max(1 << 20)).u32(wanted & offered);
        // Requests without a waiting process (reading ahead); the congestion mark is below it.
        out.u16(64).u16(48);
        out.u32(MAX_WRITE)
            .u32(1)
            .u16((MAX_WRITE / 4096) as u16)
            .u16(0);
        out.u32(0).zeros(28);
        Ok(Body::Bytes(out.bytes))
    }

    /// Whose rights a request has in the pod.
    pub(crate) fn creds(&self, header: &Header) -> Option<Creds> {
        let theirs = (header.uid, header.gid);
        let other = self.settings.callers_ids && theirs != self.settings.own;
        other.then(|| Creds {
            uid: header.uid,
            gid: header.gid,
            groups: Vec::new(),
        })
    }

    /// Attributes as they are shown here.
    pub(crate) fn shown(&self, attr: &Attr) -> Attr {
        let mut attr = *attr;
        if let Some((uid, gid)) = self.settings.owner {
            (attr.uid, attr.gid) = (uid, gid);
        }
        if attr.unsized_file {
            attr.size = UNSIZED;
        }
        attr
    }

    /// Marks files as being changed until the mark is dropped.
    pub(crate) fn change(self: &Rc<Self>, nodes: &[NodeId]) -> Changing {
        let mut tree = self.tree.borrow_mut();
        nodes.iter().for_each(|&node| tree.begin_change(node));
        Changing {
            fs: self.clone(),
            nodes: nodes.to_vec(),
        }
    }

    /// Takes in the first bytes of a file, which a walk brought along. Bounded: a program may
    /// open a thousand files and read none.
    pub(crate) fn bring(&self, node: NodeId, bytes: Bytes, attr: &Attr) {
        let mut brought = self.brought.borrow_mut();
        brought.push_back((node, bytes.len() as u64));
        let mut total: u64 = brought.iter().map(|(_, len)| len).sum();
        let mut tree = self.tree.borrow_mut();
        while (total > MOST_BROUGHT || brought.len() > 1024)
            && let Some((oldest, len)) = brought.pop_front()
        {
            total -= len;
            if let Some(oldest) = tree.node_mut(oldest) {
                oldest.content.clear();
            }
        }
        if let Some(node) = tree.node_mut(node) {
            node.content.take_start(bytes, attr);
        }
    }

    /// Keeps a node that the kernel does not know until the hold is dropped.
    pub(crate) fn hold(self: &Rc<Self>, node: NodeId) -> Hold {
        self.tree.borrow_mut().told(node);
        Hold {
            fs: self.clone(),
            node,
        }
    }

    /// Gives back what nobody uses, every now and then.
    pub(crate) async fn sweep(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let unused = self.tree.borrow_mut().sweep();
            self.agent.forget(unused);
        }
    }

    /// Asks the agent with a request's rights.
    pub(crate) async fn ask(
        &self,
        header: &Header,
        op: Op,
    ) -> Result<mirrord_protocol::files::Answer, i32> {
        self.agent.ask(op, self.creds(header)).await
    }
}

/// See [`Fs::change`].
pub(crate) struct Changing {
    fs: Rc<Fs>,
    nodes: Vec<NodeId>,
}

impl Drop for Changing {
    fn drop(&mut self) {
        let mut tree = self.fs.tree.borrow_mut();
        self.nodes.iter().for_each(|&node| tree.end_change(node));
    }
}

/// See [`Fs::hold`].
pub(crate) struct Hold {
    fs: Rc<Fs>,
    node: NodeId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.fs.tree.borrow_mut().forgotten(self.node, 1);
    }
}
