//! What the constructor found out; written once, before the program's own code runs. Rules that
//! come into force later are read by the first call that sees them.

mod later;

use std::sync::OnceLock;

use mirrord_filter::table::{Place, Table};
use mirrord_rules::Rules;

/// There is a supervisor, and the page is mapped.
pub struct State {
    /// The shared table.
    pub table: Table,
    /// Where the rules were at the start.
    pub place: Place,
    /// The rules that were there.
    pub rules: Rules<'static>,
}

impl State {
    /// The rules in force; `None`: ask the supervisor, which knows them.
    pub fn rules(&'static self) -> Option<&'static Rules<'static>> {
        let place = self.table.place();
        if place == self.place {
            return Some(&self.rules);
        }
        later::rules(&self.table, place)
    }
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
