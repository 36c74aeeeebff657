//! Which way a call goes.
//!
//! The answers "pass" must be right, the answer "ask" may be given at any time: the supervisor
//! does the whole job. So everything odd is asked about.

use std::ffi::c_char;

use mirrord_rules::{Access, PathPlace, is_plain};

use crate::{
    gate,
    path::{self, Joined, LONGEST},
    state::State,
};

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Surely local: through the page.
    Pass,
    /// Local by its name, if no symbolic link on the way leads elsewhere: through the page with
    /// a call that refuses links.
    PassWithoutLinks,
    /// Ask the supervisor; it is the pod's by its name, and no such call may end with EINTR.
    AskRemote,
    /// As before, and the name is absolute and the one that it has in the pod.
    AskRemoteByName,
    /// Ask the supervisor.
    Ask,
}

/// Decides about a name below a directory descriptor.
///
/// # Safety
/// `name` is null or a C string.
pub unsafe fn of(state: &'static State, dirfd: i32, name: *const c_char, access: Access) -> Route {
    // SAFETY: the caller's promise.
    let Some(name) = (unsafe { path::bytes(name) }) else {
        return Route::Ask;
    };
    let route = match name.first() {
        None => Route::Ask,
        Some(b'/') => of_absolute(state, path::without_trailing_slashes(name), access),
        Some(_) => of_relative(state, dirfd, name, access),
    };
    match route {
        Route::Pass | Route::PassWithoutLinks if state.table.report_all() => Route::Ask,
        route => route,
    }
}

fn of_absolute(state: &'static State, name: &[u8], access: Access) -> Route {
    if !is_plain(name) {
        return Route::Ask;
    }
    let Some(rules) = state.rules() else {
        return Route::Ask;
    };
    match rules.path(name, access).place {
        PathPlace::LocalTrusted => Route::Pass,
        PathPlace::Local => Route::PassWithoutLinks,
        PathPlace::Remote { .. } => Route::AskRemoteByName,
        PathPlace::Mapped => Route::AskRemote,
        PathPlace::NotFound => Route::Ask,
    }
}

/// Below the working directory of this machine every name is local; below another directory's
/// descriptor the rules decide about the whole path. On the pod's mount all is asked.
fn of_relative(state: &'static State, dirfd: i32, name: &[u8], access: Access) -> Route {
    if !path::only_descends(name) {
        return Route::Ask;
    }
    if let Some(device) = state.table.device() {
        match device_of(dirfd) {
            Some(other) if other != device => {}
            Some(_) => return Route::AskRemote,
            None => return Route::Ask,
        }
    }
    if dirfd == libc::AT_FDCWD {
        return Route::PassWithoutLinks;
    }
    let joined = Joined::new(|bytes| path_of(dirfd, bytes), name);
    let Some(joined) = joined else {
        return Route::Ask;
    };
    match of_absolute(state, path::without_trailing_slashes(joined.get()), access) {
        // The name of the folder may have changed since; the descriptor has not.
        Route::Pass => Route::PassWithoutLinks,
        Route::AskRemoteByName => Route::AskRemote,
        route => route,
    }
}

/// `st_dev` of what a descriptor names.
pub fn device_of(dirfd: i32) -> Option<u64> {
    // SAFETY: zeros are a valid stat.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let empty = c"".as_ptr() as u64;
    let flags = libc::AT_EMPTY_PATH as u64;
    let args = [dirfd as u64, empty, &raw mut stat as u64, flags, 0, 0];
    // SAFETY: the kernel fills the stat; a state exists, so the page is mapped.
    unsafe { gate::pass(libc::SYS_newfstatat, args) }.ok()?;
    Some(stat.st_dev)
}

/// The path behind a descriptor, as the kernel shows it.
fn path_of(fd: i32, bytes: &mut [u8; LONGEST]) -> Option<usize> {
    let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0";
    path::write_number(&mut link, 14, u32::try_from(fd).ok()?)?;
    let cwd = i64::from(libc::AT_FDCWD) as u64;
    let args = [
        cwd,
        link.as_ptr() as u64,
        bytes.as_mut_ptr() as u64,
        LONGEST as u64,
        0,
        0,
    ];
    // SAFETY: a C string, and a buffer of that size; a state exists, so the page is mapped.
    let len = unsafe { gate::pass(libc::SYS_readlinkat, args) }.ok()? as usize;
    let path = bytes.get(..len)?;
    (path.first() == Some(&b'/') && !path.ends_with(b" (deleted)")).then_some(len)
}
