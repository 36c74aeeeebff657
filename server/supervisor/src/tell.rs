//! Words for the user on stderr. Unlike `eprintln!` this never panics: a terminal that was closed
//! or a pipe whose reader is gone must not keep a session from ending its programs and going.

use std::{fmt, io::Write};

/// Writes one line. Where nobody can read it, it is lost.
pub fn tell(text: fmt::Arguments<'_>) {
    // One write(2), so that lines of several processes do not mix.
    let line = format!("mirrord-server: {text}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
