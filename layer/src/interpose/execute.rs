//! `execve` and its family, for programs that only the pod has.
//!
//! The kernel executes what it can open by a name of this machine. So a name that leads to the pod
//! is opened, which the supervisor answers with a descriptor of the pod's file, and that is
//! executed; a script by its interpreter, as the kernel would do it. What this machine has is
//! executed here, whatever the rules say of its name.
//!
//! These run between `vfork(2)` and exec too: all memory is on the stack, but for long argument
//! lists. libc's own calls among its functions (`system`) do not come by here.

mod find;
mod one_by_one;
mod script;
mod search;
pub mod spawn;

use std::ffi::{CStr, c_char, c_int};

use mirrord_filter::{Errno, sys};

use self::{
    find::Program,
    script::{Interpreter, with_arguments},
    search::candidates,
};
use crate::{errno::give, gate};

/// A list of C strings that ends with null.
type List = *const *const c_char;

unsafe extern "C" {
    static mut environ: List;
}

/// Lists of so many are built on the stack.
const SHORT: usize = 128;

/// Interpreters that are scripts themselves, as the kernel counts them.
const DEPTH: u32 = 5;

/// # Safety
/// As execve(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execve(path: *const c_char, arguments: List, environment: List) -> c_int {
    // SAFETY: passed on to the caller.
    give(unsafe { execute(path, arguments, environment, DEPTH) }) as c_int
}

/// # Safety
/// As execv(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execv(path: *const c_char, arguments: List) -> c_int {
    // SAFETY: passed on to the caller; the environment as libc itself reads it.
    unsafe { execve(path, arguments, environ) }
}

/// # Safety
/// As execvp(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvp(file: *const c_char, arguments: List) -> c_int {
    // SAFETY: passed on to the caller; the environment as libc itself reads it.
    unsafe { execvpe(file, arguments, environ) }
}

/// # Safety
/// As execvpe(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvpe(file: *const c_char, arguments: List, environment: List) -> c_int {
    let mut refused = false;
    // SAFETY: passed on to the caller.
    let last = unsafe {
        candidates(file, |path| {
            // SAFETY: passed on to the caller; `candidates` gives C strings.
            match execute_or_shell(path, arguments, environment) {
                Errno(libc::EACCES) => refused = true,
                Errno(
                    libc::ENOENT | libc::ESTALE | libc::ENOTDIR | libc::ENODEV | libc::ETIMEDOUT,
                ) => {}
                other => return Some(other),
            }
            None
        })
    };
    let errno = last.unwrap_or(Errno(if refused { libc::EACCES } else { libc::ENOENT }));
    give(Err(errno)) as c_int
}

/// A file that is no program is a script of the shell's (execvp(3)).
///
/// # Safety
/// As execve(2).
unsafe fn execute_or_shell(path: &CStr, arguments: List, environment: List) -> Errno {
    const SHELL: &CStr = c"/bin/sh";
    // SAFETY: passed on to the caller; the list is made of his.
    unsafe {
        let failed = |done: Result<u64, Errno>| done.err().unwrap_or(Errno(libc::ENOEXEC));
        match failed(execute(path.as_ptr(), arguments, environment, DEPTH)) {
            Errno(libc::ENOEXEC) => with_arguments(&[SHELL, path], arguments, |list| {
                failed(execute(SHELL.as_ptr(), list, environment, DEPTH))
            }),
            errno => errno,
        }
    }
}

/// Comes back with an error only.
///
/// # Safety
/// As execve(2).
unsafe fn execute(
    path: *const c_char,
    arguments: List,
    environment: List,
    depth: u32,
) -> Result<u64, Errno> {
    // SAFETY: passed on to the caller.
    let fd = match unsafe { find::program(path) } {
        Program::Local => {
            let args = [path as u64, arguments as u64, environment as u64, 0, 0, 0];
            // SAFETY: passed on to the caller.
            return unsafe { gate::plain(libc::SYS_execve, args) };
        }
        Program::Refused(errno) => return Err(errno),
        Program::Pods(fd) => fd,
    };
    // SAFETY: the path is a C string, since it was found.
    let path = unsafe { CStr::from_ptr(path) };
    let failed = match Interpreter::of(fd) {
        None => {
            let (empty, flags) = (c"".as_ptr() as u64, libc::AT_EMPTY_PATH as u64);
            let (arguments, environment) = (arguments as u64, environment as u64);
            let args = [fd as u64, empty, arguments, environment, flags, 0];
            // SAFETY: passed on to the caller.
            unsafe { gate::plain(libc::SYS_execveat, args) }
        }
        Some(_) if depth == 0 => Err(Errno(libc::ELOOP)),
        Some(interpreter) => interpreter.command(path, |command| {
            let Some(name) = command.first() else {
                return Err(Errno(libc::ENOEXEC));
            };
            // SAFETY: passed on to the caller; the list is made of his.
            unsafe {
                with_arguments(command, arguments, |list| {
                    execute(name.as_ptr(), list, environment, depth - 1)
                })
            }
        }),
    };
    sys::close(fd);
    failed
}
