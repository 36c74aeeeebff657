//! The two ways into the kernel: the plain one, which the filter sees, and the one through the
//! pass-through page, which it lets by.
//!
//! The way through the page is a function with call frame information and a frame pointer, so
//! that a debugger that stops inside sees who called.

use mirrord_filter::{Errno, page, sys};

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".p2align 4",
    ".hidden mirrord_layer_pass",
    ".globl mirrord_layer_pass",
    ".type mirrord_layer_pass, @function",
    "mirrord_layer_pass:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov rax, rdi",
    "mov r11, rsi",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    "mov r11d, {page}",
    "call r11",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size mirrord_layer_pass, . - mirrord_layer_pass",
    page = const page::ADDRESS,
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".p2align 2",
    ".hidden mirrord_layer_pass",
    ".globl mirrord_layer_pass",
    ".type mirrord_layer_pass, %function",
    "mirrord_layer_pass:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset 29, -16",
    ".cfi_offset 30, -8",
    "mov x29, sp",
    ".cfi_def_cfa_register 29",
    "mov x8, x0",
    "mov x9, x1",
    "ldp x0, x1, [x9]",
    "ldp x2, x3, [x9, #16]",
    "ldp x4, x5, [x9, #32]",
    "movz x10, #{page}, lsl #16",
    "blr x10",
    "ldp x29, x30, [sp], #16",
    ".cfi_def_cfa 31, 0",
    "ret",
    ".cfi_endproc",
    ".size mirrord_layer_pass, . - mirrord_layer_pass",
    page = const page::ADDRESS >> 16,
);

unsafe extern "C" {
    fn mirrord_layer_pass(nr: i64, args: *const u64) -> u64;
}

/// Makes a call through the page.
///
/// # Safety
/// As the call itself; and the page must be mapped ([`page::map`]).
pub unsafe fn pass(nr: i64, args: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: passed on to the caller; the array lives through the call.
    sys::decode(unsafe { mirrord_layer_pass(nr, args.as_ptr()) })
}

/// Makes the plain call.
///
/// # Safety
/// As the call itself.
pub unsafe fn plain(nr: i64, args: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: passed on to the caller.
    unsafe { sys::call(nr, args) }
}
