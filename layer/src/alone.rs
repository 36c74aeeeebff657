//! Symbols that Rust's standard library refers to and a program's C library may not have.
//!
//! They are hidden: nothing else in the program sees them. None is ever called: the layer does
//! not panic (if it did, the failed unwinding would abort), keeps no thread-local values with
//! destructors, and opens no files of its own.

#[cfg(not(test))]
macro_rules! hidden_failures {
    ($($name:literal),* $(,)?) => {
        std::arch::global_asm!(
            $(
                concat!(".hidden ", $name),
                concat!(".globl ", $name),
                concat!(".type ", $name, ", @function"),
                concat!($name, ":"),
            )*
            #[cfg(target_arch = "x86_64")]
            "mov eax, -1",
            #[cfg(target_arch = "aarch64")]
            "mov w0, #-1",
            "ret",
        );
    };
}

// libgcc_s, which a program in C does not load.
#[cfg(not(test))]
hidden_failures!(
    "_Unwind_Backtrace",
    "_Unwind_DeleteException",
    "_Unwind_FindEnclosingFunction",
    "_Unwind_GetCFA",
    "_Unwind_GetDataRelBase",
    "_Unwind_GetIP",
    "_Unwind_GetIPInfo",
    "_Unwind_GetLanguageSpecificData",
    "_Unwind_GetRegionStart",
    "_Unwind_GetTextRelBase",
    "_Unwind_RaiseException",
    "_Unwind_Resume",
    "_Unwind_SetGR",
    "_Unwind_SetIP",
);

// glibc before 2.34 keeps these in libpthread, and before 2.33 had no function `fstat64`.
#[cfg(not(test))]
hidden_failures!(
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_setspecific",
    "pthread_getspecific",
    "fstat64",
);
