//! Sending and receiving one message, with control messages as bytes: what comes from the program
//! goes to the kernel as it is, and the other way round.
#![allow(unsafe_code)]

use std::{
    mem,
    os::fd::{AsFd, AsRawFd},
};

use rustix::io::Errno;

/// A message that was received.
pub(super) struct Received {
    /// What the call returned: bytes, or the datagram's length with MSG_TRUNC (recv(2)).
    pub size: usize,
    /// The source; empty when there is none.
    pub name: Vec<u8>,
    /// Bytes of control messages.
    pub control: usize,
    /// As the kernel gives them back.
    pub flags: i32,
}

pub(super) fn send(
    socket: impl AsFd,
    name: &[u8],
    control: &[u8],
    payload: &[u8],
    flags: i32,
) -> Result<usize, Errno> {
    let mut vector = libc::iovec {
        iov_base: payload.as_ptr().cast_mut().cast(),
        iov_len: payload.len(),
    };
    // SAFETY: zeros are a valid message.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    if !name.is_empty() {
        message.msg_name = name.as_ptr().cast_mut().cast();
        message.msg_namelen = name.len() as _;
    }
    if !control.is_empty() {
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len() as _;
    }
    // SAFETY: everything that the message points to lives through the call, which only reads it.
    done(unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, flags) })
}

pub(super) fn receive(
    socket: impl AsFd,
    payload: &mut [u8],
    control: &mut [u8],
    flags: i32,
) -> Result<Received, Errno> {
    let mut name = [0u8; size_of::<libc::sockaddr_storage>()];
    let mut vector = libc::iovec {
        iov_base: payload.as_mut_ptr().cast(),
        iov_len: payload.len(),
    };
    // SAFETY: zeros are a valid message.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_name = name.as_mut_ptr().cast();
    message.msg_namelen = name.len() as _;
    if !control.is_empty() {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = control.len() as _;
    }
    // SAFETY: the kernel writes at most what the lengths say, to buffers of ours.
    let size = done(unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, flags) })?;
    let length = (message.msg_namelen as usize).min(name.len());
    Ok(Received {
        size,
        name: name[..length].to_vec(),
        control: message.msg_controllen,
        flags: message.msg_flags,
    })
}

fn done(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno::from_io_error(&error).unwrap_or(Errno::IO)
    })
}
