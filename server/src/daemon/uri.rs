//! File URIs and paths. Editors write them differently (`file:/x`, `file:///x`, `file://localhost/x`,
//! with more or fewer characters escaped); all of them are one here.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// What editors escape in paths; the rest is left as it is.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path of a file URI; none for other schemes and other machines. A plain absolute path is
/// taken as it is.
pub fn to_path(uri: &str) -> Option<PathBuf> {
    if uri.starts_with('/') {
        return Some(PathBuf::from(uri));
    }
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    let path = match rest.strip_prefix("//") {
        Some(rest) => {
            let (host, path) = rest.split_at(rest.find('/')?);
            if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
                return None;
            }
            path
        }
        None => rest,
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let path = PathBuf::from(OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

/// The URI of an absolute path, in its one form.
pub fn from_path(path: &Path) -> String {
    format!(
        "file://{}",
        percent_encode(path.as_os_str().as_bytes(), ESCAPED)
    )
}

/// A URI in its one form; one that is no file stays as it is.
pub fn normal(uri: &str) -> String {
    match to_path(uri) {
        // Without a `/` at the end, by which some clients write folders.
        Some(path) => from_path(&path.components().collect::<PathBuf>()),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_file_are_one() {
        for uri in [
            "file:/a%20b/c",
            "file:///a%20b/c",
            "file://localhost/a b/c/",
            "FILE:///a%20b//c",
            "/a b/c",
        ] {
            assert_eq!(normal(uri), "file:///a%20b/c", "{uri}");
        }
    }

    #[test]
    fn other_uris_are_no_paths() {
        for uri in [
            "untitled:Untitled-1",
            "https://x/y",
            "file://server/x",
            "file:x",
            "x",
        ] {
            assert_eq!(to_path(uri), None, "{uri}");
            assert_eq!(normal(uri), uri);
        }
    }

    #[test]
    fn odd_names_come_back() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/\xff/%41/\xc3\xa4#?"));
        assert_eq!(to_path(&from_path(path)).unwrap(), path);
    }
}
