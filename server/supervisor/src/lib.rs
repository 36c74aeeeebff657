//! Answers the system calls of supervised programs (see `docs/architecture.md`).

pub mod call;
