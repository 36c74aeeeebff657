//! See `mirrord_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::config::run(bytes));
