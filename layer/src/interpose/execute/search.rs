//! The folders of `PATH`, without memory of its own.

use std::ffi::{CStr, c_char};

use crate::path::{self, LONGEST};

/// Gives each file that a name may mean, in the order of `PATH`, until one is wanted. A name with
/// a slash means itself.
///
/// # Safety
/// `file` is null or a C string.
pub unsafe fn candidates<T>(
    file: *const c_char,
    mut give: impl FnMut(&CStr) -> Option<T>,
) -> Option<T> {
    // SAFETY: passed on to the caller.
    let name = unsafe { path::bytes(file) }?;
    if name.is_empty() {
        return None;
    }
    if name.contains(&b'/') {
        // SAFETY: a C string, since it was read.
        return give(unsafe { CStr::from_ptr(file) });
    }
    // SAFETY: as libc's own; the value stays while nobody changes the environment, which no
    // program may do beside (getenv(3)).
    let list = unsafe {
        let value = libc::getenv(c"PATH".as_ptr());
        match value.is_null() {
            true => c"/bin:/usr/bin",
            false => CStr::from_ptr(value),
        }
    };
    list.to_bytes()
        .split(|byte| *byte == b':')
        .find_map(|folder| {
            let mut whole = [0; LONGEST];
            give(join(folder, name, &mut whole)?)
        })
}

/// The empty folder is the working directory.
fn join<'a>(folder: &[u8], name: &[u8], whole: &'a mut [u8; LONGEST]) -> Option<&'a CStr> {
    let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
    let mut len = 0;
    for part in [folder, slash, name] {
        // A place is left for the NUL.
        let place = whole
            .get_mut(..LONGEST - 1)?
            .get_mut(len..len + part.len())?;
        place.copy_from_slice(part);
        len += part.len();
    }
    CStr::from_bytes_until_nul(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_in_order_and_names_with_a_slash_are_not() {
        let all = |name: &CStr| {
            let mut all = Vec::new();
            // SAFETY: a C string.
            let none: Option<()> = unsafe {
                candidates(name.as_ptr(), |path| {
                    all.push(path.to_str().unwrap().to_owned());
                    None
                })
            };
            assert_eq!(none, None);
            all
        };
        assert_eq!(all(c"./x"), ["./x"]);
        assert!(all(c"").is_empty());
        let path = std::env::var("PATH").unwrap();
        assert_eq!(all(c"x").len(), path.split(':').count());
        assert!(all(c"x").iter().all(|one| one.ends_with("/x")));
    }

    #[test]
    fn a_folder_too_long_is_passed_over() {
        let mut whole = [0; LONGEST];
        assert_eq!(join(b"", b"x", &mut whole), Some(c"x"));
        let mut whole = [0; LONGEST];
        assert_eq!(join(&[b'a'; LONGEST], b"x", &mut whole), None);
        let mut whole = [0; LONGEST];
        assert!(join(&[b'a'; LONGEST - 3], b"x", &mut whole).is_some());
        let mut whole = [0; LONGEST];
        assert!(join(&[b'a'; LONGEST - 2], b"x", &mut whole).is_none());
    }
}
