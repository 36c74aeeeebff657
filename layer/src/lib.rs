//! The layer: what makes local calls quick inside a supervised program.
//!
//! Brought in by `LD_PRELOAD`. Its constructor makes sure that the program is supervised (the
//! filter is on, the listener handed over); then it stands before libc's path-taking functions
//! and decides: what is surely local goes through the pass-through page and costs nothing, all
//! else is the plain call, which the supervisor answers. Without a supervisor every function here
//! is the plain call. It must not disturb its host: it allocates nothing, takes no lock, never
//! panics, starts no thread, and may run in a signal handler.

mod alone;
mod errno;
mod gate;
mod interpose;
mod memory;
mod next;
mod path;
mod route;
mod start;
mod state;
