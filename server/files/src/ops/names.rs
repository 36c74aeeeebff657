//! LOOKUP, and what makes, moves and removes names.

use std::rc::Rc;

use mirrord_protocol::files::{Answer, Entry, NodeId, Op};
use rustix::io::Errno;

use super::{body, done, mismatch};
use crate::{
    abi::{Header, Valid, Writer},
    device::Body,
    fs::{Answered, Fs},
    tree::Moment,
};

impl Fs {
    pub(super) async fn lookup(&self, header: &Header, name: &[u8]) -> Answered {
        let known = self.tree.borrow().name(header.node, name);
        if let Some((known, valid)) = known {
            return match known {
                Some((node, attr)) => {
                    self.tree.borrow_mut().told(node);
                    body(|out| out.entry(node, &self.shown(&attr), valid))
                }
                None => nothing(valid),
            };
        }
        let began = self.tree.borrow().began();
        let op = Op::Lookup {
            parent: header.node,
            name: name.to_vec(),
        };
        match self.ask(header, op).await {
            Ok(Answer::Entry(entry)) => self.tell(header.node, name, &entry, began),
            Err(errno) if errno == Errno::NOENT.raw_os_error() => nothing(
                self.tree
                    .borrow_mut()
                    .absorb(header.node, name, None, began),
            ),
            Ok(_) => Err(mismatch()),
            Err(errno) => Err(errno),
        }
    }

    pub(super) async fn symlink(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        target: Vec<u8>,
    ) -> Answered {
        let op = Op::Symlink {
            parent: header.node,
            name: name.clone(),
            target,
        };
        self.make(header, &name, op, &[header.node]).await
    }

    pub(super) async fn mknod(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        mode: u32,
        rdev: u32,
    ) -> Answered {
        let op = Op::Mknod {
            parent: header.node,
            name: name.clone(),
            mode,
            rdev: u64::from(rdev),
        };
        self.make(header, &name, op, &[header.node]).await
    }

    /// Makes a regular file. When the pod made one of that name meanwhile, only `O_EXCL` wants to
    /// hear of it: ESTALE makes the kernel look the name up again and open what is there.
    pub(super) async fn create(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        mode: u32,
        exclusive: bool,
    ) -> Answered {
        let op = Op::Mknod {
            parent: header.node,
            name: name.clone(),
            mode,
            rdev: 0,
        };
        match self.make(header, &name, op, &[header.node]).await {
            Err(libc::EEXIST) if !exclusive => Err(libc::ESTALE),
            Ok(Body::Bytes(bytes)) => {
                let mut out = Writer { bytes };
                out.open_out();
                Ok(Body::Bytes(out.bytes))
            }
            answer => answer,
        }
    }

    pub(super) async fn mkdir(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        mode: u32,
    ) -> Answered {
        let op = Op::Mkdir {
            parent: header.node,
            name: name.clone(),
            mode,
        };
        self.make(header, &name, op, &[header.node]).await
    }

    pub(super) async fn link(
        self: &Rc<Self>,
        header: &Header,
        node: NodeId,
        name: Vec<u8>,
    ) -> Answered {
        let op = Op::Link {
            node,
            parent: header.node,
            name: name.clone(),
        };
        self.make(header, &name, op, &[header.node, node]).await
    }

    pub(super) async fn remove(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        dir: bool,
    ) -> Answered {
        let mut nodes = vec![header.node];
        nodes.extend(self.node_of(header.node, &name));
        let _changing = self.change(&nodes);
        self.ask(
            header,
            Op::Remove {
                parent: header.node,
                name,
                dir,
            },
        )
        .await?;
        done()
    }

    pub(super) async fn rename(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        new_parent: NodeId,
        new_name: Vec<u8>,
        flags: u32,
    ) -> Answered {
        let mut nodes = vec![header.node, new_parent];
        let moved = self.node_of(header.node, &name);
        nodes.extend(moved);
        nodes.extend(self.node_of(new_parent, &new_name));
        let _changing = self.change(&nodes);
        let op = Op::Rename {
            parent: header.node,
            name,
            new_parent,
            new_name,
            flags,
        };
        self.ask(header, op).await?;
        if let Some(node) = moved
            && let Some(node) = self.tree.borrow_mut().node_mut(node)
        {
            node.parent = new_parent;
        }
        done()
    }

    /// A call that makes a name, and the answer that tells the kernel of it.
    async fn make(
        self: &Rc<Self>,
        header: &Header,
        name: &[u8],
        op: Op,
        changes: &[NodeId],
    ) -> Answered {
        let changing = self.change(changes);
        let answer = self.ask(header, op).await;
        drop(changing);
        // What the agent says now is known to be after the change.
        let began = self.tree.borrow().began();
        match answer? {
            Answer::Entry(entry) => self.tell(header.node, name, &entry, began),
            _ => Err(mismatch()),
        }
    }

    fn tell(&self, parent: NodeId, name: &[u8], entry: &Entry, began: Moment) -> Answered {
        let mut tree = self.tree.borrow_mut();
        let valid = tree.absorb(parent, name, Some(entry), began);
        tree.told(entry.node);
        body(|out| out.entry(entry.node, &self.shown(&entry.attr), valid))
    }

    fn node_of(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        Some(self.tree.borrow().name(parent, name)?.0?.0)
    }
}

/// There is no such name, and the kernel may remember that. Where it may not, ENOENT.
fn nothing(valid: Valid) -> Answered {
    if valid.name.is_zero() {
        return Err(libc::ENOENT);
    }
    body(|out| out.entry(0, &Default::default(), valid))
}
