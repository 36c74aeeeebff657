//! A Kubernetes of namespaces on this machine (`tests/cluster`): for the tests, and for figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::agent_image;
use crate::command::{self, root};

/// Two: an agent must come to its target's.
const NODES: &str = "2";

/// A cluster that is up; taken down when dropped, whatever happened.
pub struct Cluster {
    /// Its folder.
    pub state: PathBuf,
    is_up: bool,
}

impl Cluster {
    /// Brings one up in a folder, with the agent's image in its nodes and the pods of
    /// `manifests/web.yaml`.
    pub fn up(folder: &Path) -> Result<Cluster> {
        let image = folder.join("agent.tar");
        agent_image::write(&image)?;
        let state = folder.join("state");
        let mut up = script("up.sh");
        up.arg(&state).arg(NODES).arg(&image);
        let cluster = Cluster { state, is_up: true };
        println!("-- {up:?}");
        command::run(&mut up).context("the cluster did not come up")?;
        let manifest = root().join("tests/cluster/manifests/web.yaml");
        command::run(cluster.kubectl().arg("apply").arg("-f").arg(manifest))?;
        let rolled_out = [
            "-n",
            "shop",
            "rollout",
            "status",
            "deployment/web",
            "--timeout=120s",
        ];
        command::run(cluster.kubectl().args(rolled_out))?;
        Ok(cluster)
    }

    /// kubectl with all rights, in the network of a node.
    pub fn kubectl(&self) -> Command {
        self.at("node1", "kubectl")
    }

    /// A program at a place of its network: `laptop`, `node1`, `outside`.
    pub fn at(&self, place: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = script("in.sh");
        command.arg(&self.state).arg(place).arg(program);
        command
    }

    /// What the cluster has to say when a test failed.
    pub fn show_events(&self) {
        for what in [
            &["get", "pods", "-A", "-o", "wide"][..],
            &[
                "get",
                "events",
                "-A",
                "--sort-by=.metadata.creationTimestamp",
            ],
        ] {
            if let Err(error) = command::run(self.kubectl().args(what)) {
                println!("-- {error:#}");
            }
        }
    }

    /// Whether nothing of it is left: it is one of the stage's checks.
    pub fn down(mut self) -> bool {
        self.is_up = false;
        take_down(&self.state)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.is_up {
            take_down(&self.state);
        }
    }
}

fn take_down(state: &Path) -> bool {
    let groups = std::fs::read_to_string(state.join("cgroup")).unwrap_or_default();
    if let Err(error) = command::run(script("down.sh").arg(state)) {
        println!("-- the cluster could not be taken down: {error:#}");
        return false;
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let left = mounts.contains(&*state.to_string_lossy()) || state.exists();
    let groups_left =
        !groups.trim().is_empty() && walk_of_groups().any(|name| name.starts_with(groups.trim()));
    println!("-- the cluster is down; left over: {}", left || groups_left);
    !left && !groups_left
}

/// Names of the control groups at the top of each hierarchy.
fn walk_of_groups() -> impl Iterator<Item = String> {
    let top = Path::new("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(top).into_iter().flatten().flatten();
    let folders = hierarchies
        .map(|entry| entry.path())
        .chain([top.to_owned()]);
    folders
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn script(name: &str) -> Command {
    Command::new(root().join("tests/cluster").join(name))
}
