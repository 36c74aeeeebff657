//! Attributes: `statx(2)` in, wire type out.

use std::os::fd::{AsFd, BorrowedFd};

use mirrord_protocol::files::{Attr, Time};
use rustix::{
    fs::{AtFlags, Statx, StatxFlags, StatxTimestamp, makedev, statx},
    io::Errno,
};

/// What makes a file the same file: its device, number and mount. The mount, because a directory
/// that is mounted twice must be two directories for FUSE.
pub(super) type Identity = (u64, u64, u64);

/// Attributes of an open file, and its identity.
pub(super) fn of(fd: impl AsFd) -> Result<(Attr, Identity), Errno> {
    at(fd.as_fd(), b"")
}

/// Attributes of a name in a directory; the empty name: of the descriptor itself. Symbolic links
/// are not followed and automounts not triggered by looking.
pub(super) fn at(directory: BorrowedFd<'_>, name: &[u8]) -> Result<(Attr, Identity), Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
    let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    let stat = statx(directory, name, flags, mask)?;
    let mut attr = convert(&stat);
    let empty = attr.mode & libc::S_IFMT == libc::S_IFREG && attr.size == 0;
    // Device numbers with major 0 are not of a disk.
    attr.unsized_file = empty && stat.stx_dev_major == 0 && makes_content_up(directory);
    Ok((attr, (attr.dev, attr.ino, stat.stx_mnt_id)))
}

/// Whether the file system makes content up while it is read, and so knows no sizes.
fn makes_content_up(fd: BorrowedFd<'_>) -> bool {
    const MADE_UP: [u32; 8] = [
        0x9fa0,      // proc
        0x6265_6572, // sysfs
        0x6367_7270, // cgroup2
        0x0027_e0eb, // cgroup
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x7363_6673, // securityfs
        0x6265_6570, // configfs
    ];
    rustix::fs::fstatfs(fd).is_ok_and(|stat| MADE_UP.contains(&(stat.f_type as u32)))
}

fn convert(stat: &Statx) -> Attr {
    Attr {
        ino: stat.stx_ino,
        size: stat.stx_size,
        blocks: stat.stx_blocks,
        block_size: stat.stx_blksize,
        mode: u32::from(stat.stx_mode),
        links: stat.stx_nlink,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        rdev: makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
        dev: makedev(stat.stx_dev_major, stat.stx_dev_minor),
        accessed: time(&stat.stx_atime),
        modified: time(&stat.stx_mtime),
        changed: time(&stat.stx_ctime),
        born: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(&stat.stx_btime)),
        unsized_file: false,
    }
}

fn time(time: &StatxTimestamp) -> Time {
    Time {
        seconds: time.tv_sec,
        nanoseconds: time.tv_nsec,
    }
}
