//! See `mirrord_fuzz::language`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mirrord_fuzz::language::run(bytes));
