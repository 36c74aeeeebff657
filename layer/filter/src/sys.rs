//! Raw system calls: no libc wrapper in between, so nothing that another library interposed is
//! called, and `errno` of the host program stays as it is.

/// A positive errno number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// Makes a system call with up to six arguments.
///
/// # Safety
/// As the call itself: pointers must be valid for what the call does with them, and what it
/// changes in this process must be wanted.
#[inline(always)]
pub unsafe fn call(nr: i64, args: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: passed on to the caller.
    decode(unsafe { raw(nr, args) })
}

/// Tells an error from a value as the kernel encodes them: the last 4095 values are errors.
#[inline(always)]
pub fn decode(value: u64) -> Result<u64, Errno> {
    const MAX_ERRNO: u64 = 4095;
    if value > u64::MAX - MAX_ERRNO {
        Err(Errno(value.wrapping_neg() as i32))
    } else {
        Ok(value)
    }
}

/// The instruction itself, with the kernel's own encoding of errors.
///
/// # Safety
/// See [`call`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub unsafe fn raw(nr: i64, args: [u64; 6]) -> u64 {
    let value;
    // SAFETY: syscall(2): rcx and r11 are overwritten, everything else is kept.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") nr as u64 => value,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    value
}

/// The instruction itself, with the kernel's own encoding of errors.
///
/// # Safety
/// See [`call`].
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub unsafe fn raw(nr: i64, args: [u64; 6]) -> u64 {
    let value;
    // SAFETY: syscall(2): only x0 is overwritten.
    unsafe {
        std::arch::asm!(
            "svc #0",
            in("x8") nr,
            inlateout("x0") args[0] => value,
            in("x1") args[1], in("x2") args[2], in("x3") args[3],
            in("x4") args[4], in("x5") args[5],
            options(nostack),
        );
    }
    value
}

/// close(2); an error has no meaning for the caller.
pub fn close(fd: i32) {
    // SAFETY: closing a descriptor touches no memory.
    let _ = unsafe { call(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]) };
}
