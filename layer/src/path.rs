//! Looking at a path that the program gave, without allocation.

use std::ffi::c_char;

/// `PATH_MAX`, with the NUL.
pub const LONGEST: usize = 4096;

/// The first page is never mapped (`vm.mmap_min_addr`), nor anything above the lower half: a
/// pointer there is one that the program expects EFAULT for.
const FIRST_PAGE: usize = 4096;

/// A path of the program's, without its NUL; `None` for a pointer that cannot be one and for what
/// is too long, which the kernel shall refuse itself.
///
/// # Safety
/// `path` is null or a C string, as the interposed function demands.
pub unsafe fn bytes<'a>(path: *const c_char) -> Option<&'a [u8]> {
    let address = path as usize;
    if address < FIRST_PAGE || address > isize::MAX as usize {
        return None;
    }
    // SAFETY: a C string, by the caller's promise.
    let len = unsafe { libc::strnlen(path, LONGEST) };
    // SAFETY: `len` bytes were just read.
    (len < LONGEST).then(|| unsafe { std::slice::from_raw_parts(path.cast(), len) })
}

/// Whether no component is `..`.
pub fn only_descends(path: &[u8]) -> bool {
    path.split(|b| *b == b'/')
        .all(|component| component != b"..")
}

/// Trailing slashes do not change where a name leads below a trusted or link-free folder.
pub fn without_trailing_slashes(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let [rest @ .., b'/'] = path {
        if rest.is_empty() {
            break;
        }
        path = rest;
    }
    path
}

/// Writes a number in decimal digits to `bytes` from `at` on; where it ends, or `None` when it does
/// not fit.
pub fn write_number(bytes: &mut [u8], at: usize, number: u32) -> Option<usize> {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut len = 0;
    loop {
        *digits.get_mut(len)? = b'0' + (rest % 10) as u8;
        len += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let place = bytes.get_mut(at..at + len)?;
    for (to, from) in place.iter_mut().zip(digits.iter().take(len).rev()) {
        *to = *from;
    }
    Some(at + len)
}

/// A folder and a name in it, in one piece of stack.
pub struct Joined {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Joined {
    /// Begins with what `fill` writes (a readlink), and adds the name; `None` when it does not
    /// fit.
    pub fn new(
        fill: impl FnOnce(&mut [u8; LONGEST]) -> Option<usize>,
        name: &[u8],
    ) -> Option<Self> {
        let mut joined = Joined {
            bytes: [0; LONGEST],
            len: 0,
        };
        joined.len = fill(&mut joined.bytes).filter(|len| *len < LONGEST)?;
        if joined.bytes.get(..joined.len)? != b"/" {
            joined.add(b"/")?;
        }
        joined.add(name)?;
        Some(joined)
    }

    /// The whole path.
    pub fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The whole path as a C string; `None` when there is no room for its end.
    pub fn get_c(&self) -> Option<*const c_char> {
        (self.len < LONGEST).then_some(self.bytes.as_ptr().cast())
    }

    fn add(&mut self, part: &[u8]) -> Option<()> {
        self.bytes
            .get_mut(self.len..self.len + part.len())?
            .copy_from_slice(part);
        self.len += part.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_that_cannot_be_paths_are_left_to_the_kernel() {
        for address in [0usize, 1, 8, 4095, usize::MAX, usize::MAX - 4096] {
            // SAFETY: nothing is read at such an address, which is what is tested.
            assert_eq!(unsafe { bytes(address as *const c_char) }, None);
        }
        // SAFETY: a C string.
        assert_eq!(unsafe { bytes(c"/a".as_ptr()) }, Some(&b"/a"[..]));
    }

    #[test]
    fn folder_and_name_are_joined() {
        let folder = |folder: &'static [u8]| {
            move |bytes: &mut [u8; LONGEST]| {
                bytes[..folder.len()].copy_from_slice(folder);
                Some(folder.len())
            }
        };
        assert_eq!(Joined::new(folder(b"/a"), b"b/c").unwrap().get(), b"/a/b/c");
        assert_eq!(Joined::new(folder(b"/"), b"b").unwrap().get(), b"/b");
        assert!(Joined::new(folder(b"/a"), &[b'x'; LONGEST]).is_none());
    }

    #[test]
    fn numbers_are_written_in_digits() {
        let mut bytes = *b"/proc/............";
        let end = write_number(&mut bytes, 6, 4_294_967_295).unwrap();
        assert_eq!(&bytes[..end], b"/proc/4294967295");
        let end = write_number(&mut bytes, 6, 0).unwrap();
        assert_eq!(&bytes[..end], b"/proc/0");
        assert_eq!(write_number(&mut bytes, 17, 10), None);
    }

    #[test]
    fn names_that_climb_are_seen() {
        assert!(only_descends(b"a/b"));
        assert!(only_descends(b"a..b/..c"));
        assert!(!only_descends(b"a/../b"));
        assert!(!only_descends(b".."));
    }

    #[test]
    fn trailing_slashes_go_but_the_root_stays() {
        assert_eq!(without_trailing_slashes(b"/usr/lib//"), b"/usr/lib");
        assert_eq!(without_trailing_slashes(b"/"), b"/");
        assert_eq!(without_trailing_slashes(b"//"), b"/");
    }
}
