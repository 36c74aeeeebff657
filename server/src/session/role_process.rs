//! Starting our own roles as child processes.

use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process::Stdio;

use anyhow::{Context, Result};
use mirrord_protocol::codec;
use serde::Serialize;
use tokio::process::{Child, Command};

use crate::roles::{FIRST_FD, Role};

/// A role's process that loads and waits for its options. Dropped without them, it is killed.
pub struct Loading {
    role: Role,
    child: Option<Child>,
    options_write: std::fs::File,
}

/// Starts a role with these descriptors as 3, 4, …; its options follow by [`Loading::give`], so
/// that a process can load while they are found out. It leads a terminal session of its own, so
/// that Ctrl-C ends the program and not what serves it.
pub fn load(role: Role, fds: &[BorrowedFd<'_>]) -> Result<Loading> {
    let what = || format!("could not start the role {}", role.argument());
    let (options_read, options_write) = std::io::pipe().with_context(what)?;
    let mut command = Command::new(std::env::current_exe().with_context(what)?);
    command
        .arg(role.argument())
        .stdin(Stdio::from(OwnedFd::from(options_read)))
        // A start that is given up takes its file server along, which would complain about the
        // agent. The supervisor ends by itself, with the programs that it may have.
        .kill_on_drop(role == Role::FileServer)
        // The program's preload is not for us.
        .env_remove("LD_PRELOAD");
    let numbers: Vec<i32> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    // SAFETY: between fork and exec only async-signal-safe calls (setsid, fcntl, dup2) are made,
    // on memory that was allocated before.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            super::signals::unblock_apart()?;
            arrange(&numbers)
        });
    }
    let child = command.spawn().with_context(what)?;
    let options_write = std::fs::File::from(OwnedFd::from(options_write));
    Ok(Loading {
        role,
        child: Some(child),
        options_write,
    })
}

impl Loading {
    /// Gives the role its options: it begins.
    pub fn give(mut self, options: &impl Serialize) -> Result<Child> {
        let what = || format!("could not start the role {}", self.role.argument());
        self.options_write
            .write_all(&codec::encode(options)?)
            .with_context(what)?;
        self.child.take().with_context(what)
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        // Before the pipe is closed: without options it would complain.
        if let Some(child) = &mut self.child
            && let Err(error) = child.start_kill()
        {
            tracing::debug!("could not kill the role {}: {error}", self.role.argument());
        }
    }
}

/// Bytes in a sealed memory file, for another process to read or map.
pub fn memory_file(name: &str, bytes: &[u8]) -> Result<OwnedFd> {
    let file = empty_memory_file(name)?;
    fill_memory_file(&file, bytes)?;
    Ok(file)
}

/// A memory file whose content comes later, and may grow.
pub fn empty_memory_file(name: &str) -> Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, memfd_create};
    memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .context("could not make a memory file")
}

/// Gives an empty memory file its content and seals it.
fn fill_memory_file(fd: &OwnedFd, bytes: &[u8]) -> Result<()> {
    use rustix::fs::{SealFlags, fcntl_add_seals};
    let mut file = std::fs::File::from(fd.try_clone().context("could not fill a memory file")?);
    file.write_all(bytes)
        .context("could not fill a memory file")?;
    std::io::Seek::rewind(&mut file).context("could not rewind a memory file")?;
    fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )
    .context("could not seal a memory file")
}

/// Puts descriptor `numbers[i]` at `FIRST_FD + i`. Async-signal-safe, for use between fork and
/// exec. First to places above all of them, so that no
/// `dup2` overwrites one that is still needed.
pub fn arrange(numbers: &[i32]) -> std::io::Result<()> {
    let above = FIRST_FD + numbers.len() as i32 + numbers.iter().copied().max().unwrap_or(0);
    for (index, number) in (0..).zip(numbers) {
        // SAFETY: plain descriptor calls on our own numbers; the copies close at exec.
        let copied = unsafe { libc::dup3(*number, above + index, libc::O_CLOEXEC) };
        if copied < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    for index in 0..numbers.len() as i32 {
        // SAFETY: as above; dup2 clears the close-on-exec flag of the copy.
        if unsafe { libc::dup2(above + index, FIRST_FD + index) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
