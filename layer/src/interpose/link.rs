//! `readlink` and `readlinkat`.

use std::ffi::{c_char, c_int};

use mirrord_rules::Access;

use super::{PathCall, on_descriptor};
use crate::{errno::give, gate};

/// # Safety
/// As readlink(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readlink(path: *const c_char, buf: *mut c_char, size: usize) -> isize {
    // SAFETY: passed on to the caller.
    unsafe { readlinkat(libc::AT_FDCWD, path, buf, size) }
}

/// # Safety
/// As readlinkat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readlinkat(
    dirfd: c_int,
    path: *const c_char,
    buf: *mut c_char,
    size: usize,
) -> isize {
    let rest = [buf as u64, size as u64, 0, 0];
    let call = PathCall {
        nr: libc::SYS_readlinkat,
        dirfd,
        path,
        rest,
        access: Access::Read,
    };
    let done = |call: &PathCall| {
        let empty = c"".as_ptr() as u64;
        // SAFETY: as the call itself; it is only made when the page is mapped.
        let read = unsafe {
            on_descriptor(call.dirfd, call.path, false, |fd| {
                gate::pass(
                    libc::SYS_readlinkat,
                    [fd, empty, buf as u64, size as u64, 0, 0],
                )
            })
        };
        // By descriptor, what is no link is said to be missing (readlinkat(2)); EINVAL makes the
        // plain call, which says it right.
        match read {
            Err(mirrord_filter::Errno(libc::ENOENT)) => Err(mirrord_filter::Errno(libc::EINVAL)),
            read => read,
        }
    };
    // SAFETY: passed on to the caller.
    give(unsafe { call.make(done) }) as isize
}
