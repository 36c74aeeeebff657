//! What the core asks of the modules that know paths and sockets.

use crate::{
    call::{Call, Plan},
    tracee::Tracee,
};

/// Makes plans for a set of system calls. Called on the thread that received the notification,
/// so a plan must be made without waiting: whatever may block goes into [`Plan::Blocking`].
pub trait Handler: Send + Sync {
    /// The system call numbers (of this architecture) that this handler wants. A call that two
    /// handlers want goes to the one that is named first in [`crate::run()`].
    fn calls(&self) -> &'static [i64];

    /// Decides what becomes of one call.
    fn plan(&self, call: &Call, tracee: &Tracee) -> Plan;

    /// A process joins the session; those that it starts from now on are in it by inheritance.
    fn process_joins(&self, _pid: i32) {}

    /// A supervised process called `execve(2)` and it succeeded: what is kept about it and is
    /// not inherited over an exec can go.
    fn process_replaced(&self, _tgid: i32) {}

    /// A supervised process is gone: drop what is kept about it.
    fn process_ended(&self, _tgid: i32) {}
}
