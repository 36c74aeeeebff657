//! The few process calls that Rust calls unsafe, each for single-threaded roles only.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// The number of threads of this process; the roles refuse to go on with more than one, since
/// neither fork(2) nor a user namespace is to be had with several.
pub(crate) fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Forks; the child's pid in the parent and `None` in the child.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    let threads = thread_count()?;
    if threads != 1 {
        return Err(io::Error::other(format!(
            "a sandbox role must start with one thread, not {threads}"
        )));
    }
    // SAFETY: there is no other thread that could hold a lock in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Leaves namespaces for new ones.
pub(crate) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES makes this call unsafe, and it is never passed here.
    unsafe { rustix::thread::unshare_unsafe(flags - UnshareFlags::FILES) }
}

/// Runs a step in the child of a [`Command`], between fork and exec.
///
/// The step must only make system calls: the roles that use this have one thread, but the
/// allocator's and the environment's locks are not worth the risk.
pub(crate) fn before_exec(
    command: &mut Command,
    step: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) -> &mut Command {
    // SAFETY: the parent has one thread, so the child finds no lock held by a thread that is gone.
    unsafe { command.pre_exec(step) }
}

/// Sends a signal to every process that may be reached but this one: kill(2) with -1. Only the
/// first process of a pid namespace calls this, for which that is its own namespace.
pub(crate) fn signal_all(signal: rustix::process::Signal) -> rustix::io::Result<()> {
    if !rustix::process::getpid().is_init() {
        return Err(rustix::io::Errno::PERM);
    }
    // SAFETY: kill touches no memory.
    match unsafe { libc::kill(-1, signal.as_raw()) } {
        0 => Ok(()),
        _ => Err(
            rustix::io::Errno::from_io_error(&io::Error::last_os_error())
                .unwrap_or(rustix::io::Errno::IO),
        ),
    }
}

/// Makes a standard stream another name of this descriptor.
pub(crate) fn replace(stream: RawFd, fd: &impl AsRawFd) -> io::Result<()> {
    if !(libc::STDIN_FILENO..=libc::STDERR_FILENO).contains(&stream) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the standard streams belong to nobody in particular; std's handles use whatever is
    // there.
    match unsafe { libc::dup2(fd.as_raw_fd(), stream) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Closes every descriptor but the standard streams.
pub(crate) fn close_inherited() -> io::Result<()> {
    // SAFETY: called first in a role, before anything owns a descriptor above the standard ones.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
