//! Opening a file of the pod in this process, when the supervisor says where
//! ([`mirrord_filter::own_open`]).

use mirrord_filter::own_open::{Door, WILLING};
use mirrord_filter::{Errno, sys};

use super::PathCall;
use crate::path::{self, Joined, LONGEST};
use crate::{gate, route, state::State};

/// An open that changes nothing, by the one name that leads there.
pub fn is_possible(state: &State, call: &PathCall) -> bool {
    const HARMLESS: i32 = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOFOLLOW;
    call.nr == libc::SYS_openat
        && call.rest[0] as i32 & !HARMLESS == 0
        && state.table.device().is_some()
}

/// Makes the call with the word that it may be left to us.
///
/// # Safety
/// As the call itself, whose path is absolute and plain.
pub unsafe fn ask(state: &State, call: &PathCall, mut args: [u64; 6]) -> Result<u64, Errno> {
    let [first, second] = WILLING;
    args[4] = first;
    args[5] = second;
    // SAFETY: passed on to the caller.
    let answer = unsafe { gate::plain(call.nr, args) }?;
    let Some(door) = Door::from_answer(answer) else {
        return Ok(answer);
    };
    // SAFETY: as above.
    if let Some(fd) = unsafe { open_behind(door, state, call) } {
        return Ok(fd);
    }
    // The file is gone, the supervisor too, or `/proc` is another one's: it shall say what is so.
    args[4] = 0;
    args[5] = 0;
    // SAFETY: as above.
    unsafe { gate::plain(call.nr, args) }
}

unsafe fn open_behind(door: Door, state: &State, call: &PathCall) -> Option<u64> {
    // SAFETY: a C string by the caller's promise.
    let name = unsafe { path::bytes(call.path) }?;
    let joined = Joined::new(|bytes| write_door(door, bytes), name.strip_prefix(b"/")?)?;
    let here = libc::AT_FDCWD as u64;
    let args = [here, joined.get_c()? as u64, call.rest[0], 0, 0, 0];
    // SAFETY: the path is a C string; a state exists, so the page is mapped.
    let fd = unsafe { gate::pass(libc::SYS_openat, args) }.ok()?;
    // In another pid namespace the number may be anybody's.
    if route::device_of(fd as i32) == state.table.device() {
        return Some(fd);
    }
    sys::close(fd as i32);
    None
}

/// `/proc/PID/fd/ROOT`, with a slash to come.
fn write_door(door: Door, bytes: &mut [u8; LONGEST]) -> Option<usize> {
    let put = |bytes: &mut [u8; LONGEST], at: usize, text: &[u8]| {
        bytes.get_mut(at..at + text.len())?.copy_from_slice(text);
        Some(at + text.len())
    };
    let at = put(bytes, 0, b"/proc/")?;
    let at = path::write_number(bytes, at, door.pid)?;
    let at = put(bytes, at, b"/fd/")?;
    path::write_number(bytes, at, door.root)
}
