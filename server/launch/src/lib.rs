//! What has to change in a launch so that its program joins a session.
//!
//! Every debug adapter keeps its environment somewhere else, names its executable differently and
//! uses its own port; all of that is data in [`table`]. [`plan()`] turns one launch, as an editor
//! sends it, into changes that the editor only applies. It is called by the daemon, knows no
//! file, process or session, and the same launch planned twice stays the same. Only
//! [`executable`] opens files: it gathers the facts that a plan needs.

#![forbid(unsafe_code)]

mod adapter;
mod container;
mod environment;
pub mod executable;
mod facts;
mod front;
mod launch;
mod outside;
mod patch;
mod plan;
mod planner;
mod ports;
mod preload;
pub mod table;

pub use adapter::{Adapter, Front, GdbCommands, Port, Serve, Shape, When};
pub use facts::{CLibrary, ExecutableFacts, Facts, FileType};
pub use launch::Injection;
pub use plan::{Plan, Refusal};
pub use planner::{plan, subject};

/// Path of the session's hand-over socket.
pub const SUPERVISOR: &str = "MIRRORD_SUPERVISOR";
/// The one-time token of this launch.
pub const TOKEN: &str = "MIRRORD_LAUNCH_TOKEN";
/// The program that our executable stands for, where a setting takes one executable and no
/// arguments: started with this variable, `mirrord-server` is the launcher of that program.
pub const STAND_FOR: &str = "MIRRORD_STAND_FOR";
/// The dynamic loader's list of libraries.
pub const PRELOAD: &str = "LD_PRELOAD";
/// The role in which our executable stands in front of a program.
pub const LAUNCH_ROLE: &str = "@launch";
