//! The `lint` stage: each check is counted.

use std::process::Command;

use anyhow::Result;

use super::Count;
use crate::command::{cargo, root};

/// Runs the checks.
pub fn run() -> Result<Count> {
    let mut count = Count::default();
    count += check("formatting", cargo().args(["fmt", "--all", "--check"]));
    count += check(
        "warnings (clippy)",
        cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    );
    // They are linked with libFuzzer by `cargo xtask fuzz` alone.
    println!("-- the fuzzer's programs are compiled, not run; the unit stage replays their seeds");
    count += check(
        "warnings in the fuzzer's programs",
        cargo().args([
            "clippy",
            "--package",
            "mirrord-fuzz",
            "--bins",
            "--features",
            "programs",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    );
    count += check(
        "documentation",
        cargo()
            .args([
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
                "--quiet",
            ])
            .env(
                "RUSTDOCFLAGS",
                "-D warnings -A rustdoc::private-intra-doc-links",
            ),
    );
    count += schemas();
    count += licences();
    Ok(count)
}

fn check(what: &str, command: &mut Command) -> Count {
    println!("-- {what}: {command:?}");
    let held = match command.current_dir(root()).status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("could not start it: {error}");
            false
        }
    };
    println!("-- {what}: {}", if held { "ok" } else { "FAILED" });
    Count::one(held, what)
}

/// Schemas and pages are those of the code.
fn schemas() -> Count {
    println!("-- schemas and their pages");
    let held = match crate::schemas::run(true) {
        Ok(held) => held,
        Err(error) => {
            println!("{error:#}");
            false
        }
    };
    println!("-- schemas: {}", if held { "ok" } else { "FAILED" });
    Count::one(held, "schemas")
}

/// Licences, duplicate bans and sources of every dependency. `cargo deny` is used where it is
/// installed; its advisory database needs a network and is left to the people who have one.
fn licences() -> Count {
    let installed = cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !installed {
        println!("-- licences: cargo-deny is not installed; checking licences by `cargo metadata`");
        return crate::licences::check();
    }
    check(
        "licences",
        cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]),
    )
}
