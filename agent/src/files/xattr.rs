//! Extended attributes, by the descriptor's name in `/proc`: the calls refuse `O_PATH`
//! descriptors themselves (open(2)), and following that name ends at the file, even a link.

use mirrord_protocol::files::{Answer, NodeId};
use rustix::{
    fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr},
    io::Errno,
};

use super::Context;

/// `XATTR_SIZE_MAX`, the kernel's bound for values and lists.
const MOST: usize = 64 * 1024;

impl Context<'_> {
    pub(super) fn get_xattr(&self, node: NodeId, name: &[u8]) -> Result<Answer, Errno> {
        let mut value = Vec::with_capacity(MOST);
        let (_fd, path) = self.path_of(node)?;
        getxattr(&*path, name, rustix::buffer::spare_capacity(&mut value))?;
        Ok(Answer::Bytes(value))
    }

    pub(super) fn list_xattr(&self, node: NodeId) -> Result<Answer, Errno> {
        let mut names = Vec::with_capacity(MOST);
        let (_fd, path) = self.path_of(node)?;
        listxattr(&*path, rustix::buffer::spare_capacity(&mut names))?;
        Ok(Answer::Bytes(names))
    }

    pub(super) fn set_xattr(
        &self,
        node: NodeId,
        name: &[u8],
        value: &[u8],
        flags: u32,
    ) -> Result<Answer, Errno> {
        let flags = XattrFlags::from_bits(flags).ok_or(Errno::INVAL)?;
        let (_fd, path) = self.path_of(node)?;
        setxattr(&*path, name, value, flags)?;
        Ok(Answer::Done)
    }

    pub(super) fn remove_xattr(&self, node: NodeId, name: &[u8]) -> Result<Answer, Errno> {
        let (_fd, path) = self.path_of(node)?;
        removexattr(&*path, name)?;
        Ok(Answer::Done)
    }
}
