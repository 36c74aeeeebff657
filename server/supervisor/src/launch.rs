//! The launcher: puts the filter on itself, gives the listener away, and becomes the program.
//!
//! It needs nothing of the program, so it works for static and stripped ones. It stays the same
//! process, so a debugger or a shell that started it sees one exec more and nothing else.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::Path,
    process::Command,
};

use mirrord_filter::{Errno, control, hand_over::Supervisor, install::install, sys};

/// As shells do.
const NOT_FOUND: i32 = 127;
const NOT_STARTED: i32 = 126;

/// Becomes `command` (name and arguments, looked for in `PATH` as execvp(3) does) under the
/// supervisor that listens on `socket`. Does not return; on failure says why in one line and
/// exits with 127 (not found) or 126.
pub fn launch(socket: &Path, command: &[OsString], environment: &[(OsString, OsString)]) -> ! {
    let Some((name, arguments)) = command.split_first() else {
        fail(NOT_STARTED, "no command was given; write it after `--`");
    };
    if let Err((what, errno)) = supervise(socket) {
        let error = io::Error::from_raw_os_error(errno.0);
        fail(
            NOT_STARTED,
            &format!("could not {what} ({}): {error}", socket.display()),
        );
    }
    let variables = environment.iter().map(|(name, value)| (name, value));
    let error = Command::new(name)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .exec();
    let code = if error.kind() == io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        NOT_STARTED
    };
    fail(
        code,
        &format!("could not start {}: {error}", name.display()),
    )
}

/// Under a supervisor already (a program of the session started the launcher): nothing to do.
fn supervise(socket: &Path) -> Result<(), (&'static str, Errno)> {
    if control::is_supervised() {
        return Ok(());
    }
    let path: &OsStr = socket.as_os_str();
    let supervisor =
        Supervisor::connect(path.as_bytes()).map_err(|e| ("reach the session's supervisor", e))?;
    supervisor.permit();
    let listener = install().map_err(|errno| match errno.0 {
        libc::EBUSY => (
            "install the system call filter beside another supervisor's",
            errno,
        ),
        _ => (
            "install the system call filter; does this kernel have CONFIG_SECCOMP_FILTER?",
            errno,
        ),
    })?;
    let handed = supervisor.hand_over(listener);
    sys::close(listener);
    handed.map_err(|errno| ("hand the listener over to the session's supervisor", errno))
}

fn fail(code: i32, text: &str) -> ! {
    crate::tell(format_args!("{text}"));
    std::process::exit(code)
}
