//! `mirrord/targets/describe`: what is inside one target.

mod cluster;

use std::collections::BTreeSet;
use std::fs;

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::targets::{Container, DescribeParams, DescribeResult, TargetRow};

use super::targets_list::{Filter, rows};
use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::provider::local::sandbox_target;
use mirrord_target::{Target, TargetError};

/// Describes a target.
pub async fn describe(client: &Client, params: DescribeParams) -> Outcome<DescribeResult> {
    let wrong = |error: TargetError| Failure::new(ErrorKind::InvalidParams, error.to_string());
    let target: Target = params.path.parse().map_err(wrong)?;
    if let Target::Kubernetes(target) = target {
        return cluster::describe(client, &params, target).await;
    }
    let row = rows(client, &Filter::default())
        .await?
        .into_iter()
        .find(|row| row.path == target.to_string());
    let name = target.to_string();
    let looked = apart(move || look_into(&target));
    let (command, mut container) = looked.await.map_err(|failure| {
        let mut unavailable = failure;
        unavailable.0.kind = ErrorKind::TargetUnavailable;
        unavailable.0.message = format!("could not look into {name}: {}", unavailable.0.message);
        unavailable
    })?;
    let mut target = row.unwrap_or_else(|| TargetRow {
        kind: name.split('/').next().unwrap_or_default().to_owned(),
        name: command,
        path: name,
        namespace: None,
        containers: Vec::new(),
        ports: Vec::new(),
        pods: None,
        ready: true,
        reason: None,
        last_used: None,
    });
    container.name.clone_from(&target.name);
    target.ports.clone_from(&container.ports);
    target.containers = vec![container.name.clone()];
    let sessions = crate::daemon::sessions::on_target(&target.path).await;
    Ok(DescribeResult {
        target,
        containers: vec![container],
        replicas: Some(1),
        sessions,
    })
}

/// The command of a target's process, and what is inside. Names of variables, never values.
pub fn look_into(target: &Target) -> anyhow::Result<(String, Container)> {
    let pid = match target {
        Target::Process(pid) => *pid,
        Target::Sandbox(name) => sandbox_target(name)?,
        Target::Container(name) => crate::provider::container::find(name)?,
        Target::Targetless | Target::Kubernetes(_) => {
            anyhow::bail!("{target} is no target of this machine")
        }
    };
    look(pid)
}

/// A process's command, and what `/proc` tells of its world.
fn look(pid: i32) -> anyhow::Result<(String, Container)> {
    let command = fs::read_to_string(format!("/proc/{pid}/comm"))?;
    let environment = fs::read(format!("/proc/{pid}/environ"))?;
    let env_names: BTreeSet<String> = environment
        .split(|byte| *byte == 0)
        .filter_map(|pair| pair.split(|byte| *byte == b'=').next())
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let mut ports = BTreeSet::new();
    for family in ["tcp", "tcp6"] {
        // A kernel without IPv6 has no such file.
        let Ok(table) = fs::read_to_string(format!("/proc/{pid}/net/{family}")) else {
            continue;
        };
        ports.extend(table.lines().skip(1).filter_map(listening_port));
    }
    let container = Container {
        name: String::new(),
        image: None,
        ports: ports.into_iter().collect(),
        env_names: env_names.into_iter().collect(),
        probes: Vec::new(),
    };
    Ok((command.trim().to_owned(), container))
}

/// The port of a line of `/proc/net/tcp` whose socket listens (state 0A).
fn listening_port(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace().skip(1);
    let local = words.next()?;
    let state = words.nth(1)?;
    if state != "0A" {
        return None;
    }
    u16::from_str_radix(local.rsplit(':').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_count() {
        let listening = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000";
        let connected = "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000";
        assert_eq!(listening_port(listening), Some(8080));
        assert_eq!(listening_port(connected), None);
        assert_eq!(listening_port("odd"), None);
    }

    #[test]
    fn a_process_shows_names_of_variables_and_its_ports() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        let (_, container) = look(pid).unwrap();
        assert!(
            container
                .ports
                .contains(&listener.local_addr().unwrap().port())
        );
        assert!(container.env_names.iter().any(|name| name == "PATH"));
    }
}
