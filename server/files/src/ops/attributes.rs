//! GETATTR, SETATTR, STATX, READLINK, ACCESS and STATFS.

use std::{rc::Rc, time::Duration};

use mirrord_protocol::files::{Answer, Attr, Changes, Op, ROOT};

use super::{body, done, mismatch};
use crate::{
    abi::Header,
    device::Body,
    fs::{Answered, Fs},
};

/// `..` at the top stays there, so more of them than needed do no harm: rounded up, a link's text
/// stays right when a directory above it moves a little.
const STEPS: usize = 16;

impl Fs {
    pub(super) async fn get_attr(&self, header: &Header) -> Answered {
        let (attr, valid) = self.attr_of(header).await?;
        body(|out| out.attr_out(&self.shown(&attr), valid))
    }

    pub(super) async fn statx(&self, header: &Header) -> Answered {
        let (attr, valid) = self.attr_of(header).await?;
        body(|out| out.statx(&self.shown(&attr), valid))
    }

    async fn attr_of(&self, header: &Header) -> Result<(Attr, Duration), i32> {
        let known = self.tree.borrow().attr(header.node);
        if let Some(known) = known {
            return Ok(known);
        }
        if header.node == ROOT && !self.primed.replace(true) {
            // The client asks as soon as it has the root, only so that the kernel learns an owner
            // that exists in our user namespace; that is not worth a round trip.
            let attr = Attr {
                mode: libc::S_IFDIR | 0o755,
                links: 2,
                ..Attr::default()
            };
            return Ok((attr, Duration::ZERO));
        }
        let began = self.tree.borrow().began();
        match self.ask(header, Op::Attr { node: header.node }).await? {
            Answer::Attr(attr) => {
                let valid = self
                    .tree
                    .borrow_mut()
                    .absorb_attr(header.node, &attr, began);
                Ok((attr, valid))
            }
            _ => Err(mismatch()),
        }
    }

    pub(super) async fn set_attr(self: &Rc<Self>, header: &Header, changes: Changes) -> Answered {
        let changing = self.change(&[header.node]);
        let answer = self
            .ask(
                header,
                Op::SetAttr {
                    node: header.node,
                    changes,
                },
            )
            .await;
        drop(changing);
        match answer? {
            Answer::Attr(attr) => {
                let began = self.tree.borrow().began();
                let valid = self
                    .tree
                    .borrow_mut()
                    .absorb_attr(header.node, &attr, began);
                body(|out| out.attr_out(&self.shown(&attr), valid))
            }
            _ => Err(mismatch()),
        }
    }

    /// An absolute link is shown as a relative one, so that it stays inside the pod's tree from
    /// wherever the kernel follows it. The text of a link never changes.
    pub(super) async fn read_link(&self, header: &Header) -> Answered {
        let tree = self.tree.borrow();
        let text = tree
            .node(header.node)
            .and_then(|node| node.link.clone())
            .ok_or(libc::EINVAL)?;
        let Some(below_root) = text.strip_prefix(b"/") else {
            return Ok(Body::Bytes(text.to_vec()));
        };
        let steps = tree.depth(header.node).next_multiple_of(STEPS);
        let mut relative = b"../".repeat(steps);
        relative.extend_from_slice(below_root);
        if relative.len() >= libc::PATH_MAX as usize {
            return Err(libc::ENAMETOOLONG);
        }
        Ok(Body::Bytes(relative))
    }

    pub(super) async fn access(&self, header: &Header, mask: u32) -> Answered {
        self.ask(
            header,
            Op::Access {
                node: header.node,
                mask,
            },
        )
        .await?;
        done()
    }

    pub(super) async fn stat_fs(&self, header: &Header) -> Answered {
        match self.ask(header, Op::StatFs { node: header.node }).await? {
            Answer::StatFs(stat) => body(|out| out.stat_fs(&stat)),
            _ => Err(mismatch()),
        }
    }
}
