//! Targets to choose from, for `mirrord-server targets` and the editors' pickers: those of this
//! machine here, those of a cluster in [`cluster`].

pub mod cluster;

use std::path::Path;

use anyhow::Result;
use mirrord_sandbox::State;
use serde::Serialize;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetRow {
    /// As `--target` takes it.
    pub path: String,
    /// `sandbox`, `container`, `process`, or the kind of a target in a cluster.
    pub kind: &'static str,
    /// Name for people.
    pub name: String,
    /// Its namespace in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its containers, as far as known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// TCP ports that it declares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Its pods, where it says how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<Pods>,
    /// Whether a program can be run in it now.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// How many pods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pods {
    /// Pods that get traffic.
    pub ready: u32,
    /// Pods that there shall be.
    pub wanted: u32,
}

impl TargetRow {
    fn local(path: String, kind: &'static str, name: String, reason: Option<String>) -> TargetRow {
        TargetRow {
            path,
            kind,
            name,
            namespace: None,
            containers: Vec::new(),
            ports: Vec::new(),
            pods: None,
            ready: reason.is_none(),
            reason,
        }
    }
}

/// Sandboxes of this user, containers, then processes that live in another network namespace than we do
/// (other containers and pods of this machine), one for each such namespace.
pub fn local_targets() -> Result<Vec<TargetRow>> {
    let mut rows = Vec::new();
    let mut known = Vec::new();
    for (info, state) in crate::sandboxes::sandboxes()?.list()? {
        known.extend(network_namespace(&format!("/proc/{}", info.target_pid)));
        let reason = match state {
            State::Running => None,
            State::TargetGone => Some("its target process ended; take it down and up again"),
            State::Dead => Some("its processes are gone; start it again"),
        };
        rows.push(TargetRow::local(
            format!("sandbox/{}", info.name),
            "sandbox",
            info.pod_name,
            reason.map(str::to_owned),
        ));
    }
    for container in super::container::list()? {
        known.extend(
            container
                .pid
                .and_then(|pid| network_namespace(&format!("/proc/{pid}"))),
        );
        let running = container.state == "running";
        rows.push(TargetRow::local(
            format!("container/{}", container.name),
            "container",
            container.image,
            (!running).then(|| format!("it is {}; start it first", container.state)),
        ));
    }
    known.extend(network_namespace("/proc/self"));
    for pid in process_ids() {
        let folder = format!("/proc/{pid}");
        // Not ours to look into: a target that could not be used anyway.
        let Some(namespace) = network_namespace(&folder) else {
            continue;
        };
        if known.contains(&namespace) {
            continue;
        }
        known.push(namespace);
        let name = std::fs::read_to_string(format!("{folder}/comm")).unwrap_or_default();
        rows.push(TargetRow::local(
            format!("process/{pid}"),
            "process",
            name.trim().to_owned(),
            None,
        ));
    }
    Ok(rows)
}

fn network_namespace(process: &str) -> Option<std::path::PathBuf> {
    std::fs::read_link(Path::new(process).join("ns/net")).ok()
}

fn process_ids() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut pids: Vec<i32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids
}
