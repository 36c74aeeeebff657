//! See `mirrord_fuzz::packets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::packets::run(bytes));
