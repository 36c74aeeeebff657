//! Which file a name to be executed means.

use std::ffi::{c_char, c_int};

use mirrord_filter::{Errno, sys};
use mirrord_rules::Access;

use crate::{
    errno, gate,
    interpose::{access::faccessat, open::openat},
    route::{self, Route},
    state::{self, State},
};

/// Where a program is.
pub enum Program {
    /// On this machine, or the kernel and the supervisor shall say what is wrong.
    Local,
    /// In the pod: a descriptor.
    Pods(i32),
    /// In the pod, and may not be executed.
    Refused(Errno),
}

/// Finds out.
///
/// # Safety
/// `path` is null or a C string.
pub unsafe fn program(path: *const c_char) -> Program {
    let Some(state) = state::get() else {
        return Program::Local;
    };
    // SAFETY: passed on to the caller.
    let route = unsafe { route::of(state, libc::AT_FDCWD, path, Access::Read) };
    // SAFETY: passed on to the caller.
    if matches!(route, Route::Pass | Route::PassWithoutLinks) || unsafe { is_here(state, path) } {
        return Program::Local;
    }
    // As the target's user may, and as the rules say.
    // SAFETY: passed on to the caller.
    if unsafe { faccessat(libc::AT_FDCWD, path, libc::X_OK, 0) } < 0 {
        return Program::Refused(errno::last());
    }
    let flags: c_int = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: passed on to the caller.
    let fd = unsafe { openat(libc::AT_FDCWD, path, flags, 0) };
    if fd < 0 {
        return Program::Local;
    }
    match stat(fd, c"".as_ptr(), libc::AT_EMPTY_PATH) {
        Ok(found) if found.st_mode & libc::S_IFMT == libc::S_IFREG => Program::Pods(fd),
        _ => {
            sys::close(fd);
            Program::Refused(Errno(libc::EACCES))
        }
    }
}

/// Whether this machine has a program of that name.
///
/// # Safety
/// `path` is null or a C string; there is a state, so the page is mapped.
pub unsafe fn is_here(state: &State, path: *const c_char) -> bool {
    let at = i64::from(libc::AT_FDCWD) as u64;
    let args = [at, path as u64, libc::X_OK as u64, 0, 0, 0];
    // SAFETY: passed on to the caller.
    let executable = unsafe { gate::pass(libc::SYS_faccessat, args) }.is_ok();
    // Below a working directory of the pod's, every name is the pod's.
    executable
        && stat(libc::AT_FDCWD, path, 0)
            .is_ok_and(|found| state.table.device() != Some(found.st_dev))
}

fn stat(dirfd: i32, path: *const c_char, flags: i32) -> Result<libc::stat, Errno> {
    // SAFETY: zeros are a valid stat.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let args = [
        i64::from(dirfd) as u64,
        path as u64,
        &raw mut stat as u64,
        flags as u64,
        0,
        0,
    ];
    // SAFETY: the kernel reads a path where it can, and fills the stat; called where there is a
    // state, so the page is mapped.
    unsafe { gate::pass(libc::SYS_newfstatat, args) }.map(|_| stat)
}
