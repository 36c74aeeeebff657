//! See `mirrord_fuzz::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::framing::run(bytes));
