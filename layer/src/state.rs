//! What the constructor found out; written once, before the program's own code runs.

use std::sync::OnceLock;

use mirrord_filter::table::Table;
use mirrord_rules::Rules;

/// There is a supervisor, and the page is mapped.
pub struct State {
    /// The shared table.
    pub table: Table,
    /// The rules in it.
    pub rules: Rules<'static>,
}

// Reading it is one atomic load, also in a signal handler.
static STATE: OnceLock<State> = OnceLock::new();

/// The state, unless every call is to be the plain one.
pub fn get() -> Option<&'static State> {
    STATE.get()
}

/// Called by the constructor.
pub fn set(state: State) {
    // A second layer in one process changes nothing.
    let _ = STATE.set(state);
}
