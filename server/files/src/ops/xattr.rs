//! Extended attributes.

use std::rc::Rc;

use mirrord_protocol::files::{Answer, Op};

use super::{body, done, mismatch};
use crate::{
    abi::Header,
    device::Body,
    fs::{Answered, Fs},
};

impl Fs {
    pub(super) async fn get_xattr(&self, header: &Header, name: Vec<u8>, size: u32) -> Answered {
        let answer = self
            .ask(
                header,
                Op::GetXattr {
                    node: header.node,
                    name,
                },
            )
            .await?;
        fit(answer, size)
    }

    pub(super) async fn list_xattr(&self, header: &Header, size: u32) -> Answered {
        fit(
            self.ask(header, Op::ListXattr { node: header.node })
                .await?,
            size,
        )
    }

    pub(super) async fn set_xattr(
        self: &Rc<Self>,
        header: &Header,
        name: Vec<u8>,
        value: Vec<u8>,
        flags: u32,
    ) -> Answered {
        let _changing = self.change(&[header.node]);
        self.ask(
            header,
            Op::SetXattr {
                node: header.node,
                name,
                value,
                flags,
            },
        )
        .await?;
        done()
    }

    pub(super) async fn remove_xattr(self: &Rc<Self>, header: &Header, name: Vec<u8>) -> Answered {
        let _changing = self.change(&[header.node]);
        self.ask(
            header,
            Op::RemoveXattr {
                node: header.node,
                name,
            },
        )
        .await?;
        done()
    }
}

/// Size 0 asks how long it is (getxattr(2)).
fn fit(answer: Answer, size: u32) -> Answered {
    let Answer::Bytes(bytes) = answer else {
        return Err(mismatch());
    };
    if size == 0 {
        return body(|out| out.u32(bytes.len() as u32).u32(0));
    }
    if bytes.len() > size as usize {
        return Err(libc::ERANGE);
    }
    Ok(Body::Bytes(bytes))
}
