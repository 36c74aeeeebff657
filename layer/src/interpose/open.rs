//! `open`, `openat`, `creat` and their other names.
//!
//! C declares the mode as a variadic argument; on our architectures an `int` is passed in the
//! same register either way, and it is only looked at when the flags say that it is there.

use std::ffi::{c_char, c_int, c_uint};

use mirrord_rules::Access;

use super::{PathCall, open_without_links};
use crate::errno::give;

/// # Safety
/// As open(2).
unsafe fn open_at(dirfd: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let creates = flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE;
    let mode = if creates { mode } else { 0 };
    let call = PathCall {
        nr: libc::SYS_openat,
        dirfd,
        path,
        rest: [u64::from(flags as u32), u64::from(mode), 0, 0],
        access: access(flags),
    };
    // SAFETY: passed on to the caller.
    give(unsafe { call.make(|call| open_without_links(call.dirfd, call.path, flags, mode)) })
        as c_int
}

/// As the supervisor decides it: creating and truncating are writing.
fn access(flags: c_int) -> Access {
    let made = libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);
    let reads = flags & libc::O_PATH != 0
        || (flags & libc::O_ACCMODE == libc::O_RDONLY && flags & made == 0);
    if reads { Access::Read } else { Access::Write }
}

macro_rules! open {
    ($($name:ident),*) => {$(
        /// # Safety
        /// As open(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
        }
    )*};
}
open!(open, open64, __open, __open64);

macro_rules! openat {
    ($($name:ident),*) => {$(
        /// # Safety
        /// As openat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            dirfd: c_int,
            path: *const c_char,
            flags: c_int,
            mode: c_uint,
        ) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { open_at(dirfd, path, flags, mode) }
        }
    )*};
}
openat!(openat, openat64);

macro_rules! fortified {
    ($($name:ident),*) => {$(
        /// The fortified form, without a mode.
        ///
        /// # Safety
        /// As open(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { open_at(libc::AT_FDCWD, path, flags, 0) }
        }
    )*};
}
fortified!(__open_2, __open64_2);

macro_rules! fortified_at {
    ($($name:ident),*) => {$(
        /// The fortified form, without a mode.
        ///
        /// # Safety
        /// As openat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(dirfd: c_int, path: *const c_char, flags: c_int) -> c_int {
            // SAFETY: passed on to the caller.
            unsafe { open_at(dirfd, path, flags, 0) }
        }
    )*};
}
fortified_at!(__openat_2, __openat64_2);

macro_rules! creat {
    ($($name:ident),*) => {$(
        /// # Safety
        /// As creat(2).
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, mode: c_uint) -> c_int {
            let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
            // SAFETY: passed on to the caller.
            unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
        }
    )*};
}
creat!(creat, creat64);
