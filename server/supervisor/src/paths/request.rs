//! Which system call asks for what: numbers and registers turned into one [`Request`].
//!
//! Only registers and the small structure of `openat2(2)` are looked at here. A path, a name or
//! a value in memory stays a pointer until it is known that the call is ours to answer, for most
//! calls are local and should cost as little as possible.

use mirrord_filter::own_open::Door;

use super::kind::{Kind, Times};
use crate::{call::Call, tracee::Tracee};

/// A path argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// Directory descriptor or `AT_FDCWD`.
    pub dir: i32,
    /// Address of the string.
    pub path: u64,
    /// `AT_EMPTY_PATH` was given: an empty string names `dir` itself.
    pub empty: bool,
}

/// One path call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// Name for events.
    pub name: &'static str,
    /// The path.
    pub at: At,
    /// The second path of `rename` and `link`.
    pub second: Option<At>,
    /// What to do with it.
    pub kind: Kind,
    /// The caller can be told to open it itself, and named the very path that is meant.
    pub opens_itself: bool,
}

/// Reads the registers of a call; `None`: not a path call, or one that the kernel should refuse
/// by itself (a bad pointer, unknown flags).
pub(crate) fn decode(call: &Call, tracee: &Tracee) -> Option<Request> {
    #[cfg(target_arch = "x86_64")]
    if let Some(request) = super::request_x86_64::decode_old(call) {
        return Some(request);
    }
    let a = call.args;
    let at = |dir: usize, path: usize| At {
        dir: a[dir] as i32,
        path: a[path],
        empty: false,
    };
    let flagged = |dir: usize, path: usize, flags: usize| At {
        empty: a[flags] as i32 & libc::AT_EMPTY_PATH != 0,
        ..at(dir, path)
    };
    let here = |path: usize| At {
        dir: libc::AT_FDCWD,
        path: a[path],
        empty: false,
    };
    let nofollow = |flags: usize| a[flags] as i32 & libc::AT_SYMLINK_NOFOLLOW == 0;
    let one = |name, at, kind| {
        Some(Request {
            name,
            at,
            second: None,
            kind,
            opens_itself: false,
        })
    };
    let two = |name, at, second, kind| {
        Some(Request {
            name,
            at,
            second: Some(second),
            kind,
            opens_itself: false,
        })
    };
    match call.nr {
        libc::SYS_openat => {
            let kind = open(a[2], a[3]);
            let request = one("openat", at(0, 1), kind);
            request.map(|request| Request {
                opens_itself: Door::is_wanted(&a),
                ..request
            })
        }
        libc::SYS_openat2 => one("openat2", at(0, 1), open_how(tracee, a[2], a[3])?),
        libc::SYS_newfstatat => {
            let kind = Kind::Stat {
                buffer: a[2],
                follow: nofollow(3),
            };
            one("newfstatat", flagged(0, 1, 3), kind)
        }
        libc::SYS_statx => {
            let kind = Kind::Statx {
                flags: a[2] as i32,
                mask: a[3] as u32,
                buffer: a[4],
            };
            one("statx", flagged(0, 1, 2), kind)
        }
        libc::SYS_faccessat => one(
            "faccessat",
            at(0, 1),
            Kind::Access {
                mode: a[2] as i32,
                follow: true,
            },
        ),
        libc::SYS_faccessat2 => {
            let kind = Kind::Access {
                mode: a[2] as i32,
                follow: nofollow(3),
            };
            one("faccessat2", flagged(0, 1, 3), kind)
        }
        libc::SYS_readlinkat => {
            let at = At {
                empty: true,
                ..at(0, 1)
            };
            one(
                "readlinkat",
                at,
                Kind::ReadLink {
                    buffer: a[2],
                    size: a[3],
                },
            )
        }
        libc::SYS_chdir => one("chdir", here(0), Kind::ChangeDirectory),
        libc::SYS_statfs => one("statfs", here(0), Kind::StatFs { buffer: a[1] }),
        libc::SYS_mkdirat => one(
            "mkdirat",
            at(0, 1),
            Kind::MakeDirectory { mode: a[2] as u32 },
        ),
        libc::SYS_mknodat => {
            let kind = Kind::MakeNode {
                mode: a[2] as u32,
                device: a[3],
            };
            one("mknodat", at(0, 1), kind)
        }
        libc::SYS_unlinkat => {
            let directory = a[2] as i32 & libc::AT_REMOVEDIR != 0;
            one("unlinkat", at(0, 1), Kind::Remove { directory })
        }
        libc::SYS_symlinkat => one("symlinkat", at(1, 2), Kind::SymLink { text: a[0] }),
        libc::SYS_renameat2 => two(
            "renameat2",
            at(0, 1),
            at(2, 3),
            Kind::Rename { flags: a[4] as u32 },
        ),
        libc::SYS_renameat => two("renameat", at(0, 1), at(2, 3), Kind::Rename { flags: 0 }),
        libc::SYS_linkat => {
            let follow = a[4] as i32 & libc::AT_SYMLINK_FOLLOW != 0;
            two("linkat", flagged(0, 1, 4), at(2, 3), Kind::Link { follow })
        }
        libc::SYS_fchmodat => one(
            "fchmodat",
            at(0, 1),
            Kind::ChangeMode {
                mode: a[2] as u32,
                follow: true,
            },
        ),
        SYS_FCHMODAT2 => {
            let kind = Kind::ChangeMode {
                mode: a[2] as u32,
                follow: nofollow(3),
            };
            one("fchmodat2", flagged(0, 1, 3), kind)
        }
        libc::SYS_fchownat => {
            let kind = Kind::ChangeOwner {
                uid: a[2] as u32,
                gid: a[3] as u32,
                follow: nofollow(4),
            };
            one("fchownat", flagged(0, 1, 4), kind)
        }
        libc::SYS_utimensat => {
            // A null path means the descriptor itself (futimens(3)); the kernel does that.
            let kind = Kind::SetTimes {
                times: Times::Spec(a[2]),
                follow: nofollow(3),
            };
            one("utimensat", flagged(0, 1, 3), kind)
        }
        libc::SYS_truncate => one(
            "truncate",
            here(0),
            Kind::Truncate {
                length: a[1] as i64,
            },
        ),
        libc::SYS_getxattr | libc::SYS_lgetxattr => {
            let follow = call.nr == libc::SYS_getxattr;
            let kind = Kind::GetXattr {
                name: a[1],
                value: a[2],
                size: a[3],
                follow,
            };
            one("getxattr", here(0), kind)
        }
        libc::SYS_setxattr | libc::SYS_lsetxattr => {
            let (value, size, flags) = (a[2], a[3], a[4] as i32);
            let follow = call.nr == libc::SYS_setxattr;
            one(
                "setxattr",
                here(0),
                Kind::SetXattr {
                    name: a[1],
                    value,
                    size,
                    flags,
                    follow,
                },
            )
        }
        libc::SYS_listxattr | libc::SYS_llistxattr => {
            let follow = call.nr == libc::SYS_listxattr;
            one(
                "listxattr",
                here(0),
                Kind::ListXattr {
                    list: a[1],
                    size: a[2],
                    follow,
                },
            )
        }
        libc::SYS_removexattr | libc::SYS_lremovexattr => {
            let follow = call.nr == libc::SYS_removexattr;
            one(
                "removexattr",
                here(0),
                Kind::RemoveXattr { name: a[1], follow },
            )
        }
        libc::SYS_inotify_add_watch => {
            let kind = Kind::Watch {
                inotify: a[0] as i32,
                mask: a[2] as u32,
            };
            one("inotify_add_watch", here(1), kind)
        }
        libc::SYS_execve => one("execve", here(0), Kind::Execute),
        libc::SYS_execveat => one("execveat", flagged(0, 1, 4), Kind::Execute),
        libc::SYS_name_to_handle_at => one("name_to_handle_at", flagged(0, 1, 4), Kind::FileHandle),
        _ => None,
    }
}

/// fchmodat2(2), Linux 6.6; the number is the same on all architectures.
pub(crate) const SYS_FCHMODAT2: i64 = 452;

/// The old open calls ignore bits they do not know, openat2(2) refuses them: they are masked as
/// `build_open_how` does (fs/open.c).
pub(crate) fn open(flags: u64, mode: u64) -> Kind {
    let known = libc::O_ACCMODE
        | libc::O_CREAT
        | libc::O_EXCL
        | libc::O_NOCTTY
        | libc::O_TRUNC
        | libc::O_APPEND
        | libc::O_NONBLOCK
        | libc::O_DSYNC
        | libc::O_SYNC
        | libc::O_ASYNC
        | libc::O_DIRECT
        | libc::O_DIRECTORY
        | libc::O_NOFOLLOW
        | libc::O_NOATIME
        | libc::O_CLOEXEC
        | libc::O_PATH
        | libc::O_TMPFILE;
    let mut flags = flags & known as u64;
    if flags & libc::O_PATH as u64 != 0 {
        let path_only = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        flags &= path_only as u64;
    }
    Kind::Open {
        flags,
        mode: mode as u32 & 0o7777,
        resolve: 0,
    }
}

/// Reads `struct open_how`. What the kernel would refuse is left to the kernel.
fn open_how(tracee: &Tracee, address: u64, size: u64) -> Option<Kind> {
    if size != 24 {
        return None;
    }
    let how: [u8; 24] = tracee.read_array(address).ok()?;
    let word = |i: usize| how[i * 8..][..8].try_into().map_or(0, u64::from_ne_bytes);
    let (flags, mode, resolve) = (word(0), word(1), word(2));
    let Kind::Open { flags: known, .. } = open(flags, mode) else {
        return None;
    };
    // O_LARGEFILE is not in `known`: it means nothing on 64-bit machines.
    let large = 0o100_000;
    if flags & !large != known || mode > 0o7777 {
        return None;
    }
    Some(Kind::Open {
        flags: known,
        mode: mode as u32,
        resolve,
    })
}
