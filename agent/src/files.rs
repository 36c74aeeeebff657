//! The target's files: answers the file server's calls below the target's root.
//!
//! [`Files`] holds what all links of a session share, the nodes above all; [`serve`] answers one
//! link. Calls are made on threads that have the target's ids, groups and capabilities, so the
//! kernel decides as it does for the target, and nothing outside its root can be named.

mod attr;
mod content;
pub(crate) mod kernel;
mod listing;
mod names;
mod nodes;
mod output;
mod pool;
mod rights;
mod walk;
mod xattr;

use std::{
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use mirrord_link::{LinkError, MessageReceiver, MessageSender};
use mirrord_protocol::{
    codec,
    creds::Creds,
    files::{Call, NodeId, Op},
};
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tokio::sync::mpsc;

use nodes::{Node, Nodes};
use output::Output;
use pool::Pool;
use rights::{Assumed, Rights};

/// Threads of one link; more calls than that wait for each other.
const THREADS: usize = 12;
/// Descriptors for nodes, where the limit on open files allows as many.
const NODES: u64 = 16 * 1024;
/// Replies that wait for the link; then workers wait.
const REPLIES: usize = 32;

/// What all links of one session share.
#[derive(Debug)]
pub struct Files {
    nodes: Nodes,
    target: Creds,
    rights: Rights,
    /// `/proc/self/fd`: an `O_PATH` descriptor is opened for real by its name in there.
    descriptors: OwnedFd,
}

/// Everything a call needs; its thread has the right ids.
struct Context<'a> {
    files: &'a Files,
}

impl Files {
    /// Files below `root`, with the rights of a target that has these ids and effective
    /// capabilities (`CapEff` in `/proc/PID/status`). Raises this process's limit on open files.
    pub fn new(root: OwnedFd, target: Creds, capabilities: u64) -> anyhow::Result<Arc<Files>> {
        let limit = raise_open_files();
        let nodes = Nodes::new(root, (NODES.min(limit / 2)) as usize)
            .context("could not stat the target's root directory (has the target ended?)")?;
        let rights = Rights::new(capabilities).context("could not read this agent's own rights")?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptors = rustix::fs::open("/proc/self/fd", flags, Mode::empty())
            .context("could not open /proc/self/fd (the agent needs a /proc of its own)")?;
        Ok(Arc::new(Files {
            nodes,
            target,
            rights,
            descriptors,
        }))
    }

    /// Takes all nodes back: the session is over. They outlive its links, because a file server
    /// whose links were lost comes back with the nodes that its kernel knows.
    pub fn forget_all(&self) {
        self.nodes.clear();
    }

    /// Opens what an `O_PATH` descriptor stands for, with the thread's rights.
    fn reopen(&self, fd: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat(&self.descriptors, self.name_of(fd), flags, Mode::empty())
    }

    fn name_of(&self, fd: &OwnedFd) -> String {
        fd.as_raw_fd().to_string()
    }
}

impl Context<'_> {
    fn node(&self, id: NodeId) -> Result<Arc<Node>, Errno> {
        self.files.nodes.get(id)
    }

    /// A node's descriptor, and a path that leads to it as long as the descriptor is held.
    fn path_of(&self, id: NodeId) -> Result<(Arc<OwnedFd>, String), Errno> {
        let fd = self.files.nodes.fd(&*self.node(id)?)?;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        Ok((fd, path))
    }

    fn answer(&self, op: Op, payload: &[u8], send: &mut dyn FnMut(Output) -> bool) -> Output {
        match op {
            Op::Walk {
                path,
                follow_last,
                want,
            } => walk::walk(self, &path, follow_last, want),
            Op::Lookup { parent, name } => self.lookup(parent, &name).into(),
            Op::Attr { node } => self.attr(node).into(),
            Op::List { node } => self.list(node, send),
            Op::Read { node, offset, len } => self.read_call(node, offset, len),
            Op::Write {
                node,
                offset,
                append,
            } => self.write(node, offset, append, payload).into(),
            Op::SetAttr { node, changes } => self.set_attr(node, &changes).into(),
            Op::Mknod {
                parent,
                name,
                mode,
                rdev,
            } => self.mknod(parent, &name, mode, rdev).into(),
            Op::Mkdir { parent, name, mode } => self.mkdir(parent, &name, mode).into(),
            Op::Symlink {
                parent,
                name,
                target,
            } => self.symlink(parent, &name, &target).into(),
            Op::Link { node, parent, name } => self.link(node, parent, &name).into(),
            Op::Rename {
                parent,
                name,
                new_parent,
                new_name,
                flags,
            } => self
                .rename((parent, &name), (new_parent, &new_name), flags)
                .into(),
            Op::Remove { parent, name, dir } => self.remove(parent, &name, dir).into(),
            Op::Sync { node, data_only } => self.sync(node, data_only).into(),
            Op::StatFs { node } => self.stat_fs(node).into(),
            Op::Access { node, mask } => self.access(node, mask).into(),
            Op::Allocate {
                node,
                mode,
                offset,
                len,
            } => self.allocate(node, mode, offset, len).into(),
            Op::Seek {
                node,
                offset,
                whence,
            } => self.seek(node, offset, whence).into(),
            Op::GetXattr { node, name } => self.get_xattr(node, &name).into(),
            Op::ListXattr { node } => self.list_xattr(node).into(),
            Op::SetXattr {
                node,
                name,
                value,
                flags,
            } => self.set_xattr(node, &name, &value, flags).into(),
            Op::RemoveXattr { node, name } => self.remove_xattr(node, &name).into(),
            // The reader does these itself.
            Op::Forget { .. } | Op::Cancel { .. } => Errno::INVAL.into(),
        }
    }
}

/// A call with its payload, on its way to a thread.
struct Job {
    call: Call,
    message: Bytes,
    payload_at: usize,
}

/// Answers the calls of one link until it closes.
pub async fn serve(
    mut sender: MessageSender,
    mut receiver: MessageReceiver,
    files: Arc<Files>,
) -> Result<(), LinkError> {
    let (reply_tx, mut reply_rx) = mpsc::channel::<Bytes>(REPLIES);
    let pool = pool(files.clone(), reply_tx.clone());
    let read = async {
        while let Some(message) = receiver.next().await {
            accept(&files, &pool, message?, &reply_tx).await;
        }
        Ok(())
    };
    let write = async {
        while let Some(reply) = reply_rx.recv().await {
            sender.feed(reply).await?;
            while let Ok(reply) = reply_rx.try_recv() {
                sender.feed(reply).await?;
            }
            sender.flush().await?;
        }
        Ok(())
    };
    // Two halves, so that neither reading nor writing waits for the other.
    tokio::select! {
        result = read => result,
        result = write => result,
    }
}

async fn accept(
    files: &Files,
    pool: &Pool<Job, Assumed>,
    message: Bytes,
    reply_tx: &mpsc::Sender<Bytes>,
) {
    let (call, payload_at) = match codec::decode_prefix::<Call>(&message) {
        Ok((call, payload)) => (call, message.len() - payload.len()),
        Err(error) => {
            tracing::warn!(%error, "a file call could not be read and goes without an answer");
            return;
        }
    };
    match &call.op {
        Op::Forget { nodes } => files.nodes.forget(nodes),
        Op::Cancel { id } => pool.cancel(*id),
        op => {
            let id = call.id;
            let lane = match op {
                Op::Write { node, .. } => Some(*node),
                _ => None,
            };
            if let Err(error) = pool.submit(
                id,
                lane,
                Job {
                    call,
                    message,
                    payload_at,
                },
            ) {
                tracing::warn!(%error, "no thread could be made for file calls");
                if let Ok(reply) = Output::from(Errno::AGAIN).into_message(id) {
                    // A closed channel means that the link is gone, and so is the asker.
                    let _ = reply_tx.send(reply).await;
                }
            }
        }
    }
}

fn pool(files: Arc<Files>, reply_tx: mpsc::Sender<Bytes>) -> Pool<Job, Assumed> {
    let work = move |assumed: &mut Assumed, job: Job| {
        let id = job.call.id;
        let mut send = |output: Output| match output.into_message(id) {
            Ok(reply) => reply_tx.blocking_send(reply).is_ok(),
            Err(error) => {
                tracing::error!(%error, "a file call's answer could not be encoded");
                false
            }
        };
        let creds = job.call.creds.as_ref().unwrap_or(&files.target);
        let output = match files.rights.assume(creds, *creds == files.target, assumed) {
            Ok(()) => {
                let payload = &job.message[job.payload_at..];
                Context { files: &files }.answer(job.call.op, payload, &mut send)
            }
            Err(error) => {
                tracing::warn!(%error, uid = creds.uid, "the agent may not take these ids");
                Errno::PERM.into()
            }
        };
        send(output);
    };
    Pool::new(THREADS, begin_thread, Arc::new(work))
}

/// A worker's umask is its own and zero: modes come with the umask applied.
fn begin_thread() -> Assumed {
    if let Err(error) = kernel::own_umask() {
        tracing::warn!(%error, "files are made with the agent's own umask");
    }
    Assumed::default()
}

/// The soft limit is often 1024 for the sake of select(2), which nothing here uses.
fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(1 << 20).min(1 << 20);
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(_) => limit.current.unwrap_or(1024),
    }
}
