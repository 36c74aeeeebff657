//! fork(2), for the keeper.

use std::io;

use rustix::process::Pid;

/// Forks; `None` in the child. The process must have one thread only: the child has just the
/// calling one, and locks that others held would never be released.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!(
            "it has {threads} threads, and must have one"
        )));
    }
    // SAFETY: no other thread exists (just counted; only we could start one).
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(Pid::from_raw(pid))
    }
}
