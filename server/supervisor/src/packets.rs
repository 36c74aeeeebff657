//! What the keeper tells its worker: small packets, with a descriptor beside one.

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
    Listener(u32),
    /// All listeners of the predecessor were given.
    AllGiven,
}

/// Sends; an error means that the worker died, which is noticed by its socket.
pub(crate) fn send(socket: impl AsFd, packet: Packet, fd: Option<BorrowedFd<'_>>) {
    let number = match packet {
        Packet::Listener(index) => index,
        Packet::AllGiven => u32::MAX,
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<_> = fd.into_iter().collect();
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    let bytes = number.to_ne_bytes();
    let sent = rustix::io::retry_on_intr(|| {
        sendmsg(
            &socket,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
    });
    if let Err(errno) = sent {
        tracing::warn!(%errno, "could not tell the worker something");
    }
}

/// Receives; `None` when the keeper is gone.
pub(crate) fn receive(socket: impl AsFd) -> Option<(Packet, Option<OwnedFd>)> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 4];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg(&socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) if message.bytes == 4 => {}
            Ok(_) => return None,
            Err(Errno::INTR) => continue,
            Err(errno) => {
                tracing::error!(%errno, "could not read from the keeper");
                return None;
            }
        }
        let mut fd = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                fd = fd.or(fds.last());
            }
        }
        return Some(match u32::from_ne_bytes(bytes) {
            u32::MAX => (Packet::AllGiven, None),
            index => (Packet::Listener(index), fd),
        });
    }
}
