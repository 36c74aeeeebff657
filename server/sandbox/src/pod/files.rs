//! The pod's own `/etc`, `/run` and `/tmp`, its service account and configuration as kubelet lays
//! them out, and the files that the spec brings.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};

use super::mounts::Root;
use crate::addresses::{DNS_V4, POD_V4, POD_V6, SEARCH_LIST, SERVICE_V4};
use crate::spec::SandboxSpec;

/// The folder name that kubelet gives one version of a volume's content.
const VERSION: &str = "..2026_01_05_09_30_00.1234567890";
const SERVICE_ACCOUNT: &str = "/run/secrets/kubernetes.io/serviceaccount";

/// The configuration file of the pod's program.
pub(crate) const CONFIG: &str = "\
# Only in the pod.
service: shop
orders:
  url: http://orders.shop.svc.cluster.local/
  timeout: 2s
features: [new-checkout]
";
const TOKEN: &str =
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6c2hvcDpzaG9wIn0.c2FuZGJveA";
const CA: &str =
    "-----BEGIN CERTIFICATE-----\nsandbox (no certificate)\n-----END CERTIFICATE-----\n";

/// Writes them all.
pub(crate) fn write(root: &Root, spec: &SandboxSpec) -> Result<()> {
    write_etc(root, spec)?;
    for (folder, mode) in [
        ("/tmp", 0o1777),
        ("/var/tmp", 0o1777),
        ("/root", 0o700),
        ("/run/lock", 0o1777),
    ] {
        let path = root.make_folder(folder)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    // Absolute, as in images: following it must stay in the pod.
    symlink("/run", root.path("/var/run")).context("could not make /var/run in the pod")?;
    write_volume(
        root,
        SERVICE_ACCOUNT,
        &[("token", TOKEN), ("ca.crt", CA), ("namespace", "shop")],
    )?;
    write_volume(root, "/etc/app", &[("config.yaml", CONFIG)])?;
    for file in &spec.files {
        let path = root.path(&file.path);
        root.make_folder(file.path.parent().unwrap_or(Path::new("/")))?;
        let told = || format!("could not write {} in the pod", file.path.display());
        fs::write(&path, &file.content).with_context(told)?;
        if let Some((uid, gid)) = file.owner {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).with_context(|| {
                format!(
                    "{} to user {uid}: without root a sandbox has one user only",
                    told()
                )
            })?;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).with_context(told)?;
    }
    root.make_folder(&spec.working_directory)?;
    Ok(())
}

fn write_etc(root: &Root, spec: &SandboxSpec) -> Result<()> {
    let etc = root.make_folder("/etc")?;
    let pod = &spec.pod_name;
    let files = [
        (
            "passwd",
            "root:x:0:0:root:/root:/bin/sh\n\
             shop:x:1001:1001:shop:/app:/bin/sh\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
                .to_owned(),
        ),
        (
            "group",
            "root:x:0:\nshop:x:1001:\nclerks:x:2001:shop\nnogroup:x:65534:\n".to_owned(),
        ),
        ("hostname", format!("{pod}\n")),
        (
            "hosts",
            format!(
                "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{POD_V4}\t{pod}\n{POD_V6}\t{pod}\n\
                 {SERVICE_V4}\tlegacy-orders.internal legacy-orders\n"
            ),
        ),
        (
            "resolv.conf",
            format!(
                "search {}\nnameserver {DNS_V4}\noptions ndots:5\n",
                SEARCH_LIST.join(" ")
            ),
        ),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"
                .to_owned(),
        ),
        (
            "os-release",
            "ID=sandbox\nNAME=\"mirrord sandbox\"\nPRETTY_NAME=\"mirrord sandbox pod\"\n"
                .to_owned(),
        ),
        (
            "machine-id",
            "5a4d6b1c0e3f47d2a9b8c7d6e5f40312\n".to_owned(),
        ),
        ("shells", "/bin/sh\n/bin/bash\n".to_owned()),
    ];
    for (name, content) in files {
        fs::write(etc.join(name), content)
            .with_context(|| format!("could not write /etc/{name} in the pod"))?;
    }
    Ok(())
}

/// Writes files as kubelet does for secrets, config maps and tokens: a folder for the version, a
/// link `..data` to it, which an update replaces in one step, and a link for each file.
fn write_volume(root: &Root, at: &str, files: &[(&str, &str)]) -> Result<()> {
    let folder = root.make_folder(at)?;
    let told = || format!("could not write {at} in the pod");
    fs::create_dir(folder.join(VERSION)).with_context(told)?;
    symlink(VERSION, folder.join("..data")).with_context(told)?;
    for (name, content) in files {
        fs::write(folder.join(VERSION).join(name), content).with_context(told)?;
        symlink(Path::new("..data").join(name), folder.join(name)).with_context(told)?;
    }
    Ok(())
}
