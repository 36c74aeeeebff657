//! `access` and `faccessat`.

use std::ffi::{c_char, c_int};

use mirrord_rules::Access;

use super::{PathCall, on_descriptor};
use crate::{errno::give, gate};

/// # Safety
/// As access(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn access(path: *const c_char, mode: c_int) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { faccessat(libc::AT_FDCWD, path, mode, 0) }
}

/// With flags it is the newer call (5.8), as in libc.
///
/// # Safety
/// As faccessat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn faccessat(
    dirfd: c_int,
    path: *const c_char,
    mode: c_int,
    flags: c_int,
) -> c_int {
    let nr = if flags == 0 {
        libc::SYS_faccessat
    } else {
        libc::SYS_faccessat2
    };
    let rest = [u64::from(mode as u32), u64::from(flags as u32), 0, 0];
    let call = PathCall {
        nr,
        dirfd,
        path,
        rest,
        access: Access::Read,
    };
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let done = |call: &PathCall| {
        let flags = ((flags & !libc::AT_SYMLINK_NOFOLLOW) | libc::AT_EMPTY_PATH) as u64;
        let empty = c"".as_ptr() as u64;
        // SAFETY: as the call itself; it is only made when the page is mapped.
        unsafe {
            on_descriptor(call.dirfd, call.path, follow, |fd| {
                gate::pass(
                    libc::SYS_faccessat2,
                    [fd, empty, u64::from(mode as u32), flags, 0, 0],
                )
            })
        }
    };
    // SAFETY: passed on to the caller.
    give(unsafe { call.make(done) }) as c_int
}
