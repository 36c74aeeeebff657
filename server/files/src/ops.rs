//! The kernel's requests, one file for each kind.

mod attributes;
mod directory;
mod names;
mod read;
mod write;
mod xattr;

use std::rc::Rc;

use crate::{
    abi::{Header, Writer},
    device::Body,
    fs::{Answered, Fs},
    request::Request,
};

impl Fs {
    /// Answers one request.
    pub(crate) async fn answer(self: Rc<Self>, header: Header, request: Request) -> Answered {
        let node = header.node;
        match request {
            Request::Lookup { name } => self.lookup(&header, &name).await,
            Request::GetAttr => self.get_attr(&header).await,
            Request::Statx => self.statx(&header).await,
            Request::SetAttr(changes) => self.set_attr(&header, changes).await,
            Request::ReadLink => self.read_link(&header).await,
            Request::Symlink { name, target } => self.symlink(&header, name, target).await,
            Request::Mknod { name, mode, rdev } => self.mknod(&header, name, mode, rdev).await,
            Request::Create {
                name,
                mode,
                exclusive,
            } => self.create(&header, name, mode, exclusive).await,
            Request::Mkdir { name, mode } => self.mkdir(&header, name, mode).await,
            Request::Remove { name, dir } => self.remove(&header, name, dir).await,
            Request::Rename {
                name,
                new_parent,
                new_name,
                flags,
            } => {
                self.rename(&header, name, new_parent, new_name, flags)
                    .await
            }
            Request::Link { node, name } => self.link(&header, node, name).await,
            Request::Read { offset, size } => {
                let creds = self.creds(&header);
                Ok(Body::Content(
                    self.read(node, offset, u64::from(size), creds).await?,
                ))
            }
            Request::Write {
                offset,
                append,
                data,
            } => self.write(&header, offset, append, data).await,
            Request::StatFs => self.stat_fs(&header).await,
            Request::Sync { data_only } => self.sync(&header, data_only).await,
            Request::SetXattr { name, value, flags } => {
                self.set_xattr(&header, name, value, flags).await
            }
            Request::GetXattr { name, size } => self.get_xattr(&header, name, size).await,
            Request::ListXattr { size } => self.list_xattr(&header, size).await,
            Request::RemoveXattr { name } => self.remove_xattr(&header, name).await,
            Request::ReadDir { offset, size, plus } => {
                self.read_dir(&header, offset, size as usize, plus).await
            }
            Request::Access { mask } => self.access(&header, mask).await,
            Request::Allocate { offset, len, mode } => {
                self.allocate(&header, offset, len, mode).await
            }
            Request::Seek { offset, whence } => self.seek(&header, offset, whence).await,
        }
    }
}

/// An answer without content.
fn done() -> Answered {
    Ok(Body::Bytes(Vec::new()))
}

/// An answer made of structures.
fn body(write: impl FnOnce(&mut Writer) -> &mut Writer) -> Answered {
    let mut writer = Writer::default();
    write(&mut writer);
    Ok(Body::Bytes(writer.bytes))
}

/// The agent answered another question: the two sides do not speak the same protocol.
fn mismatch() -> i32 {
    tracing::error!("the agent's answer does not fit the file call");
    libc::EPROTO
}
