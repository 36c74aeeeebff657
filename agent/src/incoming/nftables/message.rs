//! nf_tables requests as netlink bytes, and the socket that carries them.
//!
//! A request is one *batch*: the kernel does all of it or nothing. The format is that of
//! netlink(7) with nested attributes; numbers inside nf_tables attributes are big-endian.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::fstat;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
const NFPROTO_INET: u8 = 1;
const NLA_F_NESTED: u16 = 0x8000;
const HEADER: usize = 16;

/// `NLM_F_CREATE | NLM_F_EXCL`: make it, and fail when it is there.
pub(super) const CREATE: u16 = 0x400 | 0x200;

/// A batch being written.
pub(super) struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new() -> Batch {
        let mut batch = Batch {
            bytes: Vec::new(),
            sequence: 0,
        };
        batch.raw(NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES, |_| ());
        batch
    }

    /// Adds one `NFT_MSG_…` for the inet family; each is acknowledged.
    pub(super) fn add(&mut self, message: u16, flags: u16, fill: impl FnOnce(&mut Attributes)) {
        self.sequence += 1;
        let kind = NFNL_SUBSYS_NFTABLES << 8 | message;
        self.raw(kind, flags | NLM_F_ACK, NFPROTO_INET, 0, fill);
    }

    /// The bytes to send, and how many acknowledgements a success brings.
    pub(super) fn finish(mut self) -> (Vec<u8>, u32) {
        let messages = self.sequence;
        self.sequence += 1;
        self.raw(NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES, |_| ());
        (self.bytes, messages)
    }

    fn raw(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        resource: u16,
        fill: impl FnOnce(&mut Attributes),
    ) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        // struct nfgenmsg: family, version 0, big-endian resource.
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        fill(&mut Attributes {
            bytes: &mut self.bytes,
        });
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

/// Attributes being appended to a message or to another attribute.
pub(super) struct Attributes<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Attributes<'_> {
    /// Raw bytes, padded to four.
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.put(kind, |attributes| attributes.bytes.extend(value));
    }

    /// A NUL-terminated string.
    pub(super) fn text(&mut self, kind: u16, value: &str) {
        self.put(kind, |attributes| {
            attributes.bytes.extend(value.as_bytes());
            attributes.bytes.push(0);
        });
    }

    /// A big-endian number.
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Attributes inside an attribute.
    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes)) {
        self.put(kind | NLA_F_NESTED, fill);
    }

    fn put(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        fill(&mut Attributes { bytes: self.bytes });
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// A netfilter netlink socket in the namespace of the thread that opened it.
pub(super) struct Socket {
    descriptor: OwnedFd,
}

impl Socket {
    /// Opens one.
    pub(super) fn open() -> io::Result<Socket> {
        let descriptor = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )?;
        bind(&descriptor, &SocketAddrNetlink::new(0, 0))?;
        sockopt::set_socket_timeout(&descriptor, Timeout::Recv, Some(Duration::from_secs(5)))?;
        // When a process is killed its descriptors close in their order: with this one behind
        // the connections', their last packets still leave through the address translation.
        let descriptor = fcntl_dupfd_cloexec(&descriptor, 512).unwrap_or(descriptor);
        Ok(Socket { descriptor })
    }

    /// A number that no other socket of this machine has now.
    pub(super) fn inode(&self) -> io::Result<u64> {
        Ok(fstat(&self.descriptor)?.st_ino)
    }

    /// Sends a batch and waits until the kernel has done it.
    pub(super) fn run(&self, batch: Batch) -> io::Result<()> {
        let (bytes, mut missing) = batch.finish();
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.descriptor, &bytes, SendFlags::empty(), &kernel)?;
        let mut buffer = vec![0u8; 16 * 1024];
        while missing > 0 {
            let (_, length) = match recv(&self.descriptor, &mut buffer[..], RecvFlags::empty()) {
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Err(ErrorKind::TimedOut.into()),
                other => other?,
            };
            for errno in answers(&buffer[..length.min(buffer.len())]) {
                if errno != 0 {
                    return Err(io::Error::from_raw_os_error(errno));
                }
                missing = missing.saturating_sub(1);
            }
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The errno of each acknowledgement (0: done) in a datagram from the kernel.
fn answers(mut datagram: &[u8]) -> Vec<i32> {
    let mut found = Vec::new();
    while datagram.len() >= HEADER + 4 {
        let length = u32::from_ne_bytes(datagram[..4].try_into().unwrap()) as usize;
        let kind = u16::from_ne_bytes(datagram[4..6].try_into().unwrap());
        if kind == NLMSG_ERROR {
            let error = i32::from_ne_bytes(datagram[HEADER..HEADER + 4].try_into().unwrap());
            found.push(-error);
        }
        if length < HEADER {
            break;
        }
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_carry_their_unpadded_length() {
        let mut batch = Batch::new();
        let before = batch.bytes.len();
        batch.add(0, CREATE, |attributes| {
            attributes.text(1, "ab");
            attributes.nested(4, |inner| inner.number(2, 7));
        });
        let message = &batch.bytes[before..];
        assert_eq!(
            message[..4],
            (message.len() as u32).to_ne_bytes(),
            "message length"
        );
        assert_eq!(message[20..28], [7, 0, 1, 0, b'a', b'b', 0, 0]);
        assert_eq!(message[28..32], [12, 0, 4, 0x80]);
        assert_eq!(message[32..40], [8, 0, 2, 0, 0, 0, 0, 7]);
    }

    #[test]
    fn a_refusal_is_an_errno() {
        let mut datagram = vec![0u8; 36];
        datagram[..4].copy_from_slice(&36u32.to_ne_bytes());
        datagram[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        datagram[16..20].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        assert_eq!(answers(&datagram), [libc::EPERM]);
    }
}
