//! What the stages that run on Node share: whether it is here, `npm`, and reports as TAP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Count;
use crate::command::{self, run as run_command};
use crate::prerequisites::{self, Needed, on_path};

/// What every such stage needs.
const NODE: &[Needed] = &[("node", "nodejs"), ("npm", "npm")];

/// `npm` in a folder.
pub fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

/// Installs the libraries that a folder's lock names.
pub fn install(folder: &Path) -> Result<()> {
    run_command(npm(folder).args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]))
        .with_context(|| format!("could not install the libraries of {}", folder.display()))
}

/// Runs tests that report as TAP. The report is shown as it comes: the suites take minutes.
pub fn tap(mut tests: Command) -> Result<Count> {
    println!("-- {tests:?}");
    let mut child = tests
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {tests:?}"))?;
    let mut printed = String::new();
    for line in BufReader::new(child.stdout.take().context("piped")?).lines() {
        let line = line.context("could not read the report")?;
        println!("{line}");
        printed.push_str(&line);
        printed.push('\n');
    }
    let status = child.wait().context("could not wait for the tests")?;
    Ok(Count::of_tap(&printed, status.success()))
}

/// Why nothing can be run here: Node is older than `oldest` (a major release), or a program of
/// `needed` is missing. As root the programs are installed first, and so are those of `suites`,
/// without which single suites skip themselves.
pub fn missing(oldest: u32, needed: &[Needed], suites: &[Needed]) -> Result<Option<String>> {
    let can_install = command::is_root() && on_path("apt-get");
    for (program, is_needed) in NODE
        .iter()
        .chain(needed)
        .map(|program| (program, true))
        .chain(suites.iter().map(|program| (program, false)))
    {
        if on_path(program.0) {
            continue;
        }
        let installed = can_install
            && prerequisites::say_what_is_missing(std::slice::from_ref(program))
                .inspect_err(|error| println!("-- {}: {error:#}", program.0))
                .is_ok();
        if !installed && is_needed {
            return Ok(Some(format!(
                "{} is missing; install it with: sudo apt-get install -y {}",
                program.0, program.1
            )));
        }
    }
    let version = command::output(Command::new("node").arg("--version"))?;
    Ok(match major(&version) {
        Some(major) if major >= oldest => None,
        Some(major) => Some(format!("Node {major} is too old; {oldest} is needed")),
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
