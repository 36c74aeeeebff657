//! The `vscode` stage: a real VS Code with real debuggers (`editors/vscode/test/e2e`).

use std::process::Command;

use anyhow::Result;

use super::{Count, node};
use crate::build;
use crate::command::root;
use crate::prerequisites::Needed;

/// The oldest Node that installs the one which the tests run on.
const OLDEST_NODE: u32 = 18;

const PROGRAMS: &[Needed] = &[
    ("chromium", "chromium"),
    ("lldb-dap-19", "lldb-19"),
    ("python3", "python3"),
    ("pip3", "python3-pip"),
    ("cc", "gcc"),
    ("go", "golang-go"),
    ("curl", "curl"),
];

/// Runs it.
pub fn run() -> Result<Count> {
    if let Some(why) = node::missing(OLDEST_NODE, PROGRAMS, &[])? {
        println!("-- vscode: skipped: {why}");
        return Ok(Count {
            skipped: 1,
            ..Count::default()
        });
    }
    let product = build::product(build::Profile::Dev)?;
    let mut tests = Command::new("node");
    tests
        .arg(root().join("editors/vscode/test/e2e/run.js"))
        .env("MIRRORD_TEST_BIN", &product);
    node::tap(tests)
}
