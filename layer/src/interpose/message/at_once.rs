//! Messages past the supervisor, as long as the kernel has not to wait for anything.
//!
//! libc's functions are turned over to the supervisor, which costs two wake-ups. They must stay
//! where a call waits, for there they are cancellation points (pthreads(7)). So what can be done
//! at once goes through the page, and only the rest through libc.

use std::ffi::{c_int, c_uint};

use libc::{iovec, mmsghdr, msghdr, timespec};
use mirrord_filter::{Errno, sys};

use super::original;
use crate::{errno::give, gate, next::Next, state};

/// Flags that mean the same in a call that is made in two steps.
const SENDS: c_int = libc::MSG_NOSIGNAL | libc::MSG_MORE | libc::MSG_EOR;
const RECEIVES: c_int =
    libc::MSG_NOSIGNAL | libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
const DONT_WAIT: c_int = libc::MSG_DONTWAIT;

/// Not through the page: the kernel reads whole words where musl's structures have padding.
/// What it refuses for that (EINVAL) is left to libc too, and nothing is done twice then.
const NOT_AT_ONCE: [c_int; 2] = [libc::EAGAIN, libc::EINVAL];

// SAFETY: the type of pthread_testcancel(3).
static CANCELLATION: Next<unsafe extern "C-unwind" fn()> =
    unsafe { Next::named(c"pthread_testcancel") };

/// Called by the constructor.
pub fn find() {
    CANCELLATION.find();
}

/// `None`, here and below: libc has to make the call, from a frame that may be unwound.
///
/// # Safety
/// As sendmsg(2).
pub unsafe fn send(fd: c_int, message: *const msghdr, flags: c_int) -> Option<isize> {
    // SAFETY: passed on to the caller.
    if !unsafe { is_the_kernels(message) } {
        return None;
    }
    let pass = |flags| {
        let args = [fd as u64, message as u64, flags as u64, 0, 0, 0];
        // SAFETY: passed on to the caller; `is_the_kernels` found the page.
        unsafe { gate::pass(libc::SYS_sendmsg, args) }
    };
    if !waits(fd, flags) {
        return at_once(pass(flags));
    }
    if flags & !SENDS != 0 {
        return None;
    }
    match pass(flags | DONT_WAIT) {
        Err(Errno(errno)) if NOT_AT_ONCE.contains(&errno) => None,
        // SAFETY: passed on to the caller: the kernel has read this message.
        Ok(sent) => Some(unsafe { send_rest(fd, &*message, flags, sent as usize) }),
        failed => Some(give(failed) as isize),
    }
}

/// Sends what had no room in a stream: the call waits until all of it is gone (send(2)).
///
/// # Safety
/// As sendmsg(2); so many bytes were sent.
unsafe fn send_rest(fd: c_int, message: &msghdr, flags: c_int, sent: usize) -> isize {
    let vectors: &[iovec] = if message.msg_iovlen == 0 {
        &[]
    } else {
        // SAFETY: passed on to the caller.
        unsafe { std::slice::from_raw_parts(message.msg_iov, message.msg_iovlen) }
    };
    let mut before = 0;
    for (i, vector) in vectors.iter().enumerate() {
        let after = before + vector.iov_len;
        if after > sent {
            let cut = sent - before;
            let mut tail = iovec {
                // SAFETY: inside the vector.
                iov_base: unsafe { vector.iov_base.byte_add(cut) },
                iov_len: vector.iov_len - cut,
            };
            let parts = [
                (&raw mut tail, 1),
                // SAFETY: behind this vector there are others, or the end.
                (unsafe { message.msg_iov.add(i + 1) }, vectors.len() - i - 1),
            ];
            // SAFETY: the caller's bytes.
            return (sent + unsafe { send_parts(fd, parts, flags) }) as isize;
        }
        before = after;
    }
    sent as isize
}

/// As much as can be sent: what goes wrong after the first byte is the next call's to tell.
unsafe fn send_parts(fd: c_int, parts: [(*mut iovec, usize); 2], flags: c_int) -> usize {
    let mut sent = 0;
    for (vectors, len) in parts {
        if len == 0 {
            break;
        }
        // SAFETY: zeros are a valid message.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = vectors;
        message.msg_iovlen = len as _;
        let errno = crate::errno::last();
        // SAFETY: the caller's bytes.
        let more = unsafe { original::send(fd, &raw const message, flags | libc::MSG_NOSIGNAL) };
        let Ok(more) = usize::try_from(more) else {
            let _ = give(Err(errno));
            break;
        };
        sent += more;
        // SAFETY: as above.
        if more < unsafe { total(vectors, len) } {
            break;
        }
    }
    sent
}

unsafe fn total(vectors: *const iovec, len: usize) -> usize {
    // SAFETY: the caller's promise: there are so many.
    (0..len).map(|i| unsafe { (*vectors.add(i)).iov_len }).sum()
}

/// Only where none of the messages has to wait: then it fails, or returns how many were sent.
///
/// # Safety
/// As sendmmsg(2).
pub unsafe fn send_many(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> Option<c_int> {
    // SAFETY: passed on to the caller.
    if !unsafe { are_the_kernels(messages, count) } || waits(fd, flags) {
        return None;
    }
    let args = [fd as u64, messages as u64, count.into(), flags as u64, 0, 0];
    // SAFETY: passed on to the caller; `are_the_kernels` found the page.
    at_once(unsafe { gate::pass(libc::SYS_sendmmsg, args) }).map(|sent| sent as c_int)
}

/// # Safety
/// As recvmsg(2).
pub unsafe fn receive(fd: c_int, message: *mut msghdr, flags: c_int) -> Option<isize> {
    // SAFETY: passed on to the caller.
    if !unsafe { is_the_kernels(message) } {
        return None;
    }
    let args = |flags| [fd as u64, message as u64, flags as u64, 0, 0, 0];
    // SAFETY: passed on to the caller; `is_the_kernels` found the page.
    receive_by(fd, flags, |flags| unsafe {
        gate::pass(libc::SYS_recvmsg, args(flags))
    })
}

/// # Safety
/// As recvmmsg(2).
pub unsafe fn receive_many(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> Option<isize> {
    // More than the first may be waited for.
    let only_first = timeout.is_null() && (count == 1 || flags & libc::MSG_WAITFORONE != 0);
    // SAFETY: passed on to the caller.
    if !unsafe { are_the_kernels(messages, count) } || !only_first && waits(fd, flags) {
        return None;
    }
    let (all, at) = (u64::from(count), messages as u64);
    receive_by(fd, flags, |flags| {
        let args = [fd as u64, at, all, flags as u64, timeout as u64, 0];
        // SAFETY: passed on to the caller; `are_the_kernels` found the page.
        unsafe { gate::pass(libc::SYS_recvmmsg, args) }
    })
}

fn receive_by(
    fd: c_int,
    flags: c_int,
    pass: impl Fn(c_int) -> Result<u64, Errno>,
) -> Option<isize> {
    if flags & libc::MSG_ERRQUEUE != 0 || !waits(fd, flags) {
        return at_once(pass(flags));
    }
    if flags & !(RECEIVES | libc::MSG_WAITFORONE) != 0 || !is_content_with_a_byte(fd) {
        return None;
    }
    match pass(flags | DONT_WAIT) {
        Err(Errno(errno)) if NOT_AT_ONCE.contains(&errno) => None,
        done => Some(give(done) as isize),
    }
}

/// What the kernel did for a call that never waits; `None` where libc has to make it.
fn at_once(result: Result<u64, Errno>) -> Option<isize> {
    (result != Err(Errno(libc::EINVAL))).then(|| give(result) as isize)
}

/// Every one of these functions is a cancellation point; from a frame that may be unwound.
pub fn test_cancel() {
    if let Some(test) = CANCELLATION.get() {
        // SAFETY: unwinds when this thread is to end; there is nothing of ours to clean up.
        unsafe { test() };
    }
}

/// Whether the kernel would wait for room or for a message.
fn waits(fd: c_int, flags: c_int) -> bool {
    if flags & DONT_WAIT != 0 {
        return false;
    }
    let args = [fd as u64, libc::F_GETFL as u64, 0, 0, 0, 0];
    // SAFETY: changes nothing.
    let status = unsafe { sys::call(libc::SYS_fcntl, args) };
    status.is_ok_and(|status| status as c_int & libc::O_NONBLOCK == 0)
}

/// Whether a waiting call ends with the first byte there is (`SO_RCVLOWAT`, socket(7)).
fn is_content_with_a_byte(fd: c_int) -> bool {
    let (mut least, mut len) = (1 as c_int, size_of::<c_int>() as libc::socklen_t);
    let args = [
        fd as u64,
        libc::SOL_SOCKET as u64,
        libc::SO_RCVLOWAT as u64,
        &raw mut least as u64,
        &raw mut len as u64,
        0,
    ];
    // SAFETY: the kernel writes an int and its size. What is no socket is told by the call itself.
    let _ = unsafe { sys::call(libc::SYS_getsockopt, args) };
    least == 1
}

/// Whether there is a page to go through, and a message that every libc means as the kernel does:
/// musl's lengths are ints, and the padding beside them need not be zero.
unsafe fn is_the_kernels(message: *const msghdr) -> bool {
    // SAFETY: the caller's promise.
    let message = unsafe { message.as_ref() };
    state::get().is_some()
        && message.is_some_and(|message| {
            message.msg_iovlen as u64 >> 32 == 0 && message.msg_controllen as u64 >> 32 == 0
        })
}

unsafe fn are_the_kernels(messages: *const mmsghdr, count: c_uint) -> bool {
    let count = (count as usize).min(super::MOST);
    !messages.is_null()
        && count > 0
        // SAFETY: the caller's promise: there are so many.
        && (0..count).all(|i| unsafe { is_the_kernels(&raw const (*messages.add(i)).msg_hdr) })
}
