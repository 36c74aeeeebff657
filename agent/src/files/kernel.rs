//! The few system calls that no safe wrapper gives as they are needed here: ids of one *thread*
//! (libc's wrappers change all threads of the process; nptl(7)) and `access` on an `O_PATH`
//! descriptor.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use rustix::{io::Errno, thread::UnshareFlags};

/// `setfsuid(2)` for this thread; the call itself never fails, so it is asked again.
pub(crate) fn set_fs_uid(uid: u32) -> io::Result<()> {
    set_and_ask(libc::SYS_setfsuid, uid)
}

/// `setfsgid(2)` for this thread.
pub(super) fn set_fs_gid(gid: u32) -> io::Result<()> {
    set_and_ask(libc::SYS_setfsgid, gid)
}

fn set_and_ask(call: libc::c_long, id: u32) -> io::Result<()> {
    // SAFETY: setfsuid and setfsgid take one number and touch no memory; -1 changes nothing and
    // returns the present id (setfsuid(2), NOTES).
    let now = unsafe {
        libc::syscall(call, id);
        libc::syscall(call, u32::MAX)
    };
    if now as u32 == id {
        Ok(())
    } else {
        Err(Errno::PERM.into())
    }
}

/// `faccessat2(fd, "", mask, AT_EMPTY_PATH | AT_EACCESS)` (Linux 5.8).
pub(super) fn access(fd: BorrowedFd<'_>, mask: u32) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the path is a constant string, the descriptor is open; nothing is written.
    let result = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            fd.as_raw_fd(),
            c"".as_ptr(),
            mask,
            flags,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Gives this thread a umask and working directory of its own (`CLONE_FS`), with umask 0.
pub(super) fn own_umask() -> Result<(), Errno> {
    // SAFETY: CLONE_FS separates only umask, root and working directory, and no other thread can
    // rely on sharing those with a thread that has just begun.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS)? };
    rustix::process::umask(rustix::fs::Mode::empty());
    Ok(())
}
