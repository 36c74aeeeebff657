//! `cargo xtask fuzz`: searches for inputs that break a promise. What was found once is tried with
//! every run of the tests; this is for finding more.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{root, run};

/// One input may take no longer, in seconds.
const SLOWEST: u32 = 25;
/// One input may take no more memory, in MiB; there is one process for each target.
const MOST_MEMORY: u32 = 2048;

/// Searches in each of the named targets (in all, when none is named) for so many seconds.
pub fn search(targets: &[String], seconds: u32) -> Result<()> {
    let installed = cargo_fuzz()
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        bail!(
            "cargo-fuzz or a nightly compiler is missing: `rustup toolchain install nightly` and \
             `cargo install cargo-fuzz`"
        );
    }
    let known = known()?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        bail!(
            "there is no target {unknown}; there are: {}",
            known.join(", ")
        );
    }
    let targets = if targets.is_empty() { &known } else { targets };
    for target in targets {
        println!("== {target}");
        let found = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(root().join(&found))
            .with_context(|| format!("could not make {found}"))?;
        let seeds = format!("fuzz/seeds/{target}");
        let limits = [
            format!("-max_total_time={seconds}"),
            format!("-timeout={SLOWEST}"),
            format!("-rss_limit_mb={MOST_MEMORY}"),
        ];
        // What is tried is safe Rust: the address sanitizer would only make each try slower.
        run(cargo_fuzz()
            .args(["run", "--features", "libfuzzer", "--sanitizer", "none"])
            .args([target, &found, &seeds])
            .arg("--")
            .args(limits)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"))
        .with_context(|| format!("{target} broke a promise, or could not be built"))?;
    }
    Ok(())
}

/// `cargo fuzz`, which needs a nightly compiler whatever the repository's own is.
fn cargo_fuzz() -> Command {
    let mut command = Command::new("rustup");
    command
        .current_dir(root())
        // Ours names the compiler that the repository is built with.
        .env_remove("CARGO")
        .args(["run", "nightly", "cargo", "fuzz"]);
    command
}

/// The targets: one folder of seeds each.
fn known() -> Result<Vec<String>> {
    let folder = root().join("fuzz/seeds");
    let read = std::fs::read_dir(&folder)
        .with_context(|| format!("could not read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in read {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
