//! The `cluster` stage: a Kubernetes of namespaces on this machine (`tests/cluster`), and the product
//! in it. What the cluster is made of is built once and kept in the user's cache folder.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Count;
use crate::build;
use crate::cluster::Cluster;
use crate::command::{self, cargo, root};
use crate::prerequisites::{self, Needed};

const PROGRAMS: &[Needed] = &[
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("busybox", "busybox-static"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("python3", "python3"),
    ("gcc", "gcc"),
    ("unshare", "util-linux"),
    ("pgrep", "procps"),
];

/// Not a program on PATH: kubelet's runtime looks there.
const NETWORK_PLUGIN: (&str, &str) = ("/usr/lib/cni/bridge", "containernetworking-plugins");

/// The oldest Go that builds today's Kubernetes.
const OLDEST_GO: u32 = 24;

/// Runs it.
pub fn run() -> Result<Count> {
    if let Some(why) = impossible()? {
        println!("-- cluster: skipped: {why}");
        return Ok(Count {
            skipped: 1,
            ..Count::default()
        });
    }
    let product = build::product(build::Profile::Dev)?;
    let folder = tempfile::Builder::new()
        .prefix("mirrord-cluster-")
        .tempdir()?;
    let cluster = Cluster::up(folder.path())?;
    let mut tests = cargo();
    tests
        .current_dir(root())
        .args([
            "test",
            "--package",
            "mirrord-cluster-tests",
            "--no-fail-fast",
        ])
        .args(["--", "--test-threads", "1"])
        .env("MIRRORD_TEST_CLUSTER", &cluster.state)
        .env("MIRRORD_TEST_BIN", &product);
    println!("-- {tests:?}");
    let output = tests
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {tests:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    print!("{printed}");
    let mut count = Count::of_rust_tests(&printed, output.status.success());
    if count.failed > 0 {
        cluster.show_events();
    }
    count += Count::one(
        cluster.down(),
        "something of the cluster was left on this machine",
    );
    Ok(count)
}

/// Why there can be no cluster here; as root on Debian the programs are installed first.
pub fn impossible() -> Result<Option<String>> {
    if !command::is_root() {
        return Ok(Some(
            "a cluster of namespaces needs root (run the stage with sudo)".into(),
        ));
    }
    prerequisites::say_what_is_missing(PROGRAMS)?;
    let (plugin, package) = NETWORK_PLUGIN;
    if !Path::new(plugin).exists() {
        command::run(Command::new("apt-get").args([
            "-qq",
            "-y",
            "--no-install-recommends",
            "install",
            package,
        ]))
        .with_context(|| format!("could not install {package}"))?;
    }
    if !prerequisites::on_path("go") {
        return Ok(Some(format!(
            "Kubernetes is built from its Go modules, and there is no Go here (1.{OLDEST_GO} or newer)"
        )));
    }
    let version = command::output(Command::new("go").arg("version"))?;
    Ok(match minor(&version) {
        Some(minor) if minor >= OLDEST_GO => None,
        _ => Some(format!(
            "{} is too old to build Kubernetes, which needs Go 1.{OLDEST_GO}",
            version.trim()
        )),
    })
}

/// `go version go1.26.0 linux/amd64`
fn minor(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("go1.")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn gos_version_is_read() {
        assert_eq!(super::minor("go version go1.26.0 linux/amd64\n"), Some(26));
        assert_eq!(super::minor("go version devel"), None);
    }
}
