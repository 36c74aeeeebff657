//! The first line of a script, and lists of arguments with something in front (execve(2)).

use std::ffi::{CStr, c_char};

use mirrord_filter::sys;

use super::{List, SHORT};
use crate::memory;

/// What the kernel reads of a file to know what it is.
const LINE: usize = 256;

/// The interpreter that a script names, and what it is given first.
pub struct Interpreter {
    /// Both names, each with a NUL.
    line: [u8; LINE],
    argument: Option<usize>,
    name: usize,
}

impl Interpreter {
    /// Of a script; `None` for any other file.
    pub fn of(fd: i32) -> Option<Interpreter> {
        let mut line = [0; LINE];
        let args = [
            fd as u64,
            line.as_mut_ptr() as u64,
            LINE as u64 - 1,
            0,
            0,
            0,
        ];
        // SAFETY: reads into the array, from the file's start.
        let read = unsafe { sys::call(libc::SYS_pread64, args) }.ok()?;
        Interpreter::parse(line, read as usize)
    }

    fn parse(mut line: [u8; LINE], len: usize) -> Option<Interpreter> {
        let text = line.get(..len)?.strip_prefix(b"#!")?;
        // A name that is cut would be another's.
        let end = match text.iter().position(|byte| *byte == b'\n') {
            Some(end) => end,
            None if len < LINE - 1 => text.len(),
            None => return None,
        };
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let text = text.get(..end)?;
        let start = text.iter().position(|byte| !is_space(byte))?;
        let name_len = text
            .iter()
            .skip(start)
            .position(is_space)
            .unwrap_or(text.len() - start);
        // All after the name is one argument, without the blanks around it.
        let after = start + name_len;
        let argument = text.iter().skip(after).position(|byte| !is_space(byte));
        let last = text.iter().rposition(|byte| !is_space(byte))?;
        for end in [after, last + 1] {
            *line.get_mut(end + 2)? = 0;
        }
        Some(Interpreter {
            line,
            argument: argument.map(|at| at + after + 2),
            name: start + 2,
        })
    }

    /// Gives the interpreter, its argument and the script: what begins the list of arguments.
    pub fn command<T>(&self, script: &CStr, give: impl FnOnce(&[&CStr]) -> T) -> T {
        let at = |at: usize| {
            let text = self.line.get(at..).unwrap_or_default();
            CStr::from_bytes_until_nul(text).unwrap_or_default()
        };
        match self.argument {
            Some(argument) => give(&[at(self.name), at(argument), script]),
            None => give(&[at(self.name), script]),
        }
    }
}

/// Gives a list of `first` and then `arguments` but for the first of these.
///
/// # Safety
/// `arguments` is null or a list of C strings.
pub unsafe fn with_arguments<T>(
    first: &[&CStr],
    arguments: List,
    give: impl FnOnce(List) -> T,
) -> T {
    let mut rest = 0;
    // SAFETY: not behind the end of the list, by the caller's promise.
    unsafe {
        if !arguments.is_null() && !arguments.read().is_null() {
            while !arguments.add(rest + 1).read().is_null() {
                rest += 1;
            }
        }
    }
    let mut short = [std::ptr::null::<c_char>(); SHORT];
    let len = first.len() + rest + 1;
    let long = match len > SHORT {
        true => memory::zeros(len * size_of::<*const c_char>()).ok(),
        false => None,
    };
    let list: &mut [*const c_char] = match &long {
        // SAFETY: page aligned, zeroed, of this length, and ours alone.
        Some(long) => unsafe { std::slice::from_raw_parts_mut(long.as_ptr() as *mut _, len) },
        None => &mut short,
    };
    // What does not fit for want of memory is not there; the last place stays null.
    let count = list.len() - 1;
    let names = first.iter().map(|name| name.as_ptr());
    // SAFETY: `rest` strings follow the first.
    let others = (0..rest).map(|at| unsafe { arguments.add(at + 1).read() });
    for (place, name) in list.iter_mut().take(count).zip(names.chain(others)) {
        *place = name;
    }
    let given = give(list.as_ptr());
    if let Some(long) = long {
        memory::unmap(long);
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &[u8]) -> Option<Vec<String>> {
        let mut line = [0; LINE];
        let len = text.len().min(LINE - 1);
        line[..len].copy_from_slice(&text[..len]);
        let interpreter = Interpreter::parse(line, len)?;
        Some(interpreter.command(c"s", |all| {
            let text = |name: &&CStr| name.to_string_lossy().into_owned();
            all.iter().map(text).collect()
        }))
    }

    #[test]
    fn first_lines_are_read_as_the_kernel_does() {
        let of = |text: &str| command(text.as_bytes()).unwrap().join("|");
        assert_eq!(of("#!/bin/sh\necho"), "/bin/sh|s");
        assert_eq!(of("#!/bin/sh"), "/bin/sh|s");
        assert_eq!(
            of("#! \t/usr/bin/env  node --x \t\nx"),
            "/usr/bin/env|node --x|s"
        );
        assert_eq!(of("#!/bin/sh \n"), "/bin/sh|s");
        for other in [
            &b"\x7fELF"[..],
            b"",
            b"#",
            b"#!",
            b"#! \n/bin/sh",
            b"echo #!/bin/sh",
        ] {
            assert_eq!(command(other), None, "{}", other.escape_ascii());
        }
        assert_eq!(command(&[&b"#!/"[..], &[b'x'; 300]].concat()), None);
    }

    #[test]
    fn lists_keep_all_arguments_but_the_first() {
        for count in [0, 1, 2, 126, 127, 128, 1000] {
            let own: Vec<_> = (0..count).map(|_| c"a".as_ptr()).collect();
            let own = [own, vec![std::ptr::null()]].concat();
            // SAFETY: a list of C strings, and what is given ends with null.
            unsafe {
                with_arguments(&[c"x", c"y"], own.as_ptr(), |list| {
                    let mut len = 0;
                    while !list.add(len).read().is_null() {
                        len += 1;
                    }
                    assert_eq!(len, 2 + own.len().saturating_sub(2));
                    assert_eq!(CStr::from_ptr(list.add(1).read()), c"y");
                });
            }
        }
        // SAFETY: no list.
        unsafe {
            with_arguments(&[c"x"], std::ptr::null(), |list| {
                assert!(list.add(1).read().is_null())
            })
        }
    }
}
