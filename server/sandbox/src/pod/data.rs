//! `/data`: files of every kind that a program could meet in a pod, for trying and for tests.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::mounts::Root;

/// Name and size of the files in `/data/sizes`.
pub const SIZES: [(&str, usize); 7] = [
    ("empty", 0),
    ("one", 1),
    ("100", 100),
    ("4k", 4096),
    ("64k", 64 * 1024),
    ("1m", 1024 * 1024),
    ("4m", 4 * 1024 * 1024),
];
/// Entries of `/data/many`.
pub const MANY: usize = 100;
/// Content of `/data/hello.txt`.
pub const HELLO: &str = "hello from a file in the pod\n";

/// The bytes of a file in `/data/sizes`: every aligned 8 bytes tell their place, so that a wrong
/// offset shows.
pub fn pattern(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for (word, chunk) in bytes.chunks_mut(8).enumerate() {
        let place = (word as u64 * 8).to_le_bytes();
        chunk.copy_from_slice(&place[..chunk.len()]);
    }
    bytes
}

/// Makes it all.
pub(crate) fn write(root: &Root, huge_directory: usize) -> Result<()> {
    let data = root.make_folder("/data")?;
    write_in(&data, huge_directory).context("could not make the files in /data of the pod")
}

/// Makes the same in a folder that another pod is to have as its `/data`, and in it `/data/huge` with
/// so many entries when there are any.
///
/// # Errors
/// What could not be made.
pub fn write_in(data: &Path, huge_directory: usize) -> Result<()> {
    let folder = |name: &str| -> Result<std::path::PathBuf> {
        let path = data.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    };
    fs::write(data.join("hello.txt"), HELLO)?;
    fs::write(
        folder("volume")?.join("in-volume.txt"),
        "on a mount of its own\n",
    )?;
    let sizes = folder("sizes")?;
    for (name, size) in SIZES {
        fs::write(sizes.join(name), pattern(size))?;
    }
    fill(&folder("many")?, MANY)?;
    if huge_directory > 0 {
        fill(&folder("huge")?, huge_directory)?;
    }
    write_modes(&folder("modes")?)?;
    write_links(&folder("links")?)?;
    let names = folder("names")?;
    for name in [
        b"with space".as_slice(),
        "größe-日本".as_bytes(),
        b"new\nline",
        b"-dash",
        b"latin1-\xe9",
    ] {
        fs::write(names.join(OsStr::from_bytes(name)), name)?;
    }
    mknodat(
        CWD,
        data.join("pipe"),
        FileType::Fifo,
        Mode::from_raw_mode(0o666),
        0,
    )?;
    // The umask had a say in the mode.
    fs::set_permissions(data.join("pipe"), fs::Permissions::from_mode(0o666))?;
    folder("writable")?;
    fs::set_permissions(data.join("writable"), fs::Permissions::from_mode(0o777))?;
    Ok(())
}

fn fill(folder: &Path, entries: usize) -> Result<()> {
    for entry in 0..entries {
        fs::write(
            folder.join(format!("entry-{entry:05}")),
            format!("{entry}\n"),
        )?;
    }
    Ok(())
}

fn write_modes(modes: &Path) -> Result<()> {
    let set =
        |name: &str, mode| fs::set_permissions(modes.join(name), fs::Permissions::from_mode(mode));
    for (name, mode) in [
        ("read-only", 0o444),
        ("nobody-may", 0o000),
        ("everybody-may", 0o666),
        ("script.sh", 0o755),
    ] {
        fs::write(modes.join(name), format!("#!/bin/sh\necho {name}\n"))?;
        set(name, mode)?;
    }
    for (name, mode) in [
        ("closed", 0o700),
        ("not-listed", 0o711),
        ("sticky", 0o1777),
        ("set-group", 0o2775),
    ] {
        fs::create_dir(modes.join(name))?;
        fs::write(modes.join(name).join("inside"), "inside\n")?;
        set(name, mode)?;
    }
    // Another user's. Without root there is no other user, then these are the pod's root's own.
    for (name, mode) in [("of-1001", 0o600), ("of-group-2001", 0o640)] {
        fs::write(modes.join(name), "private\n")?;
        set(name, mode)?;
    }
    give(&modes.join("of-1001"), 1001, 1001)?;
    give(&modes.join("of-group-2001"), 1001, 2001)
}

fn give(path: &Path, uid: u32, gid: u32) -> Result<()> {
    match chown(path, Some(uid), Some(gid)) {
        // The user namespace has no such id (user_namespaces(7)).
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        result => Ok(result?),
    }
}

fn write_links(links: &Path) -> Result<()> {
    for (name, to) in [
        ("relative", "../sizes/100"),
        ("absolute", "/data/sizes/100"),
        ("to-folder", "/data/many"),
        ("dangling", "nowhere"),
        ("escaping", "../../../../../../../../etc/hostname"),
        ("loop", "loop"),
        (
            "through-var-run",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
        ),
    ] {
        symlink(to, links.join(name))?;
    }
    fs::hard_link(links.join("../sizes/100"), links.join("hard"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_pattern_tells_its_offset() {
        let bytes = pattern(100);
        assert_eq!(bytes.len(), 100);
        assert_eq!(bytes[40..48], 40_u64.to_le_bytes());
        assert_eq!(pattern(0), b"");
    }
}
