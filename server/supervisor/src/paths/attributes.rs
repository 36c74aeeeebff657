//! The agent's attributes as the structures that `stat(2)` and `statx(2)` fill, for sessions
//! without a mount (with one, the kernel fills them).

use mirrord_files::Attr;
use mirrord_protocol::files::Time;

use super::sys;

/// `struct stat`.
pub(crate) fn stat(attr: &Attr) -> Vec<u8> {
    let mut stat = sys::empty_stat();
    stat.st_dev = attr.dev;
    stat.st_ino = attr.ino;
    stat.st_nlink = attr.links as _;
    stat.st_mode = attr.mode;
    stat.st_uid = attr.uid;
    stat.st_gid = attr.gid;
    stat.st_rdev = attr.rdev;
    stat.st_size = attr.size as i64;
    stat.st_blksize = attr.block_size as _;
    stat.st_blocks = attr.blocks as i64;
    (stat.st_atime, stat.st_atime_nsec) = time(attr.accessed);
    (stat.st_mtime, stat.st_mtime_nsec) = time(attr.modified);
    (stat.st_ctime, stat.st_ctime_nsec) = time(attr.changed);
    sys::bytes_of_stat(&stat)
}

/// `struct statx` (include/uapi/linux/stat.h), the basic fields and the time of birth.
pub(crate) fn statx(attr: &Attr) -> Vec<u8> {
    let mut out = vec![0; 256];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    let mask = libc::STATX_BASIC_STATS | attr.born.map_or(0, |_| libc::STATX_BTIME);
    put(0, &mask.to_ne_bytes());
    put(4, &attr.block_size.to_ne_bytes());
    put(16, &attr.links.to_ne_bytes());
    put(20, &attr.uid.to_ne_bytes());
    put(24, &attr.gid.to_ne_bytes());
    put(28, &(attr.mode as u16).to_ne_bytes());
    put(32, &attr.ino.to_ne_bytes());
    put(40, &attr.size.to_ne_bytes());
    put(48, &attr.blocks.to_ne_bytes());
    let times = [
        Some(attr.accessed),
        attr.born,
        Some(attr.changed),
        Some(attr.modified),
    ];
    for (index, time) in times.into_iter().enumerate() {
        let time = time.unwrap_or_default();
        put(64 + index * 16, &time.seconds.to_ne_bytes());
        put(72 + index * 16, &time.nanoseconds.to_ne_bytes());
    }
    put(128, &libc::major(attr.rdev).to_ne_bytes());
    put(132, &libc::minor(attr.rdev).to_ne_bytes());
    put(136, &libc::major(attr.dev).to_ne_bytes());
    put(140, &libc::minor(attr.dev).to_ne_bytes());
    out
}

fn time(time: Time) -> (i64, i64) {
    (time.seconds, i64::from(time.nanoseconds))
}
