//! `syscall(2)` by number, which libuv (Node) calls for `statx`.
//!
//! The numbers of interposed functions go to these; all others are made as libc makes them. That
//! part has no frame of its own: a `clone` by number returns twice, once perhaps on another stack.

use std::{
    arch::naked_asm,
    ffi::{c_int, c_long, c_uint},
};

use mirrord_filter::sys;

use super::{access, link, message, open, stat};
use crate::errno::give;

/// # Safety
/// As syscall(2).
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall() -> c_long {
    naked_asm!(
        "cmp rdi, {openat}",
        "je {interposed}",
        "cmp rdi, {newfstatat}",
        "je {interposed}",
        "cmp rdi, {statx}",
        "je {interposed}",
        "cmp rdi, {faccessat}",
        "je {interposed}",
        "cmp rdi, {readlinkat}",
        "je {interposed}",
        "cmp rdi, {sendmsg}",
        "je {interposed}",
        "cmp rdi, {recvmsg}",
        "je {interposed}",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 2f",
        "ret",
        "2:",
        "mov rdi, rax",
        "jmp {failed}",
        openat = const libc::SYS_openat,
        newfstatat = const libc::SYS_newfstatat,
        statx = const libc::SYS_statx,
        faccessat = const libc::SYS_faccessat,
        readlinkat = const libc::SYS_readlinkat,
        sendmsg = const libc::SYS_sendmsg,
        recvmsg = const libc::SYS_recvmsg,
        interposed = sym interposed,
        failed = sym failed,
    );
}

/// # Safety
/// As syscall(2).
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall() -> c_long {
    naked_asm!(
        "cmp x0, #{openat}",
        "b.eq 2f",
        "cmp x0, #{newfstatat}",
        "b.eq 2f",
        "cmp x0, #{statx}",
        "b.eq 2f",
        "cmp x0, #{faccessat}",
        "b.eq 2f",
        "cmp x0, #{readlinkat}",
        "b.eq 2f",
        "cmp x0, #{sendmsg}",
        "b.eq 2f",
        "cmp x0, #{recvmsg}",
        "b.eq 2f",
        "mov x8, x0",
        "mov x0, x1",
        "mov x1, x2",
        "mov x2, x3",
        "mov x3, x4",
        "mov x4, x5",
        "mov x5, x6",
        "svc #0",
        "cmn x0, #4095",
        "b.cs 3f",
        "ret",
        "2:",
        "b {interposed}",
        "3:",
        "b {failed}",
        openat = const libc::SYS_openat,
        newfstatat = const libc::SYS_newfstatat,
        statx = const libc::SYS_statx,
        faccessat = const libc::SYS_faccessat,
        readlinkat = const libc::SYS_readlinkat,
        sendmsg = const libc::SYS_sendmsg,
        recvmsg = const libc::SYS_recvmsg,
        interposed = sym interposed,
        failed = sym failed,
    );
}

/// The numbers that [`syscall`] does not make itself.
///
/// # Safety
/// As syscall(2). What the call has no use for is whatever the registers held.
unsafe extern "C-unwind" fn interposed(
    nr: c_long,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
) -> c_long {
    let fd = a as c_int;
    // SAFETY: passed on to the caller: these are the call's arguments.
    unsafe {
        match nr {
            libc::SYS_openat => open::openat(fd, b as _, c as c_int, d as c_uint).into(),
            libc::SYS_newfstatat => stat::fstatat(fd, b as _, c as _, d as c_int).into(),
            libc::SYS_statx => stat::statx(fd, b as _, c as c_int, d as c_uint, e as _).into(),
            // The call has no flags (access(2)); the function's are libc's or faccessat2's.
            libc::SYS_faccessat => access::faccessat(fd, b as _, c as c_int, 0).into(),
            libc::SYS_readlinkat => link::readlinkat(fd, b as _, c as _, d as usize) as c_long,
            libc::SYS_sendmsg => message::sendmsg(fd, b as _, c as c_int) as c_long,
            libc::SYS_recvmsg => message::recvmsg(fd, b as _, c as c_int) as c_long,
            _ => failed((libc::ENOSYS as u64).wrapping_neg()),
        }
    }
}

/// Sets errno by what the kernel returned.
extern "C" fn failed(value: u64) -> c_long {
    give(sys::decode(value))
}

#[cfg(test)]
mod tests {
    use std::{ffi::c_void, io, ptr};

    use super::*;

    #[test]
    fn numbers_are_called_with_all_their_arguments() {
        let fd = tempfile();
        // SAFETY: a page of the file at an offset, the sixth argument.
        let (pid, page) = unsafe {
            let page = libc::syscall(
                libc::SYS_mmap,
                ptr::null::<c_void>(),
                4096usize,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                fd,
                4096usize,
            );
            (libc::syscall(libc::SYS_getpid), page)
        };
        assert_eq!(pid, std::process::id().into());
        // SAFETY: just mapped; 4096 bytes of the file come before.
        assert_eq!(unsafe { *(page as *const u8) }, b'!');
        // SAFETY: changes nothing.
        assert_eq!(unsafe { libc::syscall(libc::SYS_close, -1) }, -1);
        let errno = io::Error::last_os_error().raw_os_error();
        assert_eq!(errno, Some(libc::EBADF));
    }

    #[test]
    fn interposed_numbers_do_the_same() {
        let mut found: libc::statx = stat(c"/");
        assert_eq!(found.stx_mode & 0o170000, 0o040000);
        found = stat(c"/dev/null");
        assert_eq!(found.stx_mode & 0o170000, 0o020000);
        // SAFETY: as statx(2).
        let missing = unsafe {
            let path = c"/no/such/name".as_ptr();
            let (mask, at) = (libc::STATX_BASIC_STATS, libc::AT_FDCWD);
            libc::syscall(libc::SYS_statx, at, path, 0, mask, &raw mut found)
        };
        assert_eq!(missing, -1);
        let errno = io::Error::last_os_error().raw_os_error();
        assert_eq!(errno, Some(libc::ENOENT));
    }

    fn stat(path: &std::ffi::CStr) -> libc::statx {
        // SAFETY: zeros are a valid statx, which the kernel fills in.
        unsafe {
            let mut found: libc::statx = std::mem::zeroed();
            let (mask, at) = (libc::STATX_BASIC_STATS, libc::AT_FDCWD);
            let to = &raw mut found;
            assert_eq!(
                libc::syscall(libc::SYS_statx, at, path.as_ptr(), 0, mask, to),
                0
            );
            found
        }
    }

    /// A page of dots and then an exclamation mark.
    fn tempfile() -> c_int {
        // SAFETY: a fresh descriptor, closed with the test's process.
        let fd = unsafe { libc::memfd_create(c"test".as_ptr(), 0) };
        let mut bytes = vec![b'.'; 4096];
        bytes.push(b'!');
        // SAFETY: writes bytes of ours.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        assert_eq!(written, 4097);
        fd
    }
}
