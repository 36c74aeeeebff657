//! `stat`, `lstat`, `fstatat`, `statx`. The `__xstat` family is what programs linked against
//! glibc before 2.33 call; its version argument is the kernel's own structure on 64 bits.

use std::ffi::{c_char, c_int, c_uint};

use mirrord_rules::Access;

use super::{PathCall, on_descriptor};
use crate::{errno::give, gate};

/// # Safety
/// As fstatat(2).
unsafe fn stat_at(dirfd: c_int, path: *const c_char, buf: *mut libc::stat, flags: c_int) -> c_int {
    let rest = [buf as u64, u64::from(flags as u32), 0, 0];
    let call = PathCall {
        nr: libc::SYS_newfstatat,
        dirfd,
        path,
        rest,
        access: Access::Read,
    };
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let done = |call: &PathCall| {
        let flags = (libc::AT_EMPTY_PATH | (flags & libc::AT_NO_AUTOMOUNT)) as u64;
        let empty = c"".as_ptr() as u64;
        // SAFETY: as the call itself; it is only made when the page is mapped.
        unsafe {
            on_descriptor(call.dirfd, call.path, follow, |fd| {
                gate::pass(libc::SYS_newfstatat, [fd, empty, buf as u64, flags, 0, 0])
            })
        }
    };
    // SAFETY: passed on to the caller.
    give(unsafe { call.make(done) }) as c_int
}

macro_rules! stat {
    ($flags:expr; $($name:ident),*) => {$(
        /// # Safety
        /// As stat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, buf: *mut libc::stat) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { stat_at(libc::AT_FDCWD, path, buf, $flags) }
        }
    )*};
}
stat!(0; stat, stat64);
stat!(libc::AT_SYMLINK_NOFOLLOW; lstat, lstat64);

macro_rules! versioned {
    ($flags:expr; $($name:ident),*) => {$(
        /// # Safety
        /// As stat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            _version: c_int,
            path: *const c_char,
            buf: *mut libc::stat,
        ) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { stat_at(libc::AT_FDCWD, path, buf, $flags) }
        }
    )*};
}
versioned!(0; __xstat, __xstat64);
versioned!(libc::AT_SYMLINK_NOFOLLOW; __lxstat, __lxstat64);

macro_rules! fstatat {
    ($($name:ident),*) => {$(
        /// # Safety
        /// As fstatat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            dirfd: c_int,
            path: *const c_char,
            buf: *mut libc::stat,
            flags: c_int,
        ) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { stat_at(dirfd, path, buf, flags) }
        }
    )*};
}
fstatat!(fstatat, fstatat64);

macro_rules! versioned_at {
    ($($name:ident),*) => {$(
        /// # Safety
        /// As fstatat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            _version: c_int,
            dirfd: c_int,
            path: *const c_char,
            buf: *mut libc::stat,
            flags: c_int,
        ) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { stat_at(dirfd, path, buf, flags) }
        }
    )*};
}
versioned_at!(__fxstatat, __fxstatat64);

/// # Safety
/// As statx(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(
    dirfd: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    buf: *mut libc::statx,
) -> c_int {
    let rest = [u64::from(flags as u32), u64::from(mask), buf as u64, 0];
    let call = PathCall {
        nr: libc::SYS_statx,
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
                    libc::SYS_statx,
                    [fd, empty, flags, u64::from(mask), buf as u64, 0],
                )
            })
        }
    };
    // SAFETY: passed on to the caller.
    give(unsafe { call.make(done) }) as c_int
}
