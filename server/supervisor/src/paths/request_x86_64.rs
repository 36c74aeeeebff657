//! The path calls that only x86_64 still has beside their `…at` forms.

use super::{
    kind::{Kind, Times},
    request::{At, Request, open},
};
use crate::call::Call;

/// Like [`super::request::decode`], for the old calls.
pub(crate) fn decode_old(call: &Call) -> Option<Request> {
    let a = call.args;
    let here = |path: usize| At {
        dir: libc::AT_FDCWD,
        path: a[path],
        empty: false,
    };
    let one = |name, kind| {
        Some(Request {
            name,
            at: here(0),
            second: None,
            kind,
            opens_itself: false,
        })
    };
    match call.nr {
        libc::SYS_open => one("open", open(a[1], a[2])),
        libc::SYS_creat => {
            let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
            one("creat", open(flags as u64, a[1]))
        }
        libc::SYS_stat => one(
            "stat",
            Kind::Stat {
                buffer: a[1],
                follow: true,
            },
        ),
        libc::SYS_lstat => one(
            "lstat",
            Kind::Stat {
                buffer: a[1],
                follow: false,
            },
        ),
        libc::SYS_access => one(
            "access",
            Kind::Access {
                mode: a[1] as i32,
                follow: true,
            },
        ),
        libc::SYS_readlink => one(
            "readlink",
            Kind::ReadLink {
                buffer: a[1],
                size: a[2],
            },
        ),
        libc::SYS_mkdir => one("mkdir", Kind::MakeDirectory { mode: a[1] as u32 }),
        libc::SYS_mknod => one(
            "mknod",
            Kind::MakeNode {
                mode: a[1] as u32,
                device: a[2],
            },
        ),
        libc::SYS_rmdir => one("rmdir", Kind::Remove { directory: true }),
        libc::SYS_unlink => one("unlink", Kind::Remove { directory: false }),
        libc::SYS_symlink => Some(Request {
            name: "symlink",
            at: here(1),
            second: None,
            kind: Kind::SymLink { text: a[0] },
            opens_itself: false,
        }),
        libc::SYS_rename => Some(Request {
            name: "rename",
            at: here(0),
            second: Some(here(1)),
            kind: Kind::Rename { flags: 0 },
            opens_itself: false,
        }),
        libc::SYS_link => Some(Request {
            name: "link",
            at: here(0),
            second: Some(here(1)),
            kind: Kind::Link { follow: false },
            opens_itself: false,
        }),
        libc::SYS_chmod => one(
            "chmod",
            Kind::ChangeMode {
                mode: a[1] as u32,
                follow: true,
            },
        ),
        libc::SYS_chown | libc::SYS_lchown => {
            let follow = call.nr == libc::SYS_chown;
            let name = if follow { "chown" } else { "lchown" };
            one(
                name,
                Kind::ChangeOwner {
                    uid: a[1] as u32,
                    gid: a[2] as u32,
                    follow,
                },
            )
        }
        libc::SYS_utime => one("utime", times(Times::Seconds(a[1]))),
        libc::SYS_utimes => one("utimes", times(Times::Val(a[1]))),
        libc::SYS_futimesat => Some(Request {
            name: "futimesat",
            at: At {
                dir: a[0] as i32,
                ..here(1)
            },
            second: None,
            kind: times(Times::Val(a[2])),
            opens_itself: false,
        }),
        _ => None,
    }
}

fn times(times: Times) -> Kind {
    Kind::SetTimes {
        times,
        follow: true,
    }
}
