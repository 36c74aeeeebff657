//! `chdir` and `opendir`.
//!
//! Only the process itself can change its working directory. So a name that is not surely local
//! is opened, which the supervisor answers with a directory of the right side, and then entered
//! by its descriptor.

use std::ffi::{c_char, c_int};

use mirrord_filter::{Errno, sys};
use mirrord_rules::Access;

use super::{PathCall, open_without_links};
use crate::{
    errno::give,
    gate,
    route::{self, Route},
    state,
};

/// # Safety
/// As chdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chdir(path: *const c_char) -> c_int {
    // SAFETY: passed on to the caller.
    give(unsafe { change(path) }) as c_int
}

/// # Safety
/// As chdir(2).
unsafe fn change(path: *const c_char) -> Result<u64, Errno> {
    let args = [path as u64, 0, 0, 0, 0, 0];
    let Some(state) = state::get() else {
        // SAFETY: passed on to the caller.
        return unsafe { gate::plain(libc::SYS_chdir, args) };
    };
    // SAFETY: passed on to the caller; there is a state, so the page is mapped.
    let route = unsafe { route::of(state, libc::AT_FDCWD, path, Access::Read) };
    if route == Route::Pass {
        // SAFETY: as above.
        return unsafe { gate::pass(libc::SYS_chdir, args) };
    }
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: passed on to the caller.
    let fd = unsafe { open(path, flags) }?;
    // SAFETY: a descriptor of ours.
    let done = unsafe { gate::plain(libc::SYS_fchdir, [fd, 0, 0, 0, 0, 0]) };
    sys::close(fd as i32);
    done
}

/// # Safety
/// As opendir(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opendir(path: *const c_char) -> *mut libc::DIR {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: passed on to the caller.
    let fd = give(unsafe { open(path, flags) }) as c_int;
    if fd < 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: a fresh descriptor of a directory.
    let stream = unsafe { libc::fdopendir(fd) };
    if stream.is_null() {
        sys::close(fd);
    }
    stream
}

/// # Safety
/// As open(2).
unsafe fn open(path: *const c_char, flags: c_int) -> Result<u64, Errno> {
    let rest = [u64::from(flags as u32), 0, 0, 0];
    let (nr, dirfd) = (libc::SYS_openat, libc::AT_FDCWD);
    let call = PathCall {
        nr,
        dirfd,
        path,
        rest,
        access: Access::Read,
    };
    // SAFETY: passed on to the caller.
    unsafe { call.make(|call| open_without_links(call.dirfd, call.path, flags, 0)) }
}
