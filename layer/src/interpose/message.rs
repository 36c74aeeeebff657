//! `sendmsg`, `recvmsg`, `sendmmsg` and `recvmmsg`.
//!
//! The filter cannot look into `struct msghdr`, so the supervisor is asked about every such call.
//! Here only the addresses of IP sockets are exchanged: before sending, the destination for the
//! relay that the supervisor names; after receiving from a loopback address, that for the peer
//! behind it. The call itself goes past the supervisor where it need not wait ([`at_once`]), and
//! is libc's own where it must, with everything else as the program gave it.

mod at_once;
mod control;
mod name;
mod original;

use std::ffi::{c_int, c_uint};

use libc::{mmsghdr, msghdr, timespec};

use self::{control::SegmentOnly, name::Name};
use crate::{errno::give, state};

/// `UIO_MAXIOV`: the kernel looks at no more messages (sendmmsg(2)).
const MOST: usize = 1024;

/// Called by the constructor.
pub fn find() {
    original::find();
    at_once::find();
}

// "C-unwind": pthread_cancel unwinds through a waiting call. Nothing here needs cleaning up.

/// # Safety
/// As sendmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> isize {
    at_once::test_cancel();
    // SAFETY: passed on to the caller.
    match unsafe { name::of(message) } {
        // SAFETY: passed on to the caller.
        Some(name) if state::get().is_some() => unsafe { send_to(fd, message, flags, name) },
        // SAFETY: passed on to the caller.
        _ => unsafe { send_as_is(fd, message, flags) },
    }
}

/// # Safety
/// As sendmmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    let most = (count as usize).min(MOST);
    let named = |i| {
        // SAFETY: the caller's promise: there are `count` messages.
        unsafe { name::of(&raw const (*messages.add(i)).msg_hdr) }.is_some()
    };
    if state::get().is_none() || messages.is_null() {
        // SAFETY: passed on to the caller.
        return unsafe { original::send_many(fd, messages, count, flags) };
    }
    if !(0..most).any(named) {
        // SAFETY: passed on to the caller.
        return match unsafe { at_once::send_many(fd, messages, count, flags) } {
            Some(sent) => sent,
            // SAFETY: passed on to the caller.
            None => unsafe { original::send_many(fd, messages, count, flags) },
        };
    }
    // One by one, as the kernel does it; an error after the first is not told.
    let mut sent = 0;
    while sent < most {
        // SAFETY: one of the caller's messages.
        let done = unsafe {
            let message = messages.add(sent);
            let done = sendmsg(fd, &raw const (*message).msg_hdr, flags);
            if done >= 0 {
                (*message).msg_len = done as c_uint;
            }
            done
        };
        if done < 0 {
            break;
        }
        sent += 1;
    }
    if sent == 0 { -1 } else { sent as c_int }
}

/// # Safety
/// As recvmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> isize {
    at_once::test_cancel();
    // SAFETY: passed on to the caller.
    let room = unsafe { name::room(message) };
    // SAFETY: passed on to the caller.
    let Some(received) = (unsafe { at_once::receive(fd, message, flags) }) else {
        // The supervisor sees this one. SAFETY: passed on to the caller.
        return unsafe { original::receive(fd, message, flags) };
    };
    if room > 0 && received >= 0 {
        // SAFETY: the message was just received.
        unsafe { name::reveal(message, room, &mut None) };
    }
    received
}

/// # Safety
/// As recvmmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    // How much room there was is not to be seen afterwards; beyond an address it does not matter.
    let mut rooms = [0u8; MOST];
    if state::get().is_some() && !messages.is_null() {
        for (i, room) in rooms.iter_mut().enumerate().take(count as usize) {
            // SAFETY: the caller's promise: there are `count` messages.
            let there = unsafe { name::room(&raw const (*messages.add(i)).msg_hdr) };
            *room = there.min(u8::MAX.into()) as u8;
        }
    }
    // SAFETY: passed on to the caller.
    let Some(received) = (unsafe { at_once::receive_many(fd, messages, count, flags, timeout) })
    else {
        // The supervisor sees this one. SAFETY: passed on to the caller.
        return unsafe { original::receive_many(fd, messages, count, flags, timeout) };
    };
    let mut last = None;
    let these = usize::try_from(received).unwrap_or(0);
    for (i, room) in rooms.iter().enumerate().take(these) {
        if *room > 0 {
            // SAFETY: the message was just received.
            unsafe {
                let message = &raw mut (*messages.add(i)).msg_hdr;
                name::reveal(message, (*room).into(), &mut last);
            }
        }
    }
    received as c_int
}

/// Sends a message that names what it is to name.
///
/// # Safety
/// As sendmsg(2).
unsafe fn send_as_is(fd: c_int, message: *const msghdr, flags: c_int) -> isize {
    // SAFETY: passed on to the caller.
    match unsafe { at_once::send(fd, message, flags) } {
        Some(sent) => sent,
        // SAFETY: passed on to the caller.
        None => unsafe { original::send(fd, message, flags) },
    }
}

/// Sends to what the supervisor says.
///
/// # Safety
/// As sendmsg(2); `name` is the message's.
unsafe fn send_to(fd: c_int, message: *const msghdr, flags: c_int, name: Name) -> isize {
    let mut relay = name;
    match relay.turn_to_relay(fd, flags) {
        // SAFETY: passed on to the caller.
        Ok(false) => unsafe { send_as_is(fd, message, flags) },
        Ok(true) => {
            // SAFETY: the caller's message, which it does not change meanwhile.
            let mut copy = unsafe { *message };
            // SAFETY: the caller's control messages.
            let control = unsafe { SegmentOnly::of(&copy) };
            relay.put_into(&mut copy);
            control.put_into(&mut copy);
            // SAFETY: as the caller's own, with a name and control messages that live on.
            unsafe { send_as_is(fd, &raw const copy, flags) }
        }
        Err(errno) => give(Err(errno)) as isize,
    }
}

#[cfg(test)]
mod tests;
