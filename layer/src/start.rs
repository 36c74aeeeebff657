//! The constructor: makes sure that the process is supervised, and prepares the quick way.
//!
//! A process that inherited the filter learns so by asking for the table; only the first one of
//! a tree installs it. A session that is gone leaves its variables behind in shells; then the
//! program runs as if we were not there, and is told once.

use std::ffi::CStr;

use mirrord_filter::{
    Errno,
    control::Request,
    hand_over::{self, Supervisor},
    install::install,
    page, sys,
    table::Table,
};
use mirrord_rules::Rules;

use crate::{
    interpose,
    state::{self, State},
};

/// Path of the supervisor's socket.
const SOCKET: &CStr = c"MIRRORD_SUPERVISOR";
/// Set to `1`: a program that cannot be supervised does not start.
const STRICT: &CStr = c"MIRRORD_STRICT";

/// Priority 101 is the first that is not the C library's own.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    interpose::message::find();
    if let Err((what, errno)) = start() {
        complain(what, errno);
    }
}

fn start() -> Result<(), (&'static str, Errno)> {
    let table = match Request::Table.send() {
        Ok(fd) => fd as i32,
        Err(_) => {
            let Some(socket) = variable(SOCKET) else {
                return Ok(());
            };
            supervise(socket)?
        }
    };
    let mapped = Table::map(table);
    sys::close(table);
    let table = mapped.map_err(|errno| ("read the session's rules", errno))?;
    hand_over::permit(table.keeper());
    // From here on the program is supervised; without rules or page it is only slower.
    let Ok(rules) = Rules::from_bytes(table.rules()) else {
        return Ok(());
    };
    if page::map().is_ok() {
        state::set(State { table, rules });
    }
    Ok(())
}

/// The first process of a tree. Returns the table's descriptor.
fn supervise(socket: &CStr) -> Result<i32, (&'static str, Errno)> {
    let supervisor = Supervisor::connect(socket.to_bytes())
        .map_err(|errno| ("reach the session that its environment names", errno))?;
    supervisor.permit();
    let listener = install().map_err(|errno| ("install the system call filter", errno))?;
    let handed = supervisor.hand_over(listener);
    sys::close(listener);
    handed.map_err(|errno| ("hand its system calls over to the session", errno))?;
    let table = Request::Table.send();
    table
        .map(|fd| fd as i32)
        .map_err(|errno| ("get the session's rules", errno))
}

/// One line, written without libc's streams, which are not ready yet.
fn complain(what: &str, errno: Errno) {
    let strict = variable(STRICT) == Some(c"1");
    let mut line = Line {
        bytes: [0; 256],
        len: 0,
    };
    line.add("mirrord-layer: could not ");
    line.add(what);
    line.add(" (errno ");
    line.number(errno.0.unsigned_abs());
    line.add(match strict {
        true => "); MIRRORD_STRICT=1, so the program is not started\n",
        false => {
            "); the program runs on this machine only. Unset LD_PRELOAD if the session is over\n"
        }
    });
    let args = [2, line.bytes.as_ptr() as u64, line.len as u64, 0, 0, 0];
    // SAFETY: writes bytes of ours.
    let _ = unsafe { sys::call(libc::SYS_write, args) };
    if strict {
        // SAFETY: ends the process before its own code ran.
        let _ = unsafe { sys::call(libc::SYS_exit_group, [1, 0, 0, 0, 0, 0]) };
    }
    // Its children need not say it again.
    // SAFETY: constructors run before other threads could read the environment.
    unsafe { libc::unsetenv(SOCKET.as_ptr()) };
}

fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: constructors run alone; the value stays in the environment.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: getenv gives a string or null.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

/// Text without allocation; what does not fit is cut.
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Line {
    fn add(&mut self, text: &str) {
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(text.bytes()) {
            *to = from;
            self.len += 1;
        }
    }

    fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        let digit = (b'0' + (number % 10) as u8) as char;
        self.add(digit.encode_utf8(&mut [0; 4]));
    }
}
