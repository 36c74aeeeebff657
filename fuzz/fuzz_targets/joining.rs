//! See `mirrord_fuzz::joining`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::joining::run(bytes));
