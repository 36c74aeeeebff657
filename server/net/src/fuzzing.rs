//! Where bytes of the program are read in this crate, for the fuzzer (`fuzz/`) alone: each function
//! takes any bytes, and panics when a promise is broken.

pub use crate::outgoing::any_question;
