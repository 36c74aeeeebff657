//! The pass-through page: one page at a fixed address whose system call the filter lets pass.
//!
//! The layer makes calls that are surely local through it. The address is part of the filter, so
//! it is the same in every process of a session; the page is mapped anew after each `execve(2)`
//! and inherited over `fork(2)`.

use crate::sys::{self, Errno};

/// Address of the page: above where non-PIE programs and their heaps begin, below 2 GiB where
/// AddressSanitizer keeps its low memory, and in the middle of nothing the kernel picks itself.
pub const ADDRESS: u64 = 0x7010_0000;

/// Size of the page, which is also the size of the range that the filter lets pass. 64 KiB pages
/// of some aarch64 kernels hold it once.
pub const SIZE: u64 = 4096;

/// System call and return.
#[cfg(target_arch = "x86_64")]
const CODE: [u8; 3] = [0x0f, 0x05, 0xc3];

/// `svc #0`, `ret`.
#[cfg(target_arch = "aarch64")]
const CODE: [u8; 8] = [0x01, 0x00, 0x00, 0xd4, 0xc0, 0x03, 0x5f, 0xd6];

/// Maps the page into this process. `EEXIST`: something else is there, and the caller goes
/// without.
pub fn map() -> Result<(), Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE) as u64;
    // SAFETY: a fresh mapping that replaces nothing (MAP_FIXED_NOREPLACE).
    let got = unsafe {
        sys::call(
            libc::SYS_mmap,
            [ADDRESS, SIZE, protection, flags, u64::MAX, 0],
        )
    }?;
    if got != ADDRESS {
        // Kernels before 4.17 take the flag for a hint.
        unmap(got);
        return Err(Errno(libc::EEXIST));
    }
    // SAFETY: the page was mapped writable just now and nobody else knows it.
    unsafe { std::ptr::copy_nonoverlapping(CODE.as_ptr(), ADDRESS as *mut u8, CODE.len()) };
    synchronise();
    let protection = (libc::PROT_READ | libc::PROT_EXEC) as u64;
    // SAFETY: our own page.
    let made = unsafe { sys::call(libc::SYS_mprotect, [ADDRESS, SIZE, protection, 0, 0, 0]) };
    made.map(|_| ()).inspect_err(|_| unmap(ADDRESS))
}

fn unmap(address: u64) {
    // SAFETY: only called with what `map` mapped itself.
    let _ = unsafe { sys::call(libc::SYS_munmap, [address, SIZE, 0, 0, 0, 0]) };
}

#[cfg(target_arch = "x86_64")]
fn synchronise() {}

/// Instruction caches do not see stores by themselves here.
#[cfg(target_arch = "aarch64")]
fn synchronise() {
    // SAFETY: cleans and invalidates the two lines that the code may lie in.
    unsafe {
        std::arch::asm!("dc cvau, {0}", "dsb ish", "ic ivau, {0}", "dsb ish", "isb", in(reg) ADDRESS);
    }
}
