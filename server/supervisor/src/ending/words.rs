//! A program that others launched has a terminal of its own, which our words do not reach: they
//! are written there too, or its user would see it end without a reason.

use std::{
    collections::HashSet,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::fstat,
    process::{PidfdGetfdFlags, pidfd_getfd},
};

use crate::answering::Core;

/// Writes one line to the standard error of every supervised process that has another than ours,
/// to each file once.
pub fn tell_programs(core: &Core, text: &str) {
    let identity = |fd: &OwnedFd| fstat(fd).map(|found| (found.st_dev, found.st_ino)).ok();
    // Ours, where the line is already.
    let ours = io::stderr().as_fd().try_clone_to_owned().ok();
    let mut told: HashSet<_> = ours.as_ref().and_then(identity).into_iter().collect();
    for process in core.processes.all() {
        let stderr = pidfd_getfd(&*process, libc::STDERR_FILENO, PidfdGetfdFlags::empty());
        let Ok(stderr) = stderr else { continue };
        if identity(&stderr).is_some_and(|identity| told.insert(identity)) {
            let line = format!("mirrord-server: {text}\n");
            if let Err(error) = write_if_ready(&stderr, line.as_bytes()) {
                tracing::debug!(%error, "a program could not be told why it ends");
            }
        }
    }
}

/// A pipe that nobody reads must not hold up the end.
fn write_if_ready(fd: &OwnedFd, line: &[u8]) -> io::Result<()> {
    let mut fds = [PollFd::new(fd, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // Ready for writing means that a short line fits (pipe(7): PIPE_BUF).
    if poll(&mut fds, Some(&now))? > 0 && fds[0].revents().contains(PollFlags::OUT) {
        rustix::io::write(fd, line)?;
    }
    Ok(())
}
