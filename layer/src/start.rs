//! The constructor: makes sure that the process is supervised, and prepares the quick way.
//!
//! A process that inherited the filter learns so by asking for the table; only the first one of
//! a tree installs it. A program that a debugger or a terminal started has its launch's token, and
//! gets the pod's variables before its own code runs. A session that is gone leaves its variables
//! behind in shells; then the program runs as if we were not there, and is told once.

mod complain;
mod environment;
mod executable;

use std::ffi::CStr;

use mirrord_filter::{
    Errno,
    control::Request,
    environment::{SUPERVISOR, TOKEN, Token},
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

/// Priority 101 is the first that is not the C library's own.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    interpose::message::find();
    interpose::execute::spawn::find();
    if let Err(trouble) = start() {
        complain::about(trouble);
    }
}

/// Why the program is not what it was meant to be.
enum Trouble {
    /// It is not supervised, and can run as if there had been no session.
    Outside(Errno),
    /// It is under a filter that nobody serves: none of its calls would work.
    Inside(&'static str, Errno),
    /// It is supervised, but something is missing.
    Without(&'static str, Errno),
}

fn start() -> Result<(), Trouble> {
    let token = variable(TOKEN).map(|text| Token::from_hex(text.to_bytes()));
    let table = match Request::Table.send() {
        Ok(fd) => fd as i32,
        Err(_) => {
            let Some(socket) = variable(SUPERVISOR) else {
                return Ok(());
            };
            supervise(socket, token.as_ref())?
        }
    };
    // From here on the program is supervised; without rules or page it is only slower.
    let mapped = Table::map(table);
    sys::close(table);
    match mapped {
        Ok(table) => prepare(table),
        Err(errno) => return Err(Trouble::Without("read the session's rules", errno)),
    }
    match token {
        None => Ok(()),
        Some(token) => token
            .ok_or(Errno(libc::EPERM))
            .and_then(|token| environment::change(&token))
            .map_err(|errno| Trouble::Without("get the variables of its launch", errno)),
    }
}

/// The first process of a tree. Returns the table's descriptor.
fn supervise(socket: &CStr, token: Option<&Option<Token>>) -> Result<i32, Trouble> {
    let token = match token {
        None => None,
        Some(Some(token)) => Some(token),
        Some(None) => return Err(Trouble::Outside(Errno(libc::EPERM))),
    };
    let supervisor = Supervisor::connect(socket.to_bytes()).map_err(Trouble::Outside)?;
    // Before the filter is on: it can never be taken off.
    supervisor.ask(token).map_err(Trouble::Outside)?;
    supervisor.permit();
    let listener = install().map_err(Trouble::Outside)?;
    let handed = supervisor.hand_over(listener);
    sys::close(listener);
    handed.map_err(|errno| Trouble::Inside("hand its system calls over to the session", errno))?;
    let table = Request::Table.send();
    table
        .map(|fd| fd as i32)
        .map_err(|errno| Trouble::Inside("get the session's rules", errno))
}

fn prepare(table: Table) {
    hand_over::permit(table.keeper());
    let place = table.place();
    let Some(Ok(rules)) = table.rules(place).map(Rules::from_bytes) else {
        return;
    };
    if page::map().is_ok() {
        state::set(State {
            table,
            place,
            rules,
        });
    }
}

fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: constructors run alone; the value stays in the environment.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: getenv gives a string or null.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}
