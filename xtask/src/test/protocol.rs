//! The `protocol` stage: `tests/protocol`, a client on libraries that nobody here wrote, speaks to
//! the built product.

use anyhow::Result;

use super::{Count, node};
use crate::command::root;
use crate::{build, prerequisites::Needed};

/// The oldest Node whose test runner is used.
const OLDEST_NODE: u32 = 20;

/// What single suites need; each skips itself, and says so, where something is missing.
const SUITES: &[Needed] = &[
    ("nvim", "neovim"),
    ("python3", "python3"),
    ("go", "golang-go"),
];

/// Runs it.
pub fn run() -> Result<Count> {
    if let Some(why) = node::missing(OLDEST_NODE, &[], SUITES)? {
        println!("-- protocol: skipped: {why}");
        return Ok(Count {
            skipped: 1,
            ..Count::default()
        });
    }
    let product = build::product(build::Profile::Dev)?;
    let folder = root().join("tests/protocol");
    node::install(&folder)?;
    let mut tests = node::npm(&folder);
    tests
        .args(["test", "--silent"])
        .env("MIRRORD_TEST_BIN", &product);
    node::tap(tests)
}
