//! Which system calls are turned over, and under which condition.

/// What the filter does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The kernel goes on.
    Allow,
    /// The supervisor is asked.
    Notify,
    /// The supervisor is asked when this argument is not a null pointer.
    NotifyIfPointer(u8),
    /// `fstat` in disguise: with `AT_EMPTY_PATH` in this argument and a descriptor in the first
    /// one the kernel goes on, otherwise the supervisor is asked. A relative name given with
    /// that flag below a remote directory resolves there by itself.
    NotifyUnlessEmptyPath(u8),
    /// The supervisor is asked when a socket's pending error is read (`SOL_SOCKET`, `SO_ERROR`):
    /// how a program hears the end of a non-blocking connect, whose errno is the pod's.
    NotifyIfSocketError,
    /// The supervisor is asked unless this argument, which the call has no use for, is
    /// [`crate::hand_over::GIVEN`]: the listener on its way, which nobody serves yet.
    NotifyUnlessGiven(u8),
    /// Fails with `ENOSYS`, and programs fall back.
    NoSuchCall,
}

use Action::{
    NoSuchCall, Notify, NotifyIfPointer, NotifyIfSocketError, NotifyUnlessEmptyPath,
    NotifyUnlessGiven,
};

// Numbers since 5.x are the same on every architecture; libc does not name all of them yet.
const SYS_FCHMODAT2: i64 = 452;
const SYS_SETXATTRAT: i64 = 463;
const SYS_GETXATTRAT: i64 = 464;
const SYS_LISTXATTRAT: i64 = 465;
const SYS_REMOVEXATTRAT: i64 = 466;
const SYS_FILE_GETATTR: i64 = 468;
const SYS_FILE_SETATTR: i64 = 469;

/// Calls that every 64-bit architecture has.
const COMMON: &[(i64, Action)] = &[
    // Paths: reading.
    (libc::SYS_openat, Notify),
    (libc::SYS_openat2, Notify),
    (libc::SYS_newfstatat, NotifyUnlessEmptyPath(3)),
    (libc::SYS_statx, NotifyUnlessEmptyPath(2)),
    (libc::SYS_faccessat, Notify),
    (libc::SYS_faccessat2, Notify),
    (libc::SYS_readlinkat, Notify),
    (libc::SYS_statfs, Notify),
    (libc::SYS_getxattr, Notify),
    (libc::SYS_lgetxattr, Notify),
    (libc::SYS_listxattr, Notify),
    (libc::SYS_llistxattr, Notify),
    (SYS_GETXATTRAT, Notify),
    (SYS_LISTXATTRAT, Notify),
    (SYS_FILE_GETATTR, Notify),
    (libc::SYS_inotify_add_watch, Notify),
    (libc::SYS_name_to_handle_at, Notify),
    // Paths: changing.
    (libc::SYS_renameat2, Notify),
    (libc::SYS_mkdirat, Notify),
    (libc::SYS_unlinkat, Notify),
    (libc::SYS_symlinkat, Notify),
    (libc::SYS_linkat, Notify),
    (libc::SYS_mknodat, Notify),
    (libc::SYS_fchmodat, Notify),
    (SYS_FCHMODAT2, Notify),
    (libc::SYS_fchownat, Notify),
    // A null path is futimens(3).
    (libc::SYS_utimensat, NotifyIfPointer(1)),
    (libc::SYS_truncate, Notify),
    (libc::SYS_setxattr, Notify),
    (libc::SYS_lsetxattr, Notify),
    (libc::SYS_removexattr, Notify),
    (libc::SYS_lremovexattr, Notify),
    (SYS_SETXATTRAT, Notify),
    (SYS_REMOVEXATTRAT, Notify),
    (SYS_FILE_SETATTR, Notify),
    // The process itself.
    (libc::SYS_chdir, Notify),
    (libc::SYS_getcwd, Notify),
    (libc::SYS_execve, Notify),
    (libc::SYS_execveat, Notify),
    (libc::SYS_uname, Notify),
    // Sockets. Data calls are asked about only when they name or want an address, as far as that
    // shows in their arguments: a `struct msghdr` is out of sight.
    (libc::SYS_connect, Notify),
    (libc::SYS_bind, Notify),
    (libc::SYS_listen, Notify),
    (libc::SYS_accept, NotifyIfPointer(1)),
    (libc::SYS_accept4, NotifyIfPointer(1)),
    (libc::SYS_getsockname, Notify),
    (libc::SYS_getpeername, Notify),
    (libc::SYS_getsockopt, NotifyIfSocketError),
    (libc::SYS_sendto, NotifyIfPointer(4)),
    (libc::SYS_recvfrom, NotifyIfPointer(4)),
    (libc::SYS_sendmsg, NotifyUnlessGiven(5)),
    (libc::SYS_recvmsg, Notify),
    (libc::SYS_sendmmsg, Notify),
    (libc::SYS_recvmmsg, Notify),
    // Its operations reach the kernel without a system call each, past every filter.
    (libc::SYS_io_uring_setup, NoSuchCall),
];

/// Calls of x86_64 that newer architectures have only in their `*at` form.
#[cfg(target_arch = "x86_64")]
const OLD: &[(i64, Action)] = &[
    (libc::SYS_open, Notify),
    (libc::SYS_creat, Notify),
    (libc::SYS_stat, Notify),
    (libc::SYS_lstat, Notify),
    (libc::SYS_access, Notify),
    (libc::SYS_readlink, Notify),
    (libc::SYS_rename, Notify),
    (libc::SYS_renameat, Notify),
    (libc::SYS_mkdir, Notify),
    (libc::SYS_rmdir, Notify),
    (libc::SYS_unlink, Notify),
    (libc::SYS_symlink, Notify),
    (libc::SYS_link, Notify),
    (libc::SYS_mknod, Notify),
    (libc::SYS_chmod, Notify),
    (libc::SYS_chown, Notify),
    (libc::SYS_lchown, Notify),
    (libc::SYS_utime, Notify),
    (libc::SYS_utimes, Notify),
    (libc::SYS_futimesat, NotifyIfPointer(1)),
];

/// `renameat` has a number of its own here.
#[cfg(target_arch = "aarch64")]
const OLD: &[(i64, Action)] = &[(38, Notify)];

const LEN: usize = COMMON.len() + OLD.len();

/// All listed calls, by rising number. Every other call is allowed.
pub const LISTED: [(u32, Action); LEN] = sorted();

/// What the filter does with a call of this architecture outside the page.
pub fn action(nr: i64) -> Action {
    let Ok(nr) = u32::try_from(nr) else {
        return Action::Allow;
    };
    LISTED
        .binary_search_by_key(&nr, |(listed, _)| *listed)
        .ok()
        .and_then(|at| LISTED.get(at))
        .map_or(Action::Allow, |(_, action)| *action)
}

const fn sorted() -> [(u32, Action); LEN] {
    let mut list = [(0, Action::Allow); LEN];
    let mut len = 0;
    while len < LEN {
        let (nr, action) = if len < COMMON.len() {
            COMMON[len]
        } else {
            OLD[len - COMMON.len()]
        };
        let mut at = len;
        while at > 0 && list[at - 1].0 > nr as u32 {
            list[at] = list[at - 1];
            at -= 1;
        }
        assert!(
            at == 0 || list[at - 1].0 != nr as u32,
            "a call is listed twice"
        );
        list[at] = (nr as u32, action);
        len += 1;
    }
    list
}
