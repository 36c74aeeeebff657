//! Putting the filter on (seccomp(2)).

use crate::{
    program::PROGRAM,
    sys::{self, Errno},
};

// linux/seccomp.h; libc does not name all of them.
const SET_MODE_FILTER: u64 = 1;
const TSYNC: u64 = 1;
const NEW_LISTENER: u64 = 1 << 3;
const TSYNC_ESRCH: u64 = 1 << 4;
const WAIT_KILLABLE_RECV: u64 = 1 << 5;

/// Installs the filter on all threads of this process and returns the listener's descriptor
/// (close-on-exec). `EBUSY`: a listener is inherited already.
///
/// From here on every listed call waits until the listener is served, so the caller hands it
/// over next and makes no listed call before.
pub fn install() -> Result<i32, Errno> {
    match with_fallbacks() {
        // Without CAP_SYS_ADMIN a filter needs `no_new_privs`. It is set only then: with it sudo
        // and other set-user-id programs lose their rights.
        Err(Errno(libc::EACCES)) => {
            let args = [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0, 0];
            // SAFETY: changes only what this process may gain later.
            unsafe { sys::call(libc::SYS_prctl, args) }?;
            with_fallbacks()
        }
        done => done,
    }
}

/// All threads in one step (5.7), signals held back once we have received a call (5.19); less
/// where the kernel has less, or where other threads carry filters of their own.
fn with_fallbacks() -> Result<i32, Errno> {
    let all_threads = TSYNC | TSYNC_ESRCH;
    let mut last = Errno(libc::EINVAL);
    for flags in [
        all_threads | WAIT_KILLABLE_RECV,
        WAIT_KILLABLE_RECV,
        all_threads,
        0,
    ] {
        match set(flags | NEW_LISTENER) {
            Err(errno @ Errno(libc::EINVAL | libc::ESRCH)) => last = errno,
            done => return done,
        }
    }
    Err(last)
}

fn set(flags: u64) -> Result<i32, Errno> {
    let instructions = PROGRAM.instructions();
    let program = libc::sock_fprog {
        len: instructions.len() as u16,
        filter: instructions.as_ptr().cast_mut(),
    };
    let args = [SET_MODE_FILTER, flags, &raw const program as u64, 0, 0, 0];
    // SAFETY: the kernel copies the program during the call.
    unsafe { sys::call(libc::SYS_seccomp, args) }.map(|fd| fd as i32)
}
