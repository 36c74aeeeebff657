//! See `mirrord_fuzz::launch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::launch::run(bytes));
