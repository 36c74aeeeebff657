//! A request of the kernel, taken out of its buffer.

use mirrord_protocol::files::{Changes, SetTime, Time};

use crate::abi::{FSYNC_DATA_ONLY, Header, Reader, WRITE_CACHE, fattr, opcode};

/// What the kernel asks; the node it is about is in the header.
#[derive(Debug)]
pub(crate) enum Request {
    Lookup {
        name: Vec<u8>,
    },
    GetAttr,
    Statx,
    SetAttr(Changes),
    ReadLink,
    Symlink {
        name: Vec<u8>,
        target: Vec<u8>,
    },
    Mknod {
        name: Vec<u8>,
        mode: u32,
        rdev: u32,
    },
    Create {
        name: Vec<u8>,
        mode: u32,
        exclusive: bool,
    },
    Mkdir {
        name: Vec<u8>,
        mode: u32,
    },
    Remove {
        name: Vec<u8>,
        dir: bool,
    },
    Rename {
        name: Vec<u8>,
        new_parent: u64,
        new_name: Vec<u8>,
        flags: u32,
    },
    Link {
        node: u64,
        name: Vec<u8>,
    },
    Read {
        offset: u64,
        size: u32,
    },
    Write {
        offset: u64,
        append: bool,
        data: Vec<u8>,
    },
    StatFs,
    Sync {
        data_only: bool,
    },
    SetXattr {
        name: Vec<u8>,
        value: Vec<u8>,
        flags: u32,
    },
    GetXattr {
        name: Vec<u8>,
        size: u32,
    },
    ListXattr {
        size: u32,
    },
    RemoveXattr {
        name: Vec<u8>,
    },
    ReadDir {
        offset: u64,
        size: u32,
        plus: bool,
    },
    Access {
        mask: u32,
    },
    Allocate {
        offset: u64,
        len: u64,
        mode: u32,
    },
    Seek {
        offset: u64,
        whence: u32,
    },
}

impl Request {
    /// Takes a request apart. ENOSYS, which the kernel remembers for some: not served.
    pub(crate) fn read(header: &Header, mut reader: Reader<'_>) -> Result<Request, i32> {
        Self::known(header.opcode, &mut reader)
            .ok_or(libc::EIO)?
            .ok_or(libc::ENOSYS)
    }

    /// The outer `None`: cut short; the inner: not served.
    fn known(code: u32, reader: &mut Reader<'_>) -> Option<Option<Request>> {
        Some(Some(match code {
            opcode::LOOKUP => Request::Lookup {
                name: reader.name()?,
            },
            opcode::GETATTR => Request::GetAttr,
            opcode::STATX => Request::Statx,
            opcode::SETATTR => Request::SetAttr(changes(reader)?),
            opcode::READLINK => Request::ReadLink,
            opcode::SYMLINK => Request::Symlink {
                name: reader.name()?,
                target: reader.name()?,
            },
            opcode::MKNOD => {
                let (mode, rdev) = (reader.u32()?, reader.u32()?);
                reader.skip(8)?;
                Request::Mknod {
                    name: reader.name()?,
                    mode,
                    rdev,
                }
            }
            opcode::CREATE => {
                let (flags, mode) = (reader.u32()?, reader.u32()?);
                reader.skip(8)?;
                Request::Create {
                    name: reader.name()?,
                    mode,
                    exclusive: flags & libc::O_EXCL as u32 != 0,
                }
            }
            opcode::MKDIR => {
                let mode = reader.u32()?;
                reader.skip(4)?;
                Request::Mkdir {
                    name: reader.name()?,
                    mode,
                }
            }
            opcode::UNLINK => Request::Remove {
                name: reader.name()?,
                dir: false,
            },
            opcode::RMDIR => Request::Remove {
                name: reader.name()?,
                dir: true,
            },
            opcode::RENAME | opcode::RENAME2 => {
                let new_parent = reader.u64()?;
                let mut flags = 0;
                if code == opcode::RENAME2 {
                    flags = reader.u32()?;
                    reader.skip(4)?;
                }
                let (name, new_name) = (reader.name()?, reader.name()?);
                Request::Rename {
                    name,
                    new_parent,
                    new_name,
                    flags,
                }
            }
            opcode::LINK => Request::Link {
                node: reader.u64()?,
                name: reader.name()?,
            },
            opcode::READ => {
                let _handle = reader.u64()?;
                Request::Read {
                    offset: reader.u64()?,
                    size: reader.u32()?,
                }
            }
            opcode::WRITE => write(reader)?,
            opcode::STATFS => Request::StatFs,
            opcode::FSYNC | opcode::FSYNCDIR => {
                let _handle = reader.u64()?;
                Request::Sync {
                    data_only: reader.u32()? & FSYNC_DATA_ONLY != 0,
                }
            }
            opcode::SETXATTR => {
                // Without FUSE_SETXATTR_EXT the structure ends after the flags.
                let (size, flags) = (reader.u32()?, reader.u32()?);
                let name = reader.name()?;
                Request::SetXattr {
                    name,
                    value: reader.take(size as usize)?.to_vec(),
                    flags,
                }
            }
            opcode::GETXATTR => {
                let size = reader.u32()?;
                reader.skip(4)?;
                Request::GetXattr {
                    name: reader.name()?,
                    size,
                }
            }
            opcode::LISTXATTR => Request::ListXattr {
                size: reader.u32()?,
            },
            opcode::REMOVEXATTR => Request::RemoveXattr {
                name: reader.name()?,
            },
            opcode::READDIR | opcode::READDIRPLUS => {
                let _handle = reader.u64()?;
                let (offset, size) = (reader.u64()?, reader.u32()?);
                Request::ReadDir {
                    offset,
                    size,
                    plus: code == opcode::READDIRPLUS,
                }
            }
            opcode::ACCESS => Request::Access {
                mask: reader.u32()?,
            },
            opcode::FALLOCATE => {
                let _handle = reader.u64()?;
                let (offset, len) = (reader.u64()?, reader.u64()?);
                Request::Allocate {
                    offset,
                    len,
                    mode: reader.u32()?,
                }
            }
            opcode::LSEEK => {
                let _handle = reader.u64()?;
                Request::Seek {
                    offset: reader.u64()?,
                    whence: reader.u32()?,
                }
            }
            _ => return Some(None),
        }))
    }

    /// Whether doing it twice differs from doing it once.
    pub(crate) fn changes(&self) -> bool {
        matches!(
            self,
            Request::SetAttr(_)
                | Request::Symlink { .. }
                | Request::Mknod { .. }
                | Request::Create { .. }
                | Request::Mkdir { .. }
                | Request::Remove { .. }
                | Request::Rename { .. }
                | Request::Link { .. }
                | Request::Write { .. }
                | Request::SetXattr { .. }
                | Request::RemoveXattr { .. }
                | Request::Allocate { .. }
        )
    }
}

fn write(reader: &mut Reader<'_>) -> Option<Request> {
    let _handle = reader.u64()?;
    let (offset, size, write_flags) = (reader.u64()?, reader.u32()?, reader.u32()?);
    let _lock_owner = reader.u64()?;
    let flags = reader.u32()?;
    reader.skip(4)?;
    // Pages of a shared mapping are written where they belong, whatever the flags say of the
    // descriptor that the kernel picked for it.
    let from_mapping = write_flags & WRITE_CACHE != 0;
    let append = flags & libc::O_APPEND as u32 != 0 && !from_mapping;
    Some(Request::Write {
        offset,
        append,
        data: reader.take(size as usize)?.to_vec(),
    })
}

fn changes(reader: &mut Reader<'_>) -> Option<Changes> {
    let valid = reader.u32()?;
    reader.skip(4 + 8)?;
    let size = reader.u64()?;
    let _lock_owner = reader.u64()?;
    let (atime, mtime, _ctime) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let (atime_ns, mtime_ns, _ctime_ns) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let mode = reader.u32()?;
    reader.skip(4)?;
    let (uid, gid) = (reader.u32()?, reader.u32()?);
    let has = |bit: u32| valid & bit != 0;
    let time = |set, now, seconds: u64, nanoseconds| {
        if has(now) {
            Some(SetTime::Now)
        } else {
            has(set).then_some(SetTime::At(Time {
                seconds: seconds as i64,
                nanoseconds,
            }))
        }
    };
    Some(Changes {
        mode: has(fattr::MODE).then_some(mode),
        uid: has(fattr::UID).then_some(uid),
        gid: has(fattr::GID).then_some(gid),
        size: has(fattr::SIZE).then_some(size),
        accessed: time(fattr::ATIME, fattr::ATIME_NOW, atime, atime_ns),
        modified: time(fattr::MTIME, fattr::MTIME_NOW, mtime, mtime_ns),
    })
}
