//! The local/remote decision: which paths, destinations and ports are the pod's.
//!
//! Rules are compiled once, in the session, to one flat block of bytes ([`compile()`]), which every
//! process maps or borrows ([`Rules::from_bytes`]). Deciding allocates nothing, takes no lock and
//! makes no system call, so that the layer can do it inside a signal handler. The meaning is that
//! of mirrord's configuration (`feature.fs`, `feature.network`); where we differ, the module that
//! differs says why.

#![forbid(unsafe_code)]

mod address;
mod aligned;
mod block;
mod change;
mod compile;
mod decide;
mod defaults;
mod error;
mod mapper;
mod network;
mod pattern;
mod program;
mod source;

pub use address::{AddressError, AddressFilter, Host, Proto};
pub use aligned::AlignedBlock;
pub use change::{ChangeError, Changed, choose_host, choose_path};
pub use compile::{check, compile};
pub use decide::{Access, PathDecision, PathPlace, Rule, Rules, is_plain};
pub use error::{BlockError, CompileError};
pub use mapper::Mapper;
pub use network::{
    DnsDecision, IncomingDecision, IncomingMode, NameFilter, OutgoingDecision, OutgoingPlace, Side,
};
pub use source::{
    DnsSource, FsMode, FsSource, HttpFiltered, IncomingSource, Machine, OutgoingSource, RuleSource,
};
