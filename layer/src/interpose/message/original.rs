//! libc's own functions for messages, or the plain calls where it has none to give.

use std::ffi::{c_int, c_uint};

use libc::{mmsghdr, msghdr, timespec};

use crate::{errno::give, gate, next::Next};

// "C-unwind": pthread_cancel unwinds through a waiting call.
type Send = unsafe extern "C-unwind" fn(c_int, *const msghdr, c_int) -> isize;
type Receive = unsafe extern "C-unwind" fn(c_int, *mut msghdr, c_int) -> isize;
type SendMany = unsafe extern "C-unwind" fn(c_int, *mut mmsghdr, c_uint, c_int) -> c_int;
type ReceiveMany =
    unsafe extern "C-unwind" fn(c_int, *mut mmsghdr, c_uint, c_int, *mut timespec) -> c_int;

// SAFETY: the type of sendmsg(2).
static SEND: Next<Send> = unsafe { Next::named(c"sendmsg") };
// SAFETY: the type of recvmsg(2).
static RECEIVE: Next<Receive> = unsafe { Next::named(c"recvmsg") };
// SAFETY: the type of sendmmsg(2).
static SEND_MANY: Next<SendMany> = unsafe { Next::named(c"sendmmsg") };
// SAFETY: the type of recvmmsg(2).
static RECEIVE_MANY: Next<ReceiveMany> = unsafe { Next::named(c"recvmmsg") };

/// Called by the constructor.
pub fn find() {
    SEND.find();
    RECEIVE.find();
    SEND_MANY.find();
    RECEIVE_MANY.find();
}

/// # Safety
/// As sendmsg(2).
pub unsafe fn send(fd: c_int, message: *const msghdr, flags: c_int) -> isize {
    if let Some(next) = SEND.get() {
        // SAFETY: passed on to the caller.
        return unsafe { next(fd, message, flags) };
    }
    let args = [fd as u64, message as u64, flags as u64, 0, 0, 0];
    // SAFETY: passed on to the caller.
    give(unsafe { gate::plain(libc::SYS_sendmsg, args) }) as isize
}

/// # Safety
/// As recvmsg(2).
pub unsafe fn receive(fd: c_int, message: *mut msghdr, flags: c_int) -> isize {
    if let Some(next) = RECEIVE.get() {
        // SAFETY: passed on to the caller.
        return unsafe { next(fd, message, flags) };
    }
    let args = [fd as u64, message as u64, flags as u64, 0, 0, 0];
    // SAFETY: passed on to the caller.
    give(unsafe { gate::plain(libc::SYS_recvmsg, args) }) as isize
}

/// # Safety
/// As sendmmsg(2).
pub unsafe fn send_many(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    if let Some(next) = SEND_MANY.get() {
        // SAFETY: passed on to the caller.
        return unsafe { next(fd, messages, count, flags) };
    }
    let args = [fd as u64, messages as u64, count.into(), flags as u64, 0, 0];
    // SAFETY: passed on to the caller.
    give(unsafe { gate::plain(libc::SYS_sendmmsg, args) }) as c_int
}

/// # Safety
/// As recvmmsg(2).
pub unsafe fn receive_many(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    if let Some(next) = RECEIVE_MANY.get() {
        // SAFETY: passed on to the caller.
        return unsafe { next(fd, messages, count, flags, timeout) };
    }
    let (count, flags) = (u64::from(count), flags as u64);
    let args = [fd as u64, messages as u64, count, flags, timeout as u64, 0];
    // SAFETY: passed on to the caller.
    give(unsafe { gate::plain(libc::SYS_recvmmsg, args) }) as c_int
}
