//! Where bytes of strangers arrive in this crate, for the fuzzer (`fuzz/`) alone: each function
//! takes any bytes, and panics when a promise is broken.

pub use crate::incoming::any_packets;
pub use crate::resolve::any_answer;
