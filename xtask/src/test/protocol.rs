//! The `protocol` stage: `tests/protocol`, a client on libraries that nobody here wrote, speaks to
//! the built product.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Count;
use crate::command::{self, root, run as run_command};
use crate::prerequisites::{self, on_path};
use crate::{build, prerequisites::Needed};

/// The oldest Node whose test runner is used.
const OLDEST_NODE: u32 = 20;

const NODE: &[Needed] = &[("node", "nodejs"), ("npm", "npm")];

/// What single suites need beside it; each skips itself, and says so, where something is missing.
const SUITES: &[Needed] = &[
    ("nvim", "neovim"),
    ("python3", "python3"),
    ("go", "golang-go"),
];

/// Runs it.
pub fn run() -> Result<Count> {
    if let Some(why) = missing()? {
        println!("-- protocol: skipped: {why}");
        return Ok(Count {
            skipped: 1,
            ..Count::default()
        });
    }
    let product = build::product(build::Profile::Dev)?;
    let folder = root().join("tests/protocol");
    run_command(npm(&folder).args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]))
        .context("could not install the client's libraries from npm")?;
    let mut tests = npm(&folder);
    tests
        .args(["test", "--silent"])
        .env("MIRRORD_TEST_BIN", &product)
        .stdout(Stdio::piped());
    println!("-- {tests:?}");
    let mut child = tests.spawn().context("could not start npm")?;
    let mut printed = String::new();
    // Shown as it comes: the suites take minutes.
    for line in BufReader::new(child.stdout.take().context("piped")?).lines() {
        let line = line.context("could not read the report")?;
        println!("{line}");
        printed.push_str(&line);
        printed.push('\n');
    }
    let status = child.wait().context("could not wait for npm")?;
    Ok(Count::of_tap(&printed, status.success()))
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

/// Why nothing can be run here; as root the programs are installed first.
fn missing() -> Result<Option<String>> {
    let can_install = command::is_root() && on_path("apt-get");
    for needed in NODE.iter().chain(SUITES) {
        if on_path(needed.0) {
            continue;
        }
        let installed = can_install
            && prerequisites::say_what_is_missing(std::slice::from_ref(needed))
                .inspect_err(|error| println!("-- {}: {error:#}", needed.0))
                .is_ok();
        if !installed && NODE.contains(needed) {
            return Ok(Some(format!(
                "{} is missing; install it with: sudo apt-get install -y {}",
                needed.0, needed.1
            )));
        }
    }
    let version = command::output(Command::new("node").arg("--version"))?;
    Ok(match major(&version) {
        Some(major) if major >= OLDEST_NODE => None,
        Some(major) => Some(format!(
            "Node {major} is too old for the test client, which needs {OLDEST_NODE}"
        )),
        None => bail!("node printed {version:?} for its version"),
    })
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn nodes_version_is_read() {
        assert_eq!(super::major("v20.20.2\n"), Some(20));
        assert_eq!(super::major("node 20"), None);
    }
}
