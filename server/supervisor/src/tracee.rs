//! The caller of a notified call, as seen from outside: its memory, its descriptors, its `/proc`.
//!
//! Everything read here may be stale the moment after (the caller can be killed and its id given
//! to another), so the core checks the notification's cookie after a plan was made and before
//! anything is delivered. A `Tracee` is cheap to clone into blocking work.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, OnceLock},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    process::{Pid, PidfdFlags, PidfdGetfdFlags},
};

use crate::{listener::Listener, memory, status::Status};

/// A thread that waits for our answer.
#[derive(Clone)]
pub struct Tracee {
    tid: i32,
    notification: Option<(Arc<Listener>, u64)>,
    facts: Arc<Facts>,
}

/// What was asked of the kernel once and does not change while the call waits.
#[derive(Default)]
struct Facts {
    tgid: OnceLock<i32>,
    pidfd: OnceLock<Arc<OwnedFd>>,
    status: OnceLock<Status>,
}

impl Tracee {
    /// A thread that no notification stands behind, for tests of handlers: a forked child, or
    /// the test itself.
    pub fn of_thread(tid: i32) -> Tracee {
        Tracee {
            tid,
            notification: None,
            facts: Arc::default(),
        }
    }

    pub(crate) fn of_call(
        tid: i32,
        listener: Arc<Listener>,
        id: u64,
        tgid: i32,
        pidfd: Arc<OwnedFd>,
    ) -> Tracee {
        let facts = Facts::default();
        let _ = facts.tgid.set(tgid);
        let _ = facts.pidfd.set(pidfd);
        Tracee {
            tid,
            notification: Some((listener, id)),
            facts: Arc::new(facts),
        }
    }

    /// The calling thread.
    pub fn tid(&self) -> i32 {
        self.tid
    }

    /// The process that the thread belongs to.
    pub fn tgid(&self) -> Result<i32, Errno> {
        if let Some(tgid) = self.facts.tgid.get() {
            return Ok(*tgid);
        }
        let tgid = self.status()?.tgid;
        Ok(*self.facts.tgid.get_or_init(|| tgid))
    }

    /// A pidfd of the process.
    pub fn pidfd(&self) -> Result<Arc<OwnedFd>, Errno> {
        if let Some(fd) = self.facts.pidfd.get() {
            return Ok(fd.clone());
        }
        let pid = Pid::from_raw(self.tgid()?).ok_or(Errno::SRCH)?;
        let fd = Arc::new(rustix::process::pidfd_open(pid, PidfdFlags::empty())?);
        Ok(self.facts.pidfd.get_or_init(|| fd).clone())
    }

    /// False once the caller was killed or its call was interrupted: then what was read may
    /// belong to another process and must not be acted on.
    pub fn still_waits(&self) -> bool {
        self.notification
            .as_ref()
            .is_none_or(|(listener, id)| listener.is_valid(*id))
    }

    /// Reads exactly `buf.len()` bytes of the caller's memory; `EFAULT` when they are not all
    /// there.
    pub fn read(&self, address: u64, buf: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < buf.len() {
            match memory::read_some(
                self.tid,
                address.wrapping_add(done as u64),
                &mut buf[done..],
            )? {
                0 => return Err(Errno::FAULT),
                n => done += n,
            }
        }
        Ok(())
    }

    /// Reads a fixed number of bytes, for structures of the kernel's interface.
    pub fn read_array<const N: usize>(&self, address: u64) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads `len` bytes.
    pub fn read_vec(&self, address: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; len];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads a NUL-terminated string without its NUL. `EFAULT` as the kernel gives it for a bad
    /// pointer, `ENAMETOOLONG` from `PATH_MAX` bytes on (NUL included).
    pub fn read_path(&self, address: u64) -> Result<Vec<u8>, Errno> {
        self.read_cstr(address, libc::PATH_MAX as usize, Errno::NAMETOOLONG)
    }

    /// Reads a NUL-terminated string of less than `limit` bytes, else fails with `too_long`.
    pub fn read_cstr(&self, address: u64, limit: usize, too_long: Errno) -> Result<Vec<u8>, Errno> {
        const PAGE: u64 = 4096;
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            // Never across a page border: the next page may be unmapped. Most paths are short.
            let at = address.wrapping_add(bytes.len() as u64);
            let to_border = (PAGE - at % PAGE) as usize;
            let mut chunk = [0; 256];
            let want = to_border.min(chunk.len()).min(limit - bytes.len());
            let got = memory::read_some(self.tid, at, &mut chunk[..want])?;
            if got == 0 {
                return Err(Errno::FAULT);
            }
            if let Some(end) = chunk[..got].iter().position(|b| *b == 0) {
                bytes.extend_from_slice(&chunk[..end]);
                return Ok(bytes);
            }
            bytes.extend_from_slice(&chunk[..got]);
        }
        Err(too_long)
    }

    /// A duplicate of the caller's descriptor (pidfd_getfd(2)); shares the open file description.
    pub fn dup_fd(&self, fd: i32) -> Result<OwnedFd, Errno> {
        // What rustix takes for an error of ours is the program's.
        if fd < 0 {
            return Err(Errno::BADF);
        }
        let pidfd = self.pidfd()?;
        rustix::process::pidfd_getfd(pidfd.as_fd(), fd, PidfdGetfdFlags::empty())
    }

    /// Whether a descriptor of the caller is closed by `execve(2)`.
    pub fn closes_on_exec(&self, fd: i32) -> Result<bool, Errno> {
        let text = std::fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.tid))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::BADF))?;
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        Ok(flags.ok_or(Errno::BADF)? & libc::O_CLOEXEC as u32 != 0)
    }

    /// What `/proc/TID/status` says, read once for each call.
    pub fn status(&self) -> Result<&Status, Errno> {
        if let Some(status) = self.facts.status.get() {
            return Ok(status);
        }
        let status = Status::read(self.tid)?;
        Ok(self.facts.status.get_or_init(|| status))
    }

    /// The path of the caller's working directory; a directory of the pod shows its path in the
    /// pod.
    pub fn cwd_path(&self) -> Result<Vec<u8>, Errno> {
        self.proc_link("cwd")
    }

    /// The caller's working directory, as an `O_PATH` descriptor.
    pub fn cwd(&self) -> Result<OwnedFd, Errno> {
        self.open_proc("cwd")
    }

    /// The caller's root directory (chroot(2)), as an `O_PATH` descriptor.
    pub fn root(&self) -> Result<OwnedFd, Errno> {
        self.open_proc("root")
    }

    /// The path behind a descriptor, as `/proc/TID/fd/N` shows it.
    pub fn fd_path(&self, fd: i32) -> Result<Vec<u8>, Errno> {
        self.proc_link(&format!("fd/{fd}"))
            .map_err(|errno| match errno {
                Errno::NOENT => Errno::BADF,
                other => other,
            })
    }

    /// `/proc/TID/exe`.
    pub fn exe(&self) -> Result<Vec<u8>, Errno> {
        self.proc_link("exe")
    }

    fn proc_link(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let link = rustix::fs::readlink(format!("/proc/{}/{name}", self.tid), Vec::new())?;
        Ok(link.into_bytes())
    }

    fn open_proc(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        rustix::fs::open(format!("/proc/{}/{name}", self.tid), flags, Mode::empty())
    }
}
