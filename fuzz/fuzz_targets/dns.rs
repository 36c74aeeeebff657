//! See `mirrord_fuzz::dns`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::dns::run(bytes));
