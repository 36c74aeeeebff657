//! Signals read from a descriptor instead of handlers (signalfd(2)), for the two roles that have
//! to wait for children.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Blocks these signals for this thread and gives a descriptor to read them from.
pub(crate) fn take(signals: &[libc::c_int]) -> io::Result<OwnedFd> {
    let set = set_of(signals);
    // SAFETY: `set` is an initialised signal set; the old mask is not asked for.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `set` is an initialised signal set, and -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets all signals through again; async-signal-safe, for a child before it execs.
pub(crate) fn unblock_all() -> io::Result<()> {
    let set = set_of(&[]);
    // SAFETY: `set` is an initialised signal set; the old mask is not asked for.
    match unsafe { libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    // SAFETY: sigset_t is plain data for which zero bytes are valid; the calls only write to it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for &signal in signals {
            libc::sigaddset(&mut set, signal);
        }
        set
    }
}

/// A signal that came.
pub(crate) struct Arrived {
    pub number: libc::c_int,
    /// Whether a process sent it, rather than the kernel (a terminal's Ctrl-C, a child's end).
    pub by_process: bool,
}

/// Reads one signal; blocks until there is one.
pub(crate) fn next(fd: &OwnedFd) -> io::Result<Arrived> {
    let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let length = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut bytes[..]))?;
    if length != bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // SAFETY: the kernel filled the whole structure, which is plain data; it may be unaligned.
    let info = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast::<libc::signalfd_siginfo>()) };
    let number = libc::c_int::try_from(info.ssi_signo).map_err(io::Error::other)?;
    Ok(Arrived {
        number,
        by_process: info.ssi_code <= 0,
    })
}

/// Ends this process by a signal, so that its parent sees that very end.
pub(crate) fn end_by(signal: libc::c_int) -> ! {
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    let _ = unblock_all();
    // SAFETY: restoring a default action and signalling ourselves touch no memory.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    std::process::exit(128 + signal)
}
