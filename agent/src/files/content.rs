//! Moving content: read, write, length, sync.
//!
//! The file server opens nothing; a descriptor for content is made when the first byte is asked
//! for, with the caller's rights, and kept with the node. A file that was made through us keeps
//! the descriptor of its making, so that `open(O_CREAT | O_WRONLY, 0444)` can be written.

use std::{io::IoSlice, os::fd::OwnedFd, sync::Arc};

use mirrord_protocol::files::{Answer, Attr, MAX_TRANSFER, NodeId};
use rustix::{
    fs::{FallocateFlags, OFlags, SeekFrom},
    io::{Errno, ReadWriteFlags, pread, pwrite, pwritev2},
};

use super::{Context, attr, nodes::Node, output::Output, output::Payload};

impl Context<'_> {
    /// Bytes of a file from `offset` on; fewer than `len` only at the end.
    pub(super) fn read(
        &self,
        node: &Node,
        offset: u64,
        len: u32,
    ) -> Result<(Payload, Attr), Errno> {
        let fd = self.readable(node)?;
        let size = attr::of(&fd)?.0;
        let len = len.min(MAX_TRANSFER) as usize;
        // One byte more than is left shows the end without a second call.
        let likely = usize::try_from(size.size.saturating_sub(offset)).unwrap_or(len);
        let room = if size.unsized_file {
            len
        } else {
            len.min(likely.saturating_add(1))
        };
        let mut payload = Payload::with_capacity(room);
        while payload.len() < len {
            // procfs gives one page a call, so a short read is not yet the end.
            let at = offset + payload.len() as u64;
            let left = len - payload.len();
            let buffer = payload.buffer();
            buffer.reserve(left.min(room));
            let spare = rustix::buffer::spare_capacity(buffer);
            match pread(&fd, spare, at) {
                Ok(0) => break,
                Ok(_) => {}
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        let surplus = payload.len().saturating_sub(len);
        let keep = payload.buffer().len() - surplus;
        payload.buffer().truncate(keep);
        Ok((payload, attr::of(&fd)?.0))
    }

    pub(super) fn read_call(&self, node: NodeId, offset: u64, len: u32) -> Output {
        let read = self
            .node(node)
            .and_then(|node| self.read(&node, offset, len));
        match read {
            Ok((payload, attr)) => Output::with_payload(Answer::Read(attr), Some(payload)),
            Err(errno) => errno.into(),
        }
    }

    pub(super) fn write(
        &self,
        node: NodeId,
        offset: u64,
        append: bool,
        bytes: &[u8],
    ) -> Result<Answer, Errno> {
        let node = self.node(node)?;
        let fd = self.writable(&node)?;
        let mut done = 0;
        while done < bytes.len() {
            let written = if append {
                // O_APPEND's own rule: the end as it is at that moment (RWF_APPEND, Linux 4.16).
                pwritev2(
                    &fd,
                    &[IoSlice::new(&bytes[done..])],
                    0,
                    ReadWriteFlags::APPEND,
                )
            } else {
                pwrite(&fd, &bytes[done..], offset + done as u64)
            };
            match written {
                Ok(0) => return Err(Errno::IO),
                Ok(len) => done += len,
                Err(Errno::INTR) => {}
                // Part of it is written: the program learns how much, and the error next time.
                Err(_) if done > 0 => break,
                Err(errno) => return Err(errno),
            }
        }
        let (attr, _) = attr::of(&fd)?;
        let offset = if append {
            attr.size.saturating_sub(done as u64)
        } else {
            offset
        };
        Ok(Answer::Written {
            offset,
            len: done as u32,
            attr,
        })
    }

    /// `ftruncate(2)`.
    pub(super) fn set_size(&self, node: &Node, size: u64) -> Result<(), Errno> {
        rustix::fs::ftruncate(self.writable(node)?, size)
    }

    pub(super) fn sync(&self, node: NodeId, data_only: bool) -> Result<Answer, Errno> {
        let node = self.node(node)?;
        let open = { node.content().write.clone() };
        let fd = match open {
            Some(fd) => fd,
            None => self.readable(&node)?,
        };
        if data_only {
            rustix::fs::fdatasync(&fd)?
        } else {
            rustix::fs::fsync(&fd)?
        }
        Ok(Answer::Done)
    }

    pub(super) fn allocate(
        &self,
        node: NodeId,
        mode: u32,
        offset: u64,
        len: u64,
    ) -> Result<Answer, Errno> {
        let mode = FallocateFlags::from_bits(mode).ok_or(Errno::OPNOTSUPP)?;
        rustix::fs::fallocate(self.writable(&*self.node(node)?)?, mode, offset, len)?;
        Ok(Answer::Done)
    }

    pub(super) fn seek(&self, node: NodeId, offset: u64, whence: u32) -> Result<Answer, Errno> {
        let to = match whence as i32 {
            libc::SEEK_DATA => SeekFrom::Data(offset),
            libc::SEEK_HOLE => SeekFrom::Hole(offset),
            _ => return Err(Errno::INVAL),
        };
        // Reads and writes name their offset, so moving the descriptor's own disturbs nobody.
        let fd = self.readable(&*self.node(node)?)?;
        Ok(Answer::Offset(rustix::fs::seek(fd, to)?))
    }

    /// Keeps the descriptor that a file was made with.
    pub(super) fn keep_made(&self, node: &Node, fd: OwnedFd) {
        let fd = Arc::new(fd);
        let mut content = node.content();
        content.read = Some(fd.clone());
        content.write = Some(fd);
    }

    /// Opens for writing what may be written now, before its mode forbids it.
    pub(super) fn hold_writable(&self, node: &Node) {
        if node.kind == libc::S_IFREG {
            // Whoever may not write it now never could.
            let _ = self.writable(node);
        }
    }

    fn readable(&self, node: &Node) -> Result<Arc<OwnedFd>, Errno> {
        if let Some(fd) = &node.content().read {
            return Ok(fd.clone());
        }
        let fd = Arc::new(self.open(node, OFlags::RDONLY)?);
        node.content().read = Some(fd.clone());
        Ok(fd)
    }

    fn writable(&self, node: &Node) -> Result<Arc<OwnedFd>, Errno> {
        if let Some(fd) = &node.content().write {
            return Ok(fd.clone());
        }
        let fd = Arc::new(self.open(node, OFlags::WRONLY)?);
        node.content().write = Some(fd.clone());
        Ok(fd)
    }

    /// Only regular files and directories are opened: a device would be the node's own, a FIFO
    /// would wait for its other end.
    fn open(&self, node: &Node, access: OFlags) -> Result<OwnedFd, Errno> {
        match node.kind {
            libc::S_IFREG | libc::S_IFDIR => {
                let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                self.files.reopen(&*self.files.nodes.fd(node)?, flags)
            }
            libc::S_IFLNK => Err(Errno::LOOP),
            _ => Err(Errno::NXIO),
        }
    }
}
