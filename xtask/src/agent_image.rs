//! `cargo xtask agent-image`: the agent's image as an archive for `docker load`, `kind load
//! image-archive` and `ctr images import`; no engine is needed to make it, and the same agent gives
//! the same bytes.
//!
//! The format is the one of `docker save`: a tar with `manifest.json`, the image's configuration and
//! its one layer (<https://github.com/moby/docker-image-spec/blob/main/v1.2.md>).

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::command::{cargo, root, run};

/// Bytes that the archive may have: a node that lacks it fetches it before each first session.
const LARGEST: u64 = 12 << 20;

/// The image's name: the server asks for the one of its own version.
pub const NAME: &str = concat!("mirrord-server/agent:", env!("CARGO_PKG_VERSION"));

/// Builds the agent and writes the archive.
pub fn write(out: &Path) -> Result<()> {
    let agent = static_agent()?;
    let bytes =
        std::fs::read(&agent).with_context(|| format!("could not read {}", agent.display()))?;
    let archive = archive(&bytes)?;
    if archive.len() as u64 > LARGEST {
        bail!(
            "the image has {} bytes, and may have {LARGEST}: something large came into the agent",
            archive.len()
        );
    }
    let written = std::fs::File::create(out).and_then(|mut file| file.write_all(&archive));
    written.with_context(|| format!("could not write {}", out.display()))?;
    println!("{NAME}: {} ({} KiB)", out.display(), archive.len() >> 10);
    Ok(())
}

/// The agent without any library: the image has nothing else in it. In a target folder of its own,
/// since its flags would have everything else built anew.
fn static_agent() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("static");
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    run(cargo()
        .current_dir(root())
        .args([
            "build",
            "--release",
            "--package",
            "mirrord-agent",
            "--target",
            &triple,
        ])
        .arg("--target-dir")
        .arg(&target)
        .args(["--config", "profile.release.strip=true"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    Ok(target.join(triple).join("release/mirrord-agent"))
}

fn archive(agent: &[u8]) -> Result<Vec<u8>> {
    let layer = tar_of(&[("mirrord-agent", agent, 0o755)])?;
    let digest = hex(&layer);
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = serde_json::to_vec(&json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/mirrord-agent"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        "history": [{"created": "1970-01-01T00:00:00Z"}],
    }))?;
    let config_name = format!("{}.json", hex(&config));
    let layer_name = format!("{digest}/layer.tar");
    let manifest = serde_json::to_vec(&json!([{
        "Config": config_name, "RepoTags": [NAME], "Layers": [layer_name],
    }]))?;
    tar_of(&[
        (&layer_name, &layer, 0o644),
        (&config_name, &config, 0o644),
        ("manifest.json", &manifest, 0o644),
    ])
}

fn tar_of(files: &[(&str, &[u8], u32)]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(0);
        tar.append_data(&mut header, name, *bytes)?;
    }
    Ok(tar.into_inner()?)
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_agent_gives_the_same_archive_and_its_parts_name_each_other() {
        let bytes = archive(b"an agent").unwrap();
        assert_eq!(bytes, archive(b"an agent").unwrap());
        assert_ne!(bytes, archive(b"another").unwrap());
        let mut names = Vec::new();
        let mut manifest = String::new();
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            if name == "manifest.json" {
                std::io::Read::read_to_string(&mut entry, &mut manifest).unwrap();
            }
            names.push(name);
        }
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], NAME);
        for part in [&manifest[0]["Config"], &manifest[0]["Layers"][0]] {
            assert!(
                names.contains(&part.as_str().unwrap().to_owned()),
                "{part} of {names:?}"
            );
        }
    }
}
