//! `errno`, as libc functions treat it: set on failure, otherwise untouched.

use mirrord_filter::Errno;

/// Turns a result into a C return value.
pub fn give(result: Result<u64, Errno>) -> i64 {
    match result {
        Ok(value) => value as i64,
        Err(Errno(errno)) => {
            // SAFETY: the address of this thread's errno is valid for as long as the thread.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
    }
}

/// The errno of an interposed function that has just failed.
pub fn last() -> Errno {
    // SAFETY: as above.
    Errno(unsafe { *libc::__errno_location() })
}
