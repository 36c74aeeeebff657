//! `execl`, `execlp` and `execle`, whose arguments come one by one.
//!
//! Rust has no such functions. A few instructions lay the arguments that come in registers behind
//! one another; those on the stack lie so already (System V ABI for x86-64, 3.5.7; AAPCS64, 6.8.2).

use std::{
    arch::naked_asm,
    ffi::{c_char, c_int},
};

use super::{List, SHORT, environ, execve, execvpe};
use crate::{errno::give, memory};

/// So many of the arguments behind the name come in registers.
#[cfg(target_arch = "x86_64")]
const IN_REGISTERS: usize = 5;
#[cfg(target_arch = "aarch64")]
const IN_REGISTERS: usize = 7;

/// Calls a function with the name, where the arguments of the registers lie, and where those of the
/// stack do.
#[cfg(target_arch = "x86_64")]
macro_rules! gathered {
    ($by:path) => {
        naked_asm!(
            "push r9",
            "push r8",
            "push rcx",
            "push rdx",
            "push rsi",
            "mov rsi, rsp",
            // Behind the five is where to return to.
            "lea rdx, [rsp + 48]",
            "call {by}",
            "add rsp, 40",
            "ret",
            by = sym $by,
        )
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! gathered {
    ($by:path) => {
        naked_asm!(
            "stp x29, x30, [sp, #-80]!",
            "mov x29, sp",
            "stp x1, x2, [sp, #16]",
            "stp x3, x4, [sp, #32]",
            "stp x5, x6, [sp, #48]",
            "str x7, [sp, #64]",
            "add x1, sp, #16",
            "add x2, sp, #80",
            "bl {by}",
            "ldp x29, x30, [sp], #80",
            "ret",
            by = sym $by,
        )
    };
}

/// # Safety
/// As execl(3).
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execl(path: *const c_char, first: *const c_char) -> c_int {
    gathered!(by_path)
}

/// # Safety
/// As execlp(3).
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execlp(file: *const c_char, first: *const c_char) -> c_int {
    gathered!(by_name)
}

/// # Safety
/// As execle(3).
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execle(path: *const c_char, first: *const c_char) -> c_int {
    gathered!(with_environment)
}

/// # Safety
/// As execl(3), of which these are the arguments.
unsafe extern "C" fn by_path(path: *const c_char, registers: List, stack: List) -> c_int {
    // SAFETY: passed on to the caller; the environment as libc itself reads it.
    unsafe { listed(registers, stack, |list, _| execve(path, list, environ)) }
}

/// # Safety
/// As execlp(3), of which these are the arguments.
unsafe extern "C" fn by_name(file: *const c_char, registers: List, stack: List) -> c_int {
    // SAFETY: passed on to the caller; the environment as libc itself reads it.
    unsafe { listed(registers, stack, |list, _| execvpe(file, list, environ)) }
}

/// # Safety
/// As execle(3), of which these are the arguments.
unsafe extern "C" fn with_environment(path: *const c_char, registers: List, stack: List) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe {
        listed(registers, stack, |list, behind| {
            execve(path, list, behind.cast())
        })
    }
}

/// Gives the arguments as a list, and what stands behind the null at their end.
///
/// # Safety
/// There is a null among the arguments; something stands behind it if that is looked at.
unsafe fn listed(
    registers: List,
    stack: List,
    execute: impl FnOnce(List, *const c_char) -> c_int,
) -> c_int {
    // SAFETY: up to the null, by the caller's promise; the word behind it lies on the stack, where
    // there are other things if it is not an argument.
    let argument = |at: usize| unsafe {
        match at.checked_sub(IN_REGISTERS) {
            None => registers.add(at).read(),
            Some(at) => stack.add(at).read(),
        }
    };
    let mut count = 0;
    while !argument(count).is_null() {
        count += 1;
    }
    let mut short = [std::ptr::null::<c_char>(); SHORT];
    let mut long = None;
    let list: &mut [*const c_char] = if count < SHORT {
        &mut short
    } else {
        match memory::zeros((count + 1) * size_of::<*const c_char>()) {
            // SAFETY: page aligned, zeroed, of this length, and ours alone.
            Ok(fresh) => unsafe {
                let words = fresh.as_mut_ptr().cast();
                long = Some(fresh);
                std::slice::from_raw_parts_mut(words, count + 1)
            },
            Err(errno) => return give(Err(errno)) as c_int,
        }
    };
    for (at, place) in list.iter_mut().take(count).enumerate() {
        *place = argument(at);
    }
    let failed = execute(list.as_ptr(), argument(count + 1));
    if let Some(long) = long {
        memory::unmap(long);
    }
    failed
}
