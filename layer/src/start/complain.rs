//! One line to the user, written without libc's streams, which are not ready yet.

use std::ffi::CStr;

use mirrord_filter::{
    environment::{SUPERVISOR, TOKEN, WITHOUT_SESSION},
    hand_over, sys,
};

use super::{Trouble, variable};

/// As shells do for what could not be started.
const NOT_STARTED: u64 = 126;

/// Says what is wrong, and ends the program when it must not run.
pub fn about(trouble: Trouble) {
    let told_to_stop = variable(WITHOUT_SESSION) == Some(c"stop");
    let mut line = Line {
        bytes: [0; 512],
        len: 0,
    };
    let stops = match trouble {
        Trouble::Outside(errno) => {
            line.add("mirrord-layer: this program ");
            line.add(match told_to_stop {
                true => "was not started (MIRRORD_WITHOUT_SESSION=stop): ",
                false => "runs on this machine only: ",
            });
            line.add(hand_over::reason(errno));
            line.add(" (");
            line.add_text(variable(SUPERVISOR).unwrap_or_default());
            line.add(", errno ");
            line.number(errno.0.unsigned_abs());
            line.add("). Start it again from your editor to run it in the pod");
            line.add(match told_to_stop {
                true => "\n",
                false => ", or unset LD_PRELOAD if the session is over\n",
            });
            told_to_stop
        }
        Trouble::Inside(_, errno) if hand_over::ended_meanwhile(errno) => {
            line.add("mirrord-layer: the session ended while this program was starting, ");
            line.add("so it was stopped. Start it again from your editor\n");
            true
        }
        Trouble::Inside(what, errno) => {
            line.add("mirrord-layer: the program was stopped, for it could not ");
            line.add(what);
            line.add(" (errno ");
            line.number(errno.0.unsigned_abs());
            line.add(") and none of its system calls would work. Start it again\n");
            true
        }
        Trouble::Without(what, errno) => {
            line.add("mirrord-layer: could not ");
            line.add(what);
            line.add(" (errno ");
            line.number(errno.0.unsigned_abs());
            line.add(match errno.0 {
                libc::EPERM => ": it runs in another session already); ",
                _ => "); ",
            });
            line.add(match told_to_stop {
                true => "it was not started (MIRRORD_WITHOUT_SESSION=stop)\n",
                false => "it runs without\n",
            });
            told_to_stop
        }
    };
    let args = [2, line.bytes.as_ptr() as u64, line.len as u64, 0, 0, 0];
    // SAFETY: writes bytes of ours.
    let _ = unsafe { sys::call(libc::SYS_write, args) };
    if stops {
        // SAFETY: ends the process before its own code ran.
        let _ = unsafe { sys::call(libc::SYS_exit_group, [NOT_STARTED, 0, 0, 0, 0, 0]) };
    }
    // Its children need not say it again.
    for name in [SUPERVISOR, TOKEN] {
        // SAFETY: constructors run before other threads could read the environment.
        unsafe { libc::unsetenv(name.as_ptr()) };
    }
}

/// Text without allocation; what does not fit is cut.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    fn add(&mut self, text: &str) {
        self.add_bytes(text.as_bytes());
    }

    fn add_text(&mut self, text: &CStr) {
        // Room for the end of the sentence.
        let bytes = text.to_bytes();
        self.add_bytes(bytes.get(..120).unwrap_or(bytes));
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(bytes) {
            *to = *from;
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
