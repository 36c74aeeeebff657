//! Directories: all names with their attributes, in replies of bounded size.

use std::os::fd::{AsFd, OwnedFd};

use mirrord_protocol::files::{Answer, Entry, Listed, NodeId};
use rustix::{
    fs::{OFlags, RawDir, readlinkat},
    io::Errno,
};

use super::{Context, attr, nodes::Node, output::Output};

/// Names in one reply of a long listing.
const BATCH: usize = 512;

impl Context<'_> {
    /// Sends a whole directory in batches through `send`; `false` from it: nobody listens.
    pub(super) fn list(&self, node: NodeId, send: &mut dyn FnMut(Output) -> bool) -> Output {
        let listed = self.node(node).and_then(|node| {
            self.each(&node, BATCH, &mut |batch| {
                let mut output = Output::from(Answer::Listing(batch));
                output.more = true;
                send(output)
            })
        });
        match listed {
            Ok(rest) => Answer::Listing(rest).into(),
            Err(errno) => errno.into(),
        }
    }

    /// A whole directory, or `None` when it holds more than `limit` names.
    pub(super) fn list_at_once(
        &self,
        node: &Node,
        limit: usize,
    ) -> Result<Option<Vec<Listed>>, Errno> {
        let mut too_many = Vec::new();
        let rest = self.each(node, limit, &mut |batch| {
            too_many = batch;
            false
        })?;
        if too_many.is_empty() {
            return Ok(Some(rest));
        }
        let handed: Vec<_> = too_many
            .iter()
            .filter_map(|name| Some((name.entry.as_ref()?.node, 1)))
            .collect();
        self.files.nodes.forget(&handed);
        Ok(None)
    }

    /// Calls `full` with every full batch until it says `false`, and returns the rest.
    fn each(
        &self,
        node: &Node,
        batch: usize,
        full: &mut dyn FnMut(Vec<Listed>) -> bool,
    ) -> Result<Vec<Listed>, Errno> {
        let path = self.files.nodes.fd(node)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = self.files.reopen(&path, flags)?;
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut names = RawDir::new(&directory, buffer.spare_capacity_mut());
        let mut listed = Vec::new();
        while let Some(name) = names.next() {
            let name = name?;
            let bytes = name.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            if listed.len() >= batch && !full(std::mem::take(&mut listed)) {
                return Ok(Vec::new());
            }
            let kind = name.file_type().as_raw_mode() >> 12;
            let (ino, kind) = (name.ino(), kind as u8);
            let entry = self.listed(node, &directory, bytes);
            let kind = entry
                .as_ref()
                .map_or(kind, |entry| (entry.attr.mode >> 12) as u8);
            listed.push(Listed {
                name: bytes.to_vec(),
                ino,
                kind,
                entry,
            });
        }
        Ok(listed)
    }

    /// A name's node, without a descriptor: ten thousand names would be as many of them.
    fn listed(&self, parent: &Node, directory: &OwnedFd, name: &[u8]) -> Option<Entry> {
        let found = attr::at(directory.as_fd(), name).ok()?;
        let link = match found.0.mode & libc::S_IFMT {
            libc::S_IFLNK => Some(readlinkat(directory, name, Vec::new()).ok()?.into_bytes()),
            _ => None,
        };
        let node = self.files.nodes.hand_out(&found, None, parent.id, name);
        Some(Entry {
            node: node.id,
            attr: found.0,
            link,
        })
    }
}
