//! The list of calls that `paths` wants to be asked about.

/// Adds calls to those that all architectures have.
macro_rules! with_common {
    ($($old:expr,)*) => {
        &[
            $($old,)*
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_newfstatat,
            libc::SYS_statx,
            libc::SYS_faccessat,
            libc::SYS_faccessat2,
            libc::SYS_readlinkat,
            libc::SYS_chdir,
            libc::SYS_getcwd,
            libc::SYS_statfs,
            libc::SYS_mkdirat,
            libc::SYS_mknodat,
            libc::SYS_unlinkat,
            libc::SYS_symlinkat,
            libc::SYS_renameat,
            libc::SYS_renameat2,
            libc::SYS_linkat,
            libc::SYS_fchmodat,
            super::request::SYS_FCHMODAT2,
            libc::SYS_fchownat,
            libc::SYS_utimensat,
            libc::SYS_truncate,
            libc::SYS_getxattr,
            libc::SYS_lgetxattr,
            libc::SYS_setxattr,
            libc::SYS_lsetxattr,
            libc::SYS_listxattr,
            libc::SYS_llistxattr,
            libc::SYS_removexattr,
            libc::SYS_lremovexattr,
            libc::SYS_inotify_add_watch,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_name_to_handle_at,
            libc::SYS_uname,
        ]
    };
}

/// Numbers on this architecture.
#[cfg(target_arch = "x86_64")]
pub(crate) const CALLS: &[i64] = with_common![
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_symlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];

/// Numbers on this architecture: only the `...at` forms exist.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const CALLS: &[i64] = with_common![];
