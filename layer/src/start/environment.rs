//! The pod's variables, given to the program before its own code runs.
//!
//! The C library's list is replaced: `main` gets it as its third argument, `getenv(3)` and what
//! the program starts read it. Programs that read their stack instead are executed once more, with
//! the same arguments; the second time the token is gone and the filter is on, so there is no
//! third. A loader's own variables (`LD_LIBRARY_PATH`) act on what the program starts.

use std::ffi::{CStr, c_char};

use mirrord_filter::{
    Errno, control,
    environment::{Changes, Token},
    sys,
};

use super::executable;
use crate::{gate, memory, state};

unsafe extern "C" {
    // One variable by two names; a program's copy of it may have either.
    static mut environ: *const *const c_char;
    static mut __environ: *const *const c_char;
}

/// No list of arguments is longer than the kernel takes (`_STK_LIM / 4 * 3`).
const ARGUMENTS: usize = 6 << 20;

const OWN_FILE: &CStr = c"/proc/self/exe";

/// Asks for the launch's changes and makes them.
pub fn change(token: &Token) -> Result<(), Errno> {
    let block: &[u8] = memory::map_and_close(control::environment(token)?)?;
    let changes = Changes::new(block);
    // SAFETY: the C library's list, while nobody else runs.
    let own = Entries(unsafe { environ });
    let mut count = 1;
    changes.apply(own, |_| count += 1);
    let list = memory::zeros(count * size_of::<*const c_char>())?;
    // SAFETY: page aligned, zeroed, of this length, and ours alone.
    let list: &'static mut [*const c_char] =
        unsafe { std::slice::from_raw_parts_mut(list.as_mut_ptr().cast(), count) };
    let mut places = list.iter_mut();
    // Each entry is followed by a NUL: the program's own are C strings, ours are records.
    changes.apply(own, |entry| {
        if let Some(place) = places.next() {
            *place = entry.as_ptr().cast();
        }
    });
    let list = list.as_ptr();
    // Only when that fails it comes back, and the C library's list is better than nothing.
    let failed = if reads_its_stack() {
        Err(execute_again(list))
    } else {
        Ok(())
    };
    // SAFETY: constructors run alone; the list ends with null and stays for ever, as what it
    // points to does.
    unsafe {
        environ = list;
        __environ = list;
    }
    failed
}

/// The entries of a list that ends with null.
#[derive(Clone, Copy)]
struct Entries(*const *const c_char);

impl Iterator for Entries {
    type Item = &'static [u8];

    fn next(&mut self) -> Option<&'static [u8]> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not behind the end of the C library's list, whose strings stay.
        let entry = unsafe { self.0.read() };
        if entry.is_null() {
            return None;
        }
        // SAFETY: as above.
        unsafe {
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(entry).to_bytes())
        }
    }
}

fn reads_its_stack() -> bool {
    let file = open(OWN_FILE).and_then(memory::map_and_close);
    let Ok(file) = file else {
        return false;
    };
    let found = executable::reads_its_stack(file);
    memory::unmap(file);
    found
}

/// Executes this program with its own arguments and the new environment. Returns the errno.
fn execute_again(list: *const *const c_char) -> Errno {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(errno) => return errno,
    };
    // By the name that it was started with, so that it is called the same in `ps`.
    for name in own_name().into_iter().chain([OWN_FILE]) {
        let args = [name.as_ptr() as u64, arguments as u64, list as u64, 0, 0, 0];
        // SAFETY: C strings and lists that end with null.
        if let Err(errno) = unsafe { gate::plain(libc::SYS_execve, args) }
            && name == OWN_FILE
        {
            return errno;
        }
    }
    Errno(libc::ENOENT)
}

/// The list of arguments, from the kernel: the constructor of not every C library gets it.
fn arguments() -> Result<*const *const c_char, Errno> {
    let fd = open(c"/proc/self/cmdline")?;
    let text = memory::zeros(ARGUMENTS)?;
    let mut len = 0;
    while let Some(rest) = text.get_mut(len..).filter(|rest| rest.len() > 1) {
        let args = [
            fd as u64,
            rest.as_mut_ptr() as u64,
            rest.len() as u64 - 1,
            0,
            0,
            0,
        ];
        // SAFETY: reads into memory of ours.
        match unsafe { sys::call(libc::SYS_read, args) } {
            Ok(0) => break,
            Ok(read) => len += read as usize,
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => {
                sys::close(fd);
                return Err(errno);
            }
        }
    }
    sys::close(fd);
    let text: &'static [u8] = text.get(..len).unwrap_or_default();
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let count = text.split(|byte| *byte == 0).count();
    let list = memory::zeros((count + 1) * size_of::<*const c_char>())?;
    let list: *mut *const c_char = list.as_mut_ptr().cast();
    for (at, argument) in text.split(|byte| *byte == 0).enumerate() {
        // SAFETY: page aligned and longer than `count`, by one null; each argument is followed by
        // a NUL, the last one by the one that was stripped or by the zeros behind the text.
        unsafe { list.add(at).write(argument.as_ptr().cast()) };
    }
    Ok(list.cast_const())
}

/// The name by which the kernel found the program, if that is still the same file: of a script it
/// is the script's.
fn own_name() -> Option<&'static CStr> {
    state::get()?;
    // SAFETY: gives a value of the process's start.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    if name.is_null() {
        return None;
    }
    // SAFETY: the kernel put a string there (getauxval(3)).
    let name = unsafe { CStr::from_ptr(name) };
    (identity(name)? == identity(OWN_FILE)?).then_some(name)
}

/// Device and inode of a file of this machine.
fn identity(name: &CStr) -> Option<(u64, u64)> {
    // SAFETY: zeros are a valid stat.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let at = i64::from(libc::AT_FDCWD) as u64;
    let args = [at, name.as_ptr() as u64, &raw mut stat as u64, 0, 0, 0];
    // SAFETY: the kernel fills the stat; there is a state, so the page is mapped.
    unsafe { gate::pass(libc::SYS_newfstatat, args) }.ok()?;
    Some((stat.st_dev, stat.st_ino))
}

fn open(name: &CStr) -> Result<i32, Errno> {
    let at = i64::from(libc::AT_FDCWD) as u64;
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
    // SAFETY: a C string.
    let fd = unsafe { gate::plain(libc::SYS_openat, [at, name.as_ptr() as u64, flags, 0, 0, 0]) }?;
    Ok(fd as i32)
}
