//! What keeper and worker tell each other: small packets, with a descriptor beside one.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
};

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A listener with its number, which stays the same over workers.
    Listener {
        /// Its number.
        index: u32,
        /// The process that gave it, which must be the first to call; 0: that was seen already.
        of: i32,
    },
    /// All listeners of the predecessor were given.
    AllGiven,
    /// To the keeper: a listener was not that of the process that gave it.
    Refused(u32),
}

const LEN: usize = 12;

impl Packet {
    fn encode(self) -> [u8; LEN] {
        let [kind, index, of] = match self {
            Packet::Listener { index, of } => [1, index, of as u32],
            Packet::AllGiven => [2, 0, 0],
            Packet::Refused(index) => [3, index, 0],
        };
        let mut bytes = [0; LEN];
        for (to, word) in bytes.chunks_exact_mut(4).zip([kind, index, of]) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; LEN]) -> Option<Packet> {
        let word = |at: usize| {
            let word = bytes.get(4 * at..4 * at + 4)?;
            Some(u32::from_ne_bytes(word.try_into().ok()?))
        };
        let index = word(1)?;
        match word(0)? {
            1 => Some(Packet::Listener {
                index,
                of: word(2)? as i32,
            }),
            2 => Some(Packet::AllGiven),
            3 => Some(Packet::Refused(index)),
            _ => None,
        }
    }
}

/// Sends; an error means that the other one died, which is noticed by its socket.
pub(crate) fn send(socket: impl AsFd, packet: Packet, fd: Option<BorrowedFd<'_>>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<_> = fd.into_iter().collect();
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    let bytes = packet.encode();
    let sent = rustix::io::retry_on_intr(|| {
        sendmsg(
            &socket,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
    });
    if let Err(errno) = sent {
        tracing::warn!(%errno, "could not tell keeper or worker something");
    }
}

/// Receives; `None` when the other one is gone.
pub(crate) fn receive(socket: impl AsFd) -> Option<(Packet, Option<OwnedFd>)> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; LEN];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg(&socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) if message.bytes == LEN => {}
            Ok(_) => return None,
            Err(Errno::INTR) => continue,
            Err(errno) => {
                tracing::error!(%errno, "could not read from keeper or worker");
                return None;
            }
        }
        let mut fd = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                fd = fd.or(fds.last());
            }
        }
        return Some((Packet::decode(&bytes)?, fd));
    }
}
