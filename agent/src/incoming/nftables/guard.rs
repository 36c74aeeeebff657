//! A process whose only work is to remove the rules when the agent is gone.
//!
//! For kernels before 5.12, which do not remove a table with the socket that made it. The guard
//! waits on a pipe that only the agent holds open and then sends a removal that was written
//! before it was started; it survives the signals that end the agent.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::message::{Batch, Socket};

/// The guard process; dropping it has the rules removed and waits for that.
pub(super) struct Guard {
    alive: Option<OwnedFd>,
    process: Pid,
}

impl Guard {
    /// Starts a guard that will send `removal` through `socket`.
    pub(super) fn start(socket: &Socket, removal: Batch) -> io::Result<Guard> {
        use std::os::fd::AsFd;
        let (removal, _) = removal.finish();
        let (waits, alive) = pipe_with(PipeFlags::CLOEXEC)?;
        let (pipe, netlink) = (waits.as_raw_fd(), socket.as_fd().as_raw_fd());
        // SAFETY: the child only makes async-signal-safe system calls on memory that was
        // prepared before the fork, and leaves by _exit; it never returns into Rust code of
        // this process (fork(2), signal-safety(7)).
        let process = unsafe {
            match libc::fork() {
                0 => wait_and_remove(pipe, netlink, &removal),
                process => process,
            }
        };
        match Pid::from_raw(process) {
            Some(process) if !process.is_init() && process.as_raw_nonzero().get() > 0 => {
                Ok(Guard {
                    alive: Some(alive),
                    process,
                })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Err(error) = waitpid(Some(self.process), WaitOptions::empty()) {
            tracing::warn!("could not wait for the process that removes the rules: {error}");
        }
    }
}

/// The child's whole life.
///
/// # Safety
/// Only in the child of a fork; `removal` must have been allocated before it.
unsafe fn wait_and_remove(pipe: RawFd, netlink: RawFd, removal: &[u8]) -> ! {
    // SAFETY: plain system calls on this process's own descriptors and stack.
    unsafe {
        libc::setsid();
        let mut every: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut every);
        libc::sigprocmask(libc::SIG_BLOCK, &every, std::ptr::null_mut());
        // Keep nothing else of the agent alive: not its end of the pipe, not its connections.
        let limit = match libc::sysconf(libc::_SC_OPEN_MAX) {
            limit @ 1..=1_048_576 => limit as RawFd,
            _ => 65_536,
        };
        for descriptor in 0..limit {
            if descriptor != pipe && descriptor != netlink {
                libc::close(descriptor);
            }
        }
        let mut byte = 0u8;
        while libc::read(pipe, (&raw mut byte).cast(), 1) > 0 {}
        libc::send(netlink, removal.as_ptr().cast(), removal.len(), 0);
        libc::_exit(0)
    }
}
