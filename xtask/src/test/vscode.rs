//! The `vscode` stage: the extension's own tests, its package, and that package in a real VS Code
//! with real debuggers (`editors/vscode/test/e2e`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Count, node};
use crate::build;
use crate::command::{self, root};
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
    let extension = root().join("editors/vscode");
    node::install(&extension)?;
    let mut count = lint(&extension);
    count += node::tap(script(&extension, "test"))?;
    let folder = tempfile::Builder::new()
        .prefix("mirrord-vscode-")
        .tempdir()?;
    let vsix = pack(&extension, &product, folder.path())?;
    count += node::tap(end_to_end(&extension, &vsix, &product))?;
    Ok(count)
}

fn lint(extension: &Path) -> Count {
    let lint = command::run(&mut script(extension, "lint"));
    if let Err(error) = &lint {
        println!("-- lint: {error:#}");
    }
    Count::one(lint.is_ok(), "lint of the extension")
}

/// The `.vsix` with this product's programs.
fn pack(extension: &Path, product: &Path, folder: &Path) -> Result<PathBuf> {
    let vsix = folder.join("mirrord-server.vsix");
    let mut pack = script(extension, "package");
    pack.arg("--")
        .arg("--product")
        .arg(product)
        .arg("--out")
        .arg(&vsix);
    command::run(&mut pack).context("the extension could not be packed")?;
    Ok(vsix)
}

fn end_to_end(extension: &Path, vsix: &Path, product: &Path) -> Command {
    let mut tests = Command::new("node");
    tests
        .arg(extension.join("test/e2e/run.js"))
        .arg("--vsix")
        .arg(vsix)
        .env("MIRRORD_TEST_BIN", product);
    tests
}

fn script(extension: &Path, name: &str) -> Command {
    let mut command = node::npm(extension);
    command.args(["run", "--silent", name]);
    command
}
