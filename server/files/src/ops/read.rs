//! READ: from what was read ahead, or from the pod.

use std::rc::Rc;

use bytes::Bytes;
use mirrord_protocol::{
    creds::Creds,
    files::{Answer, Attr, NodeId, Op},
};

use super::mismatch;
use crate::{
    content::{BLOCK, Gathered},
    fs::Fs,
};

/// Bytes being read ahead, of all files together.
const MOST_COMING: u64 = 6 * 1024 * 1024;

impl Fs {
    /// Bytes from `offset` on; fewer than `size` only at the end.
    pub(crate) async fn read(
        self: &Rc<Self>,
        node: NodeId,
        offset: u64,
        size: u64,
        creds: Option<Creds>,
    ) -> Result<Vec<Bytes>, i32> {
        let mut claimed = false;
        loop {
            let gathered = self.gather(node, offset, size);
            match gathered {
                Gathered::All(parts) => {
                    self.read_ahead(node, offset, size, &creds);
                    return Ok(parts);
                }
                Gathered::Wait(coming) => {
                    if !claimed {
                        claimed = true;
                        self.read_ahead(node, offset, size, &creds);
                    }
                    coming.notified().await;
                }
                Gathered::Missing if claimed => break,
                Gathered::Missing => {
                    claimed = true;
                    let follows = self
                        .tree
                        .borrow()
                        .node(node)
                        .is_some_and(|known| known.content.would_follow(offset));
                    if !follows {
                        self.read_ahead(node, offset, size, &creds);
                        break;
                    }
                    self.claim(node, offset, offset + size, &creds);
                    self.read_ahead(node, offset, size, &creds);
                }
            }
        }
        // Somewhere in a big file, or what was read ahead failed: its error is for this reader.
        let began = self.tree.borrow().began();
        let op = Op::Read {
            node,
            offset,
            len: size as u32,
        };
        match self.agent.transfer(op, creds, &[]).await? {
            (Answer::Read(attr), bytes) => {
                self.tree.borrow_mut().absorb_attr(node, &attr, began);
                Ok(vec![bytes])
            }
            _ => Err(mismatch()),
        }
    }

    fn gather(&self, node: NodeId, offset: u64, size: u64) -> Gathered {
        let mut tree = self.tree.borrow_mut();
        let attr = tree.attr(node).map(|(attr, _)| attr);
        let Some(node) = tree.node_mut(node) else {
            return Gathered::Missing;
        };
        node.touch();
        node.content.gather(offset, size, attr.as_ref())
    }

    fn read_ahead(self: &Rc<Self>, node: NodeId, offset: u64, size: u64, creds: &Option<Creds>) {
        let (from, to) = {
            let mut tree = self.tree.borrow_mut();
            let end = match tree.last_attr(node) {
                // What is made up while it is read changes between two reads.
                Some(attr) if attr.unsized_file => 0,
                attr => attr.map_or(0, |attr| attr.size),
            };
            let Some(node) = tree.node_mut(node) else {
                return;
            };
            let Some(to) = node.content.follow(offset, size) else {
                return;
            };
            let from = node.content.first_gap(offset + size);
            (from, to.min(end))
        };
        // Not block by block: a few requests that are worth their message.
        if from < to && (to - from >= BLOCK * 2 || from <= offset + size) {
            let room = MOST_COMING.saturating_sub(self.coming.get());
            self.claim(node, from, to.min(from + room), creds);
        }
    }

    fn claim(self: &Rc<Self>, id: NodeId, from: u64, to: u64, creds: &Option<Creds>) {
        let (requests, epoch) = {
            let mut tree = self.tree.borrow_mut();
            let Some(node) = tree.node_mut(id) else {
                return;
            };
            (node.content.claim(from, to), node.content.epoch())
        };
        for (offset, len) in requests {
            self.coming.set(self.coming.get() + len);
            let (fs, creds) = (self.clone(), creds.clone());
            tokio::task::spawn_local(async move {
                let began = fs.tree.borrow().began();
                let op = Op::Read {
                    node: id,
                    offset,
                    len: len as u32,
                };
                let answer = fs.agent.transfer(op, creds, &[]).await;
                fs.coming.set(fs.coming.get() - len);
                let answer = match answer {
                    Ok((Answer::Read(attr), bytes)) => Some((bytes, attr)),
                    // Whoever wants these bytes asks for them and gets the error first-hand.
                    _ => None,
                };
                fs.arrived(id, epoch, (offset, len), answer, began);
            });
        }
    }

    fn arrived(
        &self,
        id: NodeId,
        epoch: u64,
        request: (u64, u64),
        answer: Option<(Bytes, Attr)>,
        began: crate::tree::Moment,
    ) {
        let mut tree = self.tree.borrow_mut();
        if let Some((_, attr)) = &answer {
            tree.absorb_attr(id, attr, began);
        }
        if let Some(node) = tree.node_mut(id) {
            let answer = answer.as_ref().map(|(bytes, attr)| (bytes.clone(), attr));
            node.content.fill(epoch, request, answer);
        }
    }
}
