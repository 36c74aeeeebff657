//! What path calls do, apart from how their registers are laid out.

use mirrord_rules::Access;

/// What a call does; addresses are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Open {
        flags: u64,
        mode: u32,
        resolve: u64,
    },
    Stat {
        buffer: u64,
        follow: bool,
    },
    Statx {
        buffer: u64,
        flags: i32,
        mask: u32,
    },
    Access {
        mode: i32,
        follow: bool,
    },
    ReadLink {
        buffer: u64,
        size: u64,
    },
    ChangeDirectory,
    StatFs {
        buffer: u64,
    },
    MakeDirectory {
        mode: u32,
    },
    MakeNode {
        mode: u32,
        device: u64,
    },
    Remove {
        directory: bool,
    },
    SymLink {
        text: u64,
    },
    Rename {
        flags: u32,
    },
    Link {
        follow: bool,
    },
    ChangeMode {
        mode: u32,
        follow: bool,
    },
    ChangeOwner {
        uid: u32,
        gid: u32,
        follow: bool,
    },
    SetTimes {
        times: Times,
        follow: bool,
    },
    Truncate {
        length: i64,
    },
    GetXattr {
        name: u64,
        value: u64,
        size: u64,
        follow: bool,
    },
    SetXattr {
        name: u64,
        value: u64,
        size: u64,
        flags: i32,
        follow: bool,
    },
    ListXattr {
        list: u64,
        size: u64,
        follow: bool,
    },
    RemoveXattr {
        name: u64,
        follow: bool,
    },
    Watch {
        inotify: i32,
        mask: u32,
    },
    Execute,
    FileHandle,
}

/// In which form two times are given, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Two `struct timespec` (utimensat(2)); address 0 means now.
    Spec(u64),
    /// Two `struct timeval` (utimes(2), futimesat(2)).
    Val(u64),
    /// `struct utimbuf` (utime(2)).
    Seconds(u64),
}

impl Kind {
    /// What the rules are asked about: whether the file is to be changed.
    pub(crate) fn access(&self) -> Access {
        match self {
            Kind::Open { flags, .. } if opens_for_writing(*flags) => Access::Write,
            Kind::MakeDirectory { .. }
            | Kind::MakeNode { .. }
            | Kind::Remove { .. }
            | Kind::SymLink { .. }
            | Kind::Rename { .. }
            | Kind::Link { .. }
            | Kind::ChangeMode { .. }
            | Kind::ChangeOwner { .. }
            | Kind::SetTimes { .. }
            | Kind::Truncate { .. }
            | Kind::SetXattr { .. }
            | Kind::RemoveXattr { .. } => Access::Write,
            _ => Access::Read,
        }
    }

    /// Whether a symlink at the end of the path is followed.
    pub(crate) fn follows(&self) -> bool {
        match *self {
            Kind::Open { flags, .. } => {
                let exclusive = (libc::O_CREAT | libc::O_EXCL) as u64;
                flags & libc::O_NOFOLLOW as u64 == 0 && flags & exclusive != exclusive
            }
            Kind::Statx { flags, .. } => flags & libc::AT_SYMLINK_NOFOLLOW == 0,
            Kind::Stat { follow, .. }
            | Kind::Access { follow, .. }
            | Kind::Link { follow }
            | Kind::ChangeMode { follow, .. }
            | Kind::ChangeOwner { follow, .. }
            | Kind::SetTimes { follow, .. }
            | Kind::GetXattr { follow, .. }
            | Kind::SetXattr { follow, .. }
            | Kind::ListXattr { follow, .. }
            | Kind::RemoveXattr { follow, .. } => follow,
            Kind::Watch { mask, .. } => mask & libc::IN_DONT_FOLLOW == 0,
            Kind::ChangeDirectory
            | Kind::StatFs { .. }
            | Kind::Truncate { .. }
            | Kind::Execute
            | Kind::FileHandle => true,
            Kind::ReadLink { .. }
            | Kind::MakeDirectory { .. }
            | Kind::MakeNode { .. }
            | Kind::Remove { .. }
            | Kind::SymLink { .. }
            | Kind::Rename { .. } => false,
        }
    }
}

/// A descriptor that can change the file, or a file made or cut by the open itself.
pub(crate) fn opens_for_writing(flags: u64) -> bool {
    let flags = flags as i32;
    if flags & libc::O_PATH != 0 {
        return false;
    }
    let made = libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);
    flags & libc::O_ACCMODE != libc::O_RDONLY || flags & made != 0
}
