//! The launch table: for each debug adapter, where everything is. A new debugger is a new row
//! here and needs no new release of an editor's plugin.
//!
//! The console makes no row of its own: in a terminal an adapter types the same variables and words
//! into a shell, where they are the program's alone.

mod managed;
mod native;
mod plain;
mod scripts;

use mirrord_editor_protocol::launch::Launch;

use crate::{
    adapter::{Adapter, Front, Serve, Shape, When},
    launch::{adapter_type, field, text},
};

/// All rows, in the order in which they are tried.
pub fn adapters() -> impl Iterator<Item = &'static Adapter> {
    [scripts::ROWS, managed::ROWS, native::ROWS, plain::ROWS]
        .into_iter()
        .flatten()
}

/// The names that an editor may send as `adapter`, for the answer to `initialize`.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = adapters().map(|row| row.name).collect();
    names.dedup();
    names
}

/// The row for a launch.
pub(crate) fn find(launch: &Launch) -> Option<&'static Adapter> {
    let called = adapter_type(launch);
    adapters().find(|row| row.is_called(called) && holds(row.when, launch))
}

fn holds(when: When, launch: &Launch) -> bool {
    match when {
        When::Always => true,
        When::Has(name) => field(launch, name).is_some(),
        When::HasNone(fields) => {
            launch.raw.is_some() && fields.iter().all(|name| field(launch, name).is_none())
        }
        When::Is(name, wanted) => {
            text(launch, name).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        }
    }
}

/// What a row says when it says nothing else.
const BASE: Adapter = Adapter {
    name: "",
    types: &[],
    when: When::Always,
    serve: Serve::Yes,
    env: "env",
    shape: Shape::Object,
    null_unsets: false,
    executable: &[],
    default_executable: None,
    front: Front::Nowhere("use another debugger"),
    ports: &[],
    helpers: &[],
};

/// For a debug adapter that has no row: most keep an object in `env`.
pub(crate) static UNKNOWN: Adapter = Adapter {
    name: "unknown",
    executable: &["runtimeExecutable", "program"],
    ..BASE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_condition_ends_the_rows_of_its_names() {
        let rows: Vec<_> = adapters().collect();
        for (index, row) in rows.iter().enumerate() {
            if row.when != When::Always {
                continue;
            }
            for later in &rows[index + 1..] {
                for name in later.types.iter().chain([&later.name]) {
                    assert!(!row.is_called(name), "{name} is never found in its row");
                }
            }
        }
    }

    #[test]
    fn what_the_contract_names_has_a_row() {
        let names = names();
        for name in [
            "debugpy", "delve", "js-debug", "jdwp", "cppdbg", "lldb", "gdb", "coreclr", "rdbg",
            "php", "run",
        ] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
    }
}
