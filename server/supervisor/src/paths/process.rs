//! Calls about the process itself: `chdir`, `getcwd`, `execve` and `uname`.

use mirrord_files::{Walked, Want, allow};

use super::{
    Shared,
    decide::Target,
    job::Job,
    sys::{self, Errno},
};
use crate::{
    call::{Call, Cancelled, Outcome, Plan, Value},
    tracee::Tracee,
};

impl Job {
    /// `chdir` into the pod for a program that cannot be helped to really go there.
    pub(crate) fn change_directory(&self, walked: &Walked) -> Outcome {
        let found = match &walked.found {
            Ok(found) => found,
            Err(errno) => return Outcome::errno(*errno),
        };
        if found.kind() != libc::S_IFDIR {
            return Outcome::errno(libc::ENOTDIR);
        }
        if found.allowed & allow::EXECUTE == 0 {
            return Outcome::errno(libc::EACCES);
        }
        self.shared.directories.set(self.tgid, found.path.clone());
        Outcome::number(0)
    }

    /// `chdir("../..")` out of the pod: the kernel cannot find the way from there.
    pub(crate) fn change_local_directory(&self, path: &[u8]) -> Outcome {
        match self.shared.enter(path) {
            Ok(()) => {
                self.shared.directories.set(self.tgid, path.to_vec());
                Outcome::number(0)
            }
            Err(errno) => Outcome::errno(errno),
        }
    }

    /// The kernel can only execute what it can open by a name of this machine: a program that is
    /// here runs, whatever the rules say of its name.
    pub(crate) fn execute(&self, cancelled: &Cancelled) -> Errno<Outcome> {
        let path = String::from_utf8_lossy(self.path()?).into_owned();
        if let Target::Local(_) = self.target {
            self.shared.notice(format!(
                "{path} on this machine cannot be executed by the name that the program used for \
                 it; give its absolute path"
            ));
            return Err(libc::EACCES);
        }
        let here = self.path()?;
        if rustix::fs::access(here, rustix::fs::Access::EXEC_OK).is_ok() {
            self.shared.programs.executes(self.tgid, here);
            return Ok(Outcome {
                value: Value::Continue,
                ..Outcome::default()
            });
        }
        let walked = self.walk(cancelled, Want::Attr)?;
        walked.found.as_ref().map_err(|errno| *errno)?;
        self.shared.notice(format!(
            "{path} is a program in the pod, which a program without the layer (a statically \
             linked one) cannot execute: start it by a shell, or install it on this machine"
        ));
        Err(libc::EACCES)
    }
}

impl Shared {
    /// `getcwd(2)`: only when the working directory is the pod's. A detached mount is not
    /// reachable from the caller's root, so the kernel would say "(unreachable)".
    pub(crate) fn getcwd(&self, call: &Call, tracee: &Tracee) -> Plan {
        let kept = match self.pods_cwd(tracee) {
            // The layer went there for real: what we kept before it did is no longer needed.
            Some(real) => {
                if let Ok(tgid) = tracee.tgid() {
                    self.directories.clear(tgid);
                }
                Some(real)
            }
            None => self.directories.of(tracee),
        };
        let Some(mut path) = kept else {
            return Plan::Continue;
        };
        if path.ends_with(b" (deleted)") {
            return Plan::Done(Outcome::errno(libc::ENOENT));
        }
        path.push(0);
        let [buffer, size, ..] = call.args;
        if path.len() as u64 > size {
            return Plan::Done(Outcome::errno(libc::ERANGE));
        }
        Plan::Done(Outcome::number(path.len() as i64).write(buffer, path))
    }

    /// Whether the caller could change into a local folder; so far as we have its rights.
    pub(crate) fn enter(&self, path: &[u8]) -> Errno<()> {
        use rustix::fs::{Access, Mode, OFlags};
        let errno = |e: rustix::io::Errno| e.raw_os_error();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(errno)?;
        rustix::fs::access(super::tree::magic_path(&folder), Access::EXEC_OK).map_err(errno)
    }
}

/// `uname(2)` with the pod's host name.
pub(crate) fn uname(call: &Call, hostname: &[u8]) -> Plan {
    let Ok(mut names) = sys::uname_bytes() else {
        return Plan::Continue;
    };
    let field = &mut names[sys::UTSNAME_FIELD..2 * sys::UTSNAME_FIELD];
    field.fill(0);
    let len = hostname.len().min(field.len() - 1);
    field[..len].copy_from_slice(&hostname[..len]);
    Plan::Done(Outcome::number(0).write(call.args[0], names))
}
