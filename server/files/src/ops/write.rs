//! WRITE, FSYNC, FALLOCATE and LSEEK.

use std::rc::Rc;

use mirrord_protocol::files::{Answer, Op};

use super::{body, done, mismatch};
use crate::{
    abi::Header,
    fs::{Answered, Fs},
};

impl Fs {
    /// Answered when the pod has the bytes: success is never false, and an error reaches the
    /// very write it belongs to.
    pub(super) async fn write(
        self: &Rc<Self>,
        header: &Header,
        offset: u64,
        append: bool,
        data: Vec<u8>,
    ) -> Answered {
        let node = header.node;
        let changing = self.change(&[node]);
        let op = Op::Write {
            node,
            offset,
            append,
        };
        let answer = self.agent.transfer(op, self.creds(header), &data).await;
        drop(changing);
        match answer?.0 {
            Answer::Written { len, attr, .. } => {
                let began = self.tree.borrow().began();
                self.tree.borrow_mut().absorb_attr(node, &attr, began);
                body(|out| out.u32(len).u32(0))
            }
            _ => Err(mismatch()),
        }
    }

    pub(super) async fn sync(self: &Rc<Self>, header: &Header, data_only: bool) -> Answered {
        let op = Op::Sync {
            node: header.node,
            data_only,
        };
        self.agent.transfer(op, self.creds(header), &[]).await?;
        done()
    }

    pub(super) async fn allocate(
        self: &Rc<Self>,
        header: &Header,
        offset: u64,
        len: u64,
        mode: u32,
    ) -> Answered {
        let _changing = self.change(&[header.node]);
        self.ask(
            header,
            Op::Allocate {
                node: header.node,
                mode,
                offset,
                len,
            },
        )
        .await?;
        done()
    }

    pub(super) async fn seek(&self, header: &Header, offset: u64, whence: u32) -> Answered {
        match self
            .ask(
                header,
                Op::Seek {
                    node: header.node,
                    offset,
                    whence,
                },
            )
            .await?
        {
            Answer::Offset(offset) => body(|out| out.u64(offset)),
            _ => Err(mismatch()),
        }
    }
}
