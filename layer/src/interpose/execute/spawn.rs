//! `posix_spawn` and `posix_spawnp`.
//!
//! libc's own does the work, for only it knows what its attributes hold. A program of the pod is
//! given to it by the name of our descriptor in `/proc`: the child needs no copy of it.

use std::ffi::{CStr, c_char, c_int};

use mirrord_filter::{Errno, sys};

use super::{
    DEPTH, List,
    find::{self, Program},
    script::{Interpreter, with_arguments},
    search::candidates,
};
use crate::{next::Next, state};

type Spawn = unsafe extern "C" fn(
    *mut libc::pid_t,
    *const c_char,
    *const libc::posix_spawn_file_actions_t,
    *const libc::posix_spawnattr_t,
    List,
    List,
) -> c_int;

// SAFETY: the types of these functions (posix_spawn(3)).
static SPAWN: Next<Spawn> = unsafe { Next::named(c"posix_spawn") };
// SAFETY: as above.
static SPAWN_BY_PATH: Next<Spawn> = unsafe { Next::named(c"posix_spawnp") };

/// Looks libc's functions up; called by the constructor.
pub fn find() {
    SPAWN.find();
    SPAWN_BY_PATH.find();
}

/// What is passed on as it is.
#[derive(Clone, Copy)]
struct Request {
    pid: *mut libc::pid_t,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    environment: List,
}

impl Request {
    /// # Safety
    /// As posix_spawn(3).
    unsafe fn by(self, spawn: &Next<Spawn>, file: *const c_char, arguments: List) -> c_int {
        let Some(spawn) = spawn.get() else {
            return libc::ENOSYS;
        };
        let (actions, attributes) = (self.actions, self.attributes);
        // SAFETY: passed on to the caller.
        unsafe {
            spawn(
                self.pid,
                file,
                actions,
                attributes,
                arguments,
                self.environment,
            )
        }
    }

    /// A program that was found in the pod.
    ///
    /// # Safety
    /// As posix_spawn(3).
    unsafe fn pods(self, fd: i32, path: &CStr, arguments: List, depth: u32) -> c_int {
        let done = match Interpreter::of(fd) {
            None => {
                let name = Name::of(fd);
                // SAFETY: passed on to the caller.
                unsafe { self.by(&SPAWN, name.0.as_ptr().cast(), arguments) }
            }
            Some(_) if depth == 0 => libc::ELOOP,
            Some(interpreter) => interpreter.command(path, |command| {
                let Some(name) = command.first() else {
                    return libc::ENOEXEC;
                };
                // SAFETY: passed on to the caller; the list is made of his.
                unsafe {
                    with_arguments(command, arguments, |list| {
                        match find::program(name.as_ptr()) {
                            Program::Local => self.by(&SPAWN, name.as_ptr(), list),
                            Program::Pods(fd) => self.pods(fd, name, list, depth - 1),
                            Program::Refused(Errno(errno)) => errno,
                        }
                    })
                }
            }),
        };
        sys::close(fd);
        done
    }
}

/// # Safety
/// As posix_spawn(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawn(
    pid: *mut libc::pid_t,
    path: *const c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    arguments: List,
    environment: List,
) -> c_int {
    let request = Request {
        pid,
        actions,
        attributes,
        environment,
    };
    // SAFETY: passed on to the caller; what was found has a C string for its name.
    unsafe {
        match find::program(path) {
            Program::Pods(fd) => request.pods(fd, CStr::from_ptr(path), arguments, DEPTH),
            // What is refused libc refuses too, and says it as its version does.
            Program::Local | Program::Refused(_) => request.by(&SPAWN, path, arguments),
        }
    }
}

/// # Safety
/// As posix_spawnp(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut libc::pid_t,
    file: *const c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    arguments: List,
    environment: List,
) -> c_int {
    let request = Request {
        pid,
        actions,
        attributes,
        environment,
    };
    let Some(state) = state::get() else {
        // SAFETY: passed on to the caller.
        return unsafe { request.by(&SPAWN_BY_PATH, file, arguments) };
    };
    // The first that there is, is it; when that is this machine's, libc finds it too.
    // SAFETY: passed on to the caller.
    let found = unsafe {
        candidates(file, |path| match find::program(path.as_ptr()) {
            Program::Pods(fd) => Some(Some(request.pods(fd, path, arguments, DEPTH))),
            Program::Local if find::is_here(state, path.as_ptr()) => Some(None),
            Program::Local | Program::Refused(_) => None,
        })
    };
    match found.flatten() {
        Some(done) => done,
        // SAFETY: passed on to the caller.
        None => unsafe { request.by(&SPAWN_BY_PATH, file, arguments) },
    }
}

/// `/proc/PID/fd/N` of a descriptor of ours, as a C string.
struct Name([u8; 40]);

impl Name {
    fn of(fd: i32) -> Name {
        // SAFETY: takes no argument.
        let pid = unsafe { sys::call(libc::SYS_getpid, [0; 6]) }.unwrap_or(0);
        let (mut name, mut len) = (Name([0; 40]), 0);
        name.add(&mut len, b"/proc/");
        name.number(&mut len, pid);
        name.add(&mut len, b"/fd/");
        name.number(&mut len, fd.unsigned_abs().into());
        name
    }

    fn add(&mut self, len: &mut usize, text: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(*len).zip(text) {
            *to = *from;
            *len += 1;
        }
    }

    fn number(&mut self, len: &mut usize, number: u64) {
        if number >= 10 {
            self.number(len, number / 10);
        }
        self.add(len, &[b'0' + (number % 10) as u8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_has_a_name_for_other_processes() {
        let name = Name::of(1027);
        let text = CStr::from_bytes_until_nul(&name.0).unwrap();
        let expected = format!("/proc/{}/fd/1027", std::process::id());
        assert_eq!(text.to_str().unwrap(), expected);
    }
}
