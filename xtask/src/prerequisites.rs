//! Programs from the distribution that a command needs. As root they are installed, else they are
//! named in one line.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// A program and the Debian package it comes from.
pub type Needed = (&'static str, &'static str);

/// For building: the linker's C compiler.
pub const BUILD: &[Needed] = &[("cc", "gcc")];

/// For the demo, which runs a small Python program.
pub const DEMO: &[Needed] = &[("cc", "gcc"), ("python3", "python3")];

/// For the crates' own tests: namespaces to test in, and programs to supervise.
pub const UNIT: &[Needed] = &[
    ("cc", "gcc"),
    ("musl-gcc", "musl-tools"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("unshare", "util-linux"),
    ("python3", "python3"),
    ("pip3", "python3-pip"),
    ("gdb", "gdb"),
    ("strace", "strace"),
    ("go", "golang-go"),
];

/// For the end-to-end stage: compilers and interpreters of the test programs, debuggers.
pub const SANDBOX: &[Needed] = &[
    ("cc", "gcc"),
    ("musl-gcc", "musl-tools"),
    ("python3", "python3"),
    ("gdb", "gdb"),
    ("go", "golang-go"),
    ("node", "nodejs"),
    ("javac", "default-jdk-headless"),
    ("curl", "curl"),
    ("ps", "procps"),
    ("script", "bsdutils"),
    ("setpriv", "util-linux"),
    ("strip", "binutils"),
];

/// For containers as targets; installed by root only, and skipped where they cannot be.
pub const CONTAINERS: &[Needed] = &[
    ("podman", "podman"),
    ("runc", "runc"),
    ("busybox", "busybox-static"),
];

/// What of `needed` is not on PATH.
pub fn missing(needed: &[Needed]) -> Vec<Needed> {
    needed
        .iter()
        .filter(|(program, _)| !on_path(program))
        .copied()
        .collect()
}

/// Installs what is missing (root, Debian), or fails with the one line to type.
pub fn say_what_is_missing(needed: &[Needed]) -> Result<()> {
    let missing: Vec<&str> = missing(needed)
        .iter()
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if command::is_root() && on_path("apt-get") {
        println!("installing {}", missing.join(" "));
        command::run(Command::new("apt-get").args(["-qq", "update"]))?;
        return command::run(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["-qq", "-y", "--no-install-recommends", "install"])
                .args(&missing),
        );
    }
    bail!(
        "missing programs; install them with: sudo apt-get install -y {}",
        missing.join(" ")
    )
}

/// Whether `program` is on PATH.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}
