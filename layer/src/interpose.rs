//! libc's functions, interposed. Each is a few lines: the same system call as libc's own, sent
//! on the way that [`crate::route`] says. Where libc has several names for one function (large
//! files, fortified, versioned), all are here.
//!
//! Cancellation points (pthreads(7)) are lost for calls that pass: a local `open` that blocks,
//! of a FIFO, is not cancelled by `pthread_cancel`.

mod access;
mod directory;
pub mod execute;
mod link;
pub mod message;
mod open;
mod own_open;
mod stat;
mod syscall;

use std::ffi::c_char;

use mirrord_filter::Errno;
use mirrord_rules::Access;

use crate::{gate, route, route::Route, state};

/// `struct open_how` of openat2(2).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// A call with a path as its second argument, after the directory.
struct PathCall {
    nr: i64,
    dirfd: i32,
    path: *const c_char,
    /// The arguments after the path.
    rest: [u64; 4],
    access: Access,
}

impl PathCall {
    /// Makes the call on the right way. `without_links` makes it through the page so that it
    /// fails with ELOOP if a link is on the way.
    ///
    /// # Safety
    /// As the call itself.
    unsafe fn make(
        &self,
        without_links: impl FnOnce(&Self) -> Result<u64, Errno>,
    ) -> Result<u64, Errno> {
        let [a, b, c, d] = self.rest;
        let args = [self.dirfd as u64, self.path as u64, a, b, c, d];
        let Some(state) = state::get() else {
            // SAFETY: passed on to the caller.
            return unsafe { gate::plain(self.nr, args) };
        };
        // SAFETY: the path is a C string or null by the caller's promise.
        match unsafe { route::of(state, self.dirfd, self.path, self.access) } {
            // SAFETY: passed on to the caller; there is a state, so the page is mapped.
            Route::Pass => unsafe { gate::pass(self.nr, args) },
            Route::PassWithoutLinks => match without_links(self) {
                // A link, or flags that openat2 refuses and the plain call does not (EINVAL), or
                // a kernel or container without openat2, or no descriptor left for it.
                Err(Errno(
                    libc::ELOOP
                    | libc::EINVAL
                    | libc::ENOSYS
                    | libc::EPERM
                    | libc::E2BIG
                    | libc::EAGAIN
                    | libc::EMFILE
                    | libc::ENFILE,
                )) => {
                    // SAFETY: passed on to the caller.
                    unsafe { gate::plain(self.nr, args) }
                }
                done => done,
            },
            Route::AskRemoteByName if own_open::is_possible(state, self) => {
                // SAFETY: passed on to the caller; the path is absolute.
                again_when_interrupted(|| unsafe { own_open::ask(state, self, args) })
            }
            Route::AskRemote | Route::AskRemoteByName => {
                // SAFETY: passed on to the caller.
                again_when_interrupted(|| unsafe { gate::plain(self.nr, args) })
            }
            // SAFETY: passed on to the caller.
            Route::Ask => unsafe { gate::plain(self.nr, args) },
        }
    }
}

/// A signal that comes between the call and its receipt ends it with EINTR although no path call
/// can (open(2) on a FIFO apart): the supervisor finds the work again.
fn again_when_interrupted(call: impl Fn() -> Result<u64, Errno>) -> Result<u64, Errno> {
    loop {
        match call() {
            Err(Errno(libc::EINTR)) => {}
            done => return done,
        }
    }
}

/// openat2(2) through the page, refusing links.
///
/// # Safety
/// `path` is a C string; the page is mapped.
unsafe fn open_without_links(
    dirfd: i32,
    path: *const c_char,
    flags: i32,
    mode: u32,
) -> Result<u64, Errno> {
    const RESOLVE_NO_SYMLINKS: u64 = 0x04;
    let creates = flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE;
    let how = OpenHow {
        flags: u64::from(flags as u32),
        mode: if creates { u64::from(mode & 0o7777) } else { 0 },
        resolve: RESOLVE_NO_SYMLINKS,
    };
    let size = size_of::<OpenHow>() as u64;
    let args = [dirfd as u64, path as u64, &raw const how as u64, size, 0, 0];
    // SAFETY: passed on to the caller; `how` lives through the call.
    unsafe { gate::pass(libc::SYS_openat2, args) }
}

/// Opens the name itself without links, and does the rest on the descriptor.
///
/// # Safety
/// As [`open_without_links`].
unsafe fn on_descriptor(
    dirfd: i32,
    path: *const c_char,
    follow: bool,
    call: impl FnOnce(u64) -> Result<u64, Errno>,
) -> Result<u64, Errno> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
    // SAFETY: passed on to the caller.
    let fd = unsafe { open_without_links(dirfd, path, flags, 0) }?;
    let done = call(fd);
    mirrord_filter::sys::close(fd as i32);
    done
}
