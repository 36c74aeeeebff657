//! The few system calls whose raw results go straight into a program's memory, or that no safe
//! wrapper offers. All other modules of `paths` are free of `unsafe`. Errors are errno numbers,
//! because that is what the program will see.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Result with a positive errno number.
pub(crate) type Errno<T> = Result<T, i32>;

/// `RESOLVE_IN_ROOT` (openat2(2)): absolute links and `..` stay below the starting descriptor.
pub(crate) const IN_ROOT: u64 = 0x10;
/// `RESOLVE_NO_SYMLINKS`.
pub(crate) const NO_SYMLINKS: u64 = 0x04;
/// `RESOLVE_CACHED` (Linux 5.12): EAGAIN instead of asking the file system.
pub(crate) const CACHED: u64 = 0x20;

/// Size of the kernel's `struct stat` on this architecture.
const STAT_SIZE: usize = size_of::<libc::stat>();
/// Size of `struct statx`, the same everywhere.
const STATX_SIZE: usize = 256;
/// Size of the kernel's 64-bit `struct statfs`.
const STATFS_SIZE: usize = 120;
/// `struct new_utsname`: six fields of 65 bytes.
pub(crate) const UTSNAME_FIELD: usize = 65;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

fn check(result: libc::c_long) -> Errno<i64> {
    if result < 0 {
        Err(last_errno())
    } else {
        Ok(result)
    }
}

/// A path for the kernel; a NUL inside cannot come from a C string.
pub(crate) fn c_path(path: &[u8]) -> Errno<CString> {
    CString::new(path).map_err(|_| libc::EINVAL)
}

/// openat2(2).
pub(crate) fn openat2(
    dir: BorrowedFd<'_>,
    path: &[u8],
    flags: u64,
    mode: u64,
    resolve: u64,
) -> Errno<OwnedFd> {
    let path = c_path(path)?;
    let how = OpenHow {
        flags,
        mode,
        resolve,
    };
    // SAFETY: `path` and `how` outlive the call and the size is that of `how`.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            dir.as_raw_fd(),
            path.as_ptr(),
            &how as *const OpenHow,
            size_of::<OpenHow>(),
        )
    })?;
    // SAFETY: the kernel just gave us this descriptor and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// newfstatat(2) of a descriptor as the bytes of the kernel's `struct stat`.
pub(crate) fn stat_bytes(fd: BorrowedFd<'_>, flags: i32) -> Errno<Vec<u8>> {
    let mut buffer = vec![0u8; STAT_SIZE];
    // SAFETY: the buffer has the size of the structure the kernel fills.
    check(unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            buffer.as_mut_ptr(),
            libc::AT_EMPTY_PATH | flags,
        )
    })?;
    Ok(buffer)
}

/// The bytes of `struct stat` from a value we filled ourselves.
pub(crate) fn bytes_of_stat(stat: &libc::stat) -> Vec<u8> {
    // SAFETY: `libc::stat` is plain old data of exactly this size, fully initialised (zeroed).
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(stat).cast::<u8>(), STAT_SIZE) }.to_vec()
}

/// A zeroed `struct stat`.
pub(crate) fn empty_stat() -> libc::stat {
    // SAFETY: all fields are integers; zero is a valid value for each.
    unsafe { std::mem::zeroed() }
}

/// Inode number inside bytes that [`stat_bytes`] returned.
pub(crate) fn inode_of(stat: &[u8]) -> u64 {
    // `st_ino` is the second 64-bit word on x86_64 and aarch64.
    stat.get(8..16)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_ne_bytes)
}

/// Kind and permission bits, likewise.
pub(crate) fn mode_of(stat: &[u8]) -> u32 {
    let at = std::mem::offset_of!(libc::stat, st_mode);
    stat.get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_ne_bytes)
}

/// statx(2) of a descriptor as raw bytes.
pub(crate) fn statx_bytes(fd: BorrowedFd<'_>, flags: i32, mask: u32) -> Errno<Vec<u8>> {
    let mut buffer = vec![0u8; STATX_SIZE];
    // SAFETY: the buffer has the size of the structure the kernel fills.
    check(unsafe {
        libc::syscall(
            libc::SYS_statx,
            fd.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            mask,
            buffer.as_mut_ptr(),
        )
    })?;
    Ok(buffer)
}

/// fstatfs(2) as raw bytes.
pub(crate) fn statfs_bytes(fd: BorrowedFd<'_>) -> Errno<Vec<u8>> {
    let mut buffer = vec![0u8; STATFS_SIZE];
    // SAFETY: the buffer has the size of the kernel's 64-bit `struct statfs`.
    check(unsafe { libc::syscall(libc::SYS_fstatfs, fd.as_raw_fd(), buffer.as_mut_ptr()) })?;
    Ok(buffer)
}

/// uname(2) as raw bytes.
pub(crate) fn uname_bytes() -> Errno<Vec<u8>> {
    let mut buffer = vec![0u8; 6 * UTSNAME_FIELD];
    // SAFETY: `struct new_utsname` is six fields of 65 bytes.
    check(unsafe { libc::syscall(libc::SYS_uname, buffer.as_mut_ptr()) })?;
    Ok(buffer)
}

/// Device, owner and group of what a path names, without asking a file system's server:
/// `AT_STATX_DONT_SYNC` keeps FUSE from sending a message (fs/fuse/dir.c).
pub(crate) fn identity(path: &[u8]) -> Errno<Identity> {
    let path = c_path(path)?;
    // SAFETY: all fields of `struct statx` are integers; zero is a valid value.
    let mut st: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: `path` and `st` outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_statx,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_STATX_DONT_SYNC | libc::AT_NO_AUTOMOUNT,
            libc::STATX_UID | libc::STATX_GID | libc::STATX_INO,
            &mut st as *mut libc::statx,
        )
    })?;
    Ok(Identity {
        device: (st.stx_dev_major, st.stx_dev_minor),
        inode: st.stx_ino,
        uid: st.stx_uid,
        gid: st.stx_gid,
    })
}

/// What [`identity`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Major and minor number of the file system's device.
    pub device: (u32, u32),
    /// Inode number.
    pub inode: u64,
    /// Owner; of `/proc/TID`, the task's effective user id whatever its dumpable flag says
    /// (`task_dump_owner` in fs/proc/base.c).
    pub uid: u32,
    /// Group, likewise.
    pub gid: u32,
}

/// inotify_add_watch(2).
pub(crate) fn inotify_add_watch(fd: BorrowedFd<'_>, path: &[u8], mask: u32) -> Errno<i64> {
    let path = c_path(path)?;
    // SAFETY: `path` outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_inotify_add_watch,
            fd.as_raw_fd(),
            path.as_ptr(),
            mask,
        )
    })
}

/// truncate(2).
pub(crate) fn truncate(path: &[u8], length: i64) -> Errno<()> {
    let path = c_path(path)?;
    // SAFETY: `path` outlives the call.
    check(unsafe { libc::syscall(libc::SYS_truncate, path.as_ptr(), length) }).map(drop)
}

/// Our own effective ids, which every supervised program starts with.
pub(crate) fn own_ids() -> (u32, u32) {
    // SAFETY: these calls cannot fail and touch no memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Takes away this process's umask: what the kernel must apply is the *program's*, and the path
/// calls do that themselves.
pub(crate) fn clear_umask() {
    // SAFETY: changes only this process's mask and cannot fail.
    unsafe { libc::umask(0) };
}

/// Holds this *thread's* file-system ids at other values (setfsuid(2) by raw system call is per
/// thread), and puts them back when dropped.
pub(crate) struct FileIds {
    uid: u32,
    gid: u32,
}

impl FileIds {
    /// Changes the ids; without privilege the kernel keeps the old ones and the call goes on as
    /// ourselves, which can only be refused more, not less.
    pub(crate) fn assume(uid: u32, gid: u32) -> FileIds {
        let (own_uid, own_gid) = own_ids();
        set_fs_ids(uid, gid);
        FileIds {
            uid: own_uid,
            gid: own_gid,
        }
    }
}

impl Drop for FileIds {
    fn drop(&mut self) {
        set_fs_ids(self.uid, self.gid);
    }
}

fn set_fs_ids(uid: u32, gid: u32) {
    // SAFETY: both calls change only the calling thread's credentials and touch no memory. The
    // group goes first: without uid 0 it could not be changed any more.
    unsafe {
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsuid, uid);
    }
}
