//! The kernel's FUSE protocol (`linux/fuse.h`, version 7.31 and later) as far as it is used here:
//! numbers, and reading and writing of its structures, field by field, in native byte order.

use std::time::Duration;

use mirrord_protocol::files::{Attr, StatFs, Time};

/// The version we speak; the kernel offers 7.31 since Linux 5.4 and adapts to ours.
pub(crate) const MAJOR: u32 = 7;
pub(crate) const MINOR: u32 = 39;

/// Length of a request's header.
pub(crate) const IN_HEADER: usize = 40;
/// Length of an answer's header.
pub(crate) const OUT_HEADER: usize = 16;

/// Operation numbers.
pub(crate) mod opcode {
    pub(crate) const LOOKUP: u32 = 1;
    pub(crate) const FORGET: u32 = 2;
    pub(crate) const GETATTR: u32 = 3;
    pub(crate) const SETATTR: u32 = 4;
    pub(crate) const READLINK: u32 = 5;
    pub(crate) const SYMLINK: u32 = 6;
    pub(crate) const MKNOD: u32 = 8;
    pub(crate) const MKDIR: u32 = 9;
    pub(crate) const UNLINK: u32 = 10;
    pub(crate) const RMDIR: u32 = 11;
    pub(crate) const RENAME: u32 = 12;
    pub(crate) const LINK: u32 = 13;
    pub(crate) const READ: u32 = 15;
    pub(crate) const WRITE: u32 = 16;
    pub(crate) const STATFS: u32 = 17;
    pub(crate) const FSYNC: u32 = 20;
    pub(crate) const SETXATTR: u32 = 21;
    pub(crate) const GETXATTR: u32 = 22;
    pub(crate) const LISTXATTR: u32 = 23;
    pub(crate) const REMOVEXATTR: u32 = 24;
    pub(crate) const INIT: u32 = 26;
    pub(crate) const READDIR: u32 = 28;
    pub(crate) const FSYNCDIR: u32 = 30;
    pub(crate) const ACCESS: u32 = 34;
    pub(crate) const CREATE: u32 = 35;
    pub(crate) const INTERRUPT: u32 = 36;
    pub(crate) const DESTROY: u32 = 38;
    pub(crate) const BATCH_FORGET: u32 = 42;
    pub(crate) const FALLOCATE: u32 = 43;
    pub(crate) const READDIRPLUS: u32 = 44;
    pub(crate) const RENAME2: u32 = 45;
    pub(crate) const LSEEK: u32 = 46;
    pub(crate) const STATX: u32 = 52;
}

/// Flags of INIT.
pub(crate) mod init {
    pub(crate) const ASYNC_READ: u32 = 1 << 0;
    pub(crate) const BIG_WRITES: u32 = 1 << 5;
    pub(crate) const AUTO_INVAL_DATA: u32 = 1 << 12;
    pub(crate) const DO_READDIRPLUS: u32 = 1 << 13;
    pub(crate) const READDIRPLUS_AUTO: u32 = 1 << 14;
    pub(crate) const NO_OPEN_SUPPORT: u32 = 1 << 17;
    pub(crate) const PARALLEL_DIROPS: u32 = 1 << 18;
    pub(crate) const HANDLE_KILLPRIV: u32 = 1 << 19;
    pub(crate) const MAX_PAGES: u32 = 1 << 22;
    pub(crate) const CACHE_SYMLINKS: u32 = 1 << 23;
    pub(crate) const NO_OPENDIR_SUPPORT: u32 = 1 << 24;
}

/// Bits of SETATTR's `valid`.
pub(crate) mod fattr {
    pub(crate) const MODE: u32 = 1 << 0;
    pub(crate) const UID: u32 = 1 << 1;
    pub(crate) const GID: u32 = 1 << 2;
    pub(crate) const SIZE: u32 = 1 << 3;
    pub(crate) const ATIME: u32 = 1 << 4;
    pub(crate) const MTIME: u32 = 1 << 5;
    pub(crate) const ATIME_NOW: u32 = 1 << 7;
    pub(crate) const MTIME_NOW: u32 = 1 << 8;
}

/// `FUSE_WRITE_CACHE`
pub(crate) const WRITE_CACHE: u32 = 1;
/// `FUSE_FSYNC_FDATASYNC`
pub(crate) const FSYNC_DATA_ONLY: u32 = 1;

/// Who asks what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) opcode: u32,
    pub(crate) unique: u64,
    pub(crate) node: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) pid: u32,
}

/// Reads a request field by field; what is missing is an error, as in a cut request.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    pub(crate) fn header(&mut self) -> Option<Header> {
        let _len = self.u32()?;
        let opcode = self.u32()?;
        let (unique, node) = (self.u64()?, self.u64()?);
        let (uid, gid, pid) = (self.u32()?, self.u32()?, self.u32()?);
        let _extensions = self.u32()?;
        Some(Header {
            opcode,
            unique,
            node,
            uid,
            gid,
            pid,
        })
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (value, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u32::from_ne_bytes(*value))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (value, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u64::from_ne_bytes(*value))
    }

    pub(crate) fn skip(&mut self, len: usize) -> Option<()> {
        self.bytes = self.bytes.get(len..)?;
        Some(())
    }

    /// A name, closed by NUL.
    pub(crate) fn name(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes.iter().position(|&byte| byte == 0)?;
        let name = self.bytes[..end].to_vec();
        self.bytes = &self.bytes[end + 1..];
        Some(name)
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }
}

/// Writes an answer field by field.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

/// For how long the kernel may keep what it is told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Valid {
    pub(crate) name: Duration,
    pub(crate) attr: Duration,
}

impl Writer {
    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(crate) fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }

    /// `struct fuse_entry_out`; node 0 says that there is nothing, for as long as it is valid.
    pub(crate) fn entry(&mut self, node: u64, attr: &Attr, valid: Valid) -> &mut Self {
        self.u64(node).u64(0);
        self.u64(valid.name.as_secs()).u64(valid.attr.as_secs());
        self.u32(valid.name.subsec_nanos())
            .u32(valid.attr.subsec_nanos());
        self.attr(attr)
    }

    /// `struct fuse_open_out` without a handle, keeping what the kernel has cached.
    pub(crate) fn open_out(&mut self) -> &mut Self {
        const FOPEN_KEEP_CACHE: u32 = 1 << 1;
        self.u64(0).u32(FOPEN_KEEP_CACHE).u32(0)
    }

    /// `struct fuse_attr_out`
    pub(crate) fn attr_out(&mut self, attr: &Attr, valid: Duration) -> &mut Self {
        self.u64(valid.as_secs()).u32(valid.subsec_nanos()).u32(0);
        self.attr(attr)
    }

    fn attr(&mut self, attr: &Attr) -> &mut Self {
        self.u64(attr.ino).u64(attr.size).u64(attr.blocks);
        for time in [&attr.accessed, &attr.modified, &attr.changed] {
            self.u64(time.seconds as u64);
        }
        for time in [&attr.accessed, &attr.modified, &attr.changed] {
            self.u32(time.nanoseconds);
        }
        self.u32(attr.mode)
            .u32(attr.links)
            .u32(attr.uid)
            .u32(attr.gid);
        // The kernel decodes it with new_decode_dev, which is the low half of makedev(3)'s form.
        self.u32(attr.rdev as u32).u32(attr.block_size).u32(0)
    }

    /// `struct fuse_statx_out`, with the time of birth, which `fuse_attr` has not.
    pub(crate) fn statx(&mut self, attr: &Attr, valid: Duration) -> &mut Self {
        const BASIC_STATS: u32 = 0x7ff;
        const BTIME: u32 = 0x800;
        self.u64(valid.as_secs())
            .u32(valid.subsec_nanos())
            .u32(0)
            .zeros(16);
        let mask = BASIC_STATS | if attr.born.is_some() { BTIME } else { 0 };
        self.u32(mask).u32(attr.block_size).u64(0);
        self.u32(attr.links).u32(attr.uid).u32(attr.gid);
        self.u16(attr.mode as u16).u16(0);
        self.u64(attr.ino).u64(attr.size).u64(attr.blocks).u64(0);
        let born = attr.born.unwrap_or_default();
        for time in [&attr.accessed, &born, &attr.changed, &attr.modified] {
            self.statx_time(time);
        }
        self.u32(rustix::fs::major(attr.rdev))
            .u32(rustix::fs::minor(attr.rdev));
        self.u32(0).u32(0).zeros(14 * 8)
    }

    fn statx_time(&mut self, time: &Time) {
        self.u64(time.seconds as u64).u32(time.nanoseconds).u32(0);
    }

    /// `struct fuse_kstatfs`
    pub(crate) fn stat_fs(&mut self, stat: &StatFs) -> &mut Self {
        self.u64(stat.blocks)
            .u64(stat.blocks_free)
            .u64(stat.blocks_available);
        self.u64(stat.files).u64(stat.files_free);
        self.u32(stat.block_size)
            .u32(stat.name_max)
            .u32(stat.fragment_size)
            .zeros(4 * 7)
    }

    /// `struct fuse_dirent`, padded to eight bytes.
    pub(crate) fn dirent(&mut self, ino: u64, next: u64, kind: u8, name: &[u8]) -> &mut Self {
        self.u64(ino)
            .u64(next)
            .u32(name.len() as u32)
            .u32(u32::from(kind));
        self.bytes.extend_from_slice(name);
        self.zeros(name.len().next_multiple_of(8) - name.len())
    }
}

/// Length of [`Writer::dirent`].
pub(crate) fn dirent_len(name: &[u8]) -> usize {
    24 + name.len().next_multiple_of(8)
}

/// Length of [`Writer::entry`].
pub(crate) const ENTRY_LEN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_lengths() {
        let attr = Attr::default();
        let len = |write: &dyn Fn(&mut Writer) -> &mut Writer| {
            let mut writer = Writer::default();
            write(&mut writer);
            writer.bytes.len()
        };
        assert_eq!(len(&|w| w.entry(1, &attr, Valid::default())), ENTRY_LEN);
        assert_eq!(len(&|w| w.attr_out(&attr, Duration::ZERO)), 104);
        assert_eq!(len(&|w| w.stat_fs(&StatFs::default())), 80);
        assert_eq!(len(&|w| w.statx(&attr, Duration::ZERO)), 32 + 256);
        assert_eq!(
            len(&|w| w.dirent(1, 2, 4, b"123456789")),
            dirent_len(b"123456789")
        );
    }
}
