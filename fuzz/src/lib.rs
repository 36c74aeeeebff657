//! What is fuzzed: one function for each border on which bytes of others arrive. Each takes any
//! bytes and panics when a promise is broken.
//!
//! Two callers: the fuzzer's programs in `fuzz_targets` (a nightly compiler and `cargo fuzz`), and
//! the ordinary test that replays the seeds on every run of the `unit` stage.

#![forbid(unsafe_code)]

pub mod codec;
pub mod config;
/// The server's own file: a binary crate cannot be linked to.
#[path = "../../server/src/daemon/framing.rs"]
#[allow(dead_code, reason = "not all of it is tried")]
mod daemon_framing;
pub mod dns;
pub mod framing;
pub mod joining;
pub mod language;
pub mod launch;
pub mod link;
pub mod packets;

/// A target: it takes any bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its seeds' folder and of the fuzzer's program.
pub const TARGETS: &[(&str, Target)] = &[
    ("codec", codec::run),
    ("config", config::run),
    ("dns", dns::run),
    ("framing", framing::run),
    ("joining", joining::run),
    ("language", language::run),
    ("launch", launch::run),
    ("link", link::run),
    ("packets", packets::run),
];
