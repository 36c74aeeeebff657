//! READDIR and READDIRPLUS: from a listing that was fetched whole.

use std::rc::Rc;

use mirrord_protocol::files::{Answer, Op, ROOT};

use super::mismatch;
use crate::{
    abi::{ENTRY_LEN, Header, Valid, Writer, dirent_len},
    device::Body,
    fs::{Answered, Fs},
    tree::Numbered,
};

const DIRECTORY: u8 = 4;

impl Fs {
    pub(super) async fn read_dir(
        &self,
        header: &Header,
        after: u64,
        size: usize,
        plus: bool,
    ) -> Answered {
        let listing = self.listing(header, after).await?;
        let mut out = Writer::default();
        // `.` and `..` are numbers 1 and 2, and never looked up.
        let parent = self
            .tree
            .borrow()
            .node(header.node)
            .map_or(ROOT, |node| node.parent);
        let numbers = [(1, &b"."[..], header.node), (2, &b".."[..], parent)];
        for (number, name, node) in numbers {
            if after < number {
                let ino = self
                    .tree
                    .borrow()
                    .last_attr(node)
                    .map_or(node, |attr| attr.ino);
                if plus {
                    out.entry(0, &Default::default(), Valid::default());
                }
                out.dirent(ino, number, DIRECTORY, name);
            }
        }
        let start = listing.partition_point(|name| name.number <= after);
        for name in &listing[start..] {
            let len = dirent_len(&name.name) + if plus { ENTRY_LEN } else { 0 };
            if out.bytes.len() + len > size {
                break;
            }
            if plus {
                self.tell_listed(&mut out, header.node, name);
            }
            out.dirent(name.ino, name.number, name.kind, &name.name);
        }
        Ok(Body::Bytes(out.bytes))
    }

    async fn listing(&self, header: &Header, after: u64) -> Result<Rc<Vec<Numbered>>, i32> {
        let node = header.node;
        let known = self
            .tree
            .borrow()
            .node(node)
            .and_then(|node| node.directory.listing(after));
        if let Some(known) = known {
            return Ok(known);
        }
        let began = self.tree.borrow().began();
        match self.ask(header, Op::List { node }).await? {
            Answer::Listing(listed) => {
                Ok(self.tree.borrow_mut().absorb_listing(node, &listed, began))
            }
            _ => Err(mismatch()),
        }
    }

    /// A name's entry, if it may still be believed; otherwise the kernel looks it up itself.
    fn tell_listed(&self, out: &mut Writer, parent: u64, name: &Numbered) {
        let mut tree = self.tree.borrow_mut();
        match tree.name(parent, &name.name) {
            Some((Some((node, attr)), valid)) if Some(node) == name.node => {
                tree.told(node);
                out.entry(node, &self.shown(&attr), valid);
            }
            _ => {
                out.entry(0, &Default::default(), Valid::default());
            }
        }
    }
}
