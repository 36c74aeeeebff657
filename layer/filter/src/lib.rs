//! The seccomp filter that turns calls over to the supervisor, and what goes with it.
//!
//! Used by the layer's constructor inside foreign programs, by the launcher and by the
//! supervisor; so it knows nothing of rules or sessions, allocates nothing, takes no lock, never
//! touches `errno` and never panics: everything here may run in a signal handler.

pub mod calls;
pub mod control;
pub mod environment;
pub mod hand_over;
pub mod install;
pub mod own_open;
pub mod page;
pub mod program;
pub mod segment;
pub mod sys;
pub mod table;

pub use sys::Errno;
