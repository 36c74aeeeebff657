//! See `mirrord_fuzz::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::codec::run(bytes));
