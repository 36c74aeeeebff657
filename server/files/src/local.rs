//! What supervisor and file server say to each other, and how it is framed.
//!
//! The two share one `SOCK_SEQPACKET` socket from the start. Over it the file server first sends
//! its [`Welcome`], with the root of the mount as a descriptor. The supervisor then passes the far
//! ends of stream sockets, as many as it has calls in flight; on each of them one question waits
//! for its answer at a time, so a thread that asks needs no other thread to bring it the answer.
//! Closing such a socket gives the question up.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use mirrord_protocol::{
    creds::Creds,
    files::{Attr, Parent, Want},
};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// A message between the two is never longer than this.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// The file server's first packet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Welcome {
    /// The packet carries the mount's root.
    Mounted,
    /// No mount could be made; whole files can be read all the same.
    Snapshots {
        /// Why, and what to do about it.
        reason: String,
    },
    /// The file server could not begin; it ends.
    Failed {
        /// What was tried and what to do.
        reason: String,
    },
}

/// A question of the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Answered by [`Told::Walked`].
    Walk {
        /// Path in the pod.
        path: Vec<u8>,
        /// Whether a symbolic link at the end is followed.
        follow_last: bool,
        /// What shall be fetched ahead.
        want: Want,
        /// Whose rights apply; `None`: the target's.
        creds: Option<Creds>,
    },
    /// Answered by [`Told::Snapshot`], with a descriptor when it went well.
    Snapshot {
        /// Path in the pod.
        path: Vec<u8>,
        /// Whose rights apply; `None`: the target's.
        creds: Option<Creds>,
    },
}

/// The file server's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every answer is the large one, and none is kept"
)]
pub(crate) enum Told {
    /// What the walk found, or the errno of a walk that could not be made.
    Walked(Result<WalkedLocally, i32>),
    /// Whether a descriptor follows, or the errno.
    Snapshot(Result<(), i32>),
}

/// [`crate::Walked`] on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WalkedLocally {
    pub(crate) found: Result<FoundLocally, i32>,
    pub(crate) parent: Option<Parent>,
    pub(crate) valid_micros: u64,
}

/// [`crate::Found`] on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FoundLocally {
    pub(crate) path: Vec<u8>,
    pub(crate) attr: Attr,
    pub(crate) allowed: u8,
    pub(crate) link: Option<Vec<u8>>,
}

/// One message with its length in front, as the stream sockets carry it.
pub(crate) fn frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = mirrord_protocol::codec::encode(message).map_err(io::Error::other)?;
    if body.len() > MAX_MESSAGE {
        return Err(rustix::io::Errno::NAMETOOLONG.into());
    }
    let mut framed = Vec::with_capacity(4 + body.len());
    framed.extend_from_slice(&(body.len() as u32).to_le_bytes());
    framed.extend_from_slice(&body);
    Ok(framed)
}

/// Sends bytes, and a descriptor with them.
pub(crate) fn send_with_fd(
    socket: impl AsFd,
    bytes: &[u8],
    fd: Option<&OwnedFd>,
    flags: SendFlags,
) -> io::Result<usize> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = fd.map(|fd| [fd.as_fd()]);
    if let Some(fds) = &fds {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    Ok(sendmsg(
        socket,
        &[io::IoSlice::new(bytes)],
        &mut control,
        flags | SendFlags::NOSIGNAL,
    )?)
}

/// Receives bytes, and the descriptor that came with them.
pub(crate) fn receive_with_fd(
    socket: impl AsFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [io::IoSliceMut::new(buffer)],
        &mut control,
        flags | RecvFlags::CMSG_CLOEXEC,
    )?;
    let fd = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok((received.bytes, fd))
}
