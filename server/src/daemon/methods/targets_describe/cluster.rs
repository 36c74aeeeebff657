//! What is inside a target of a cluster, as its specification tells.

use std::collections::BTreeSet;
use std::time::Duration;

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::targets::{
    Container, DescribeParams, DescribeResult, Pods, Probe, TargetRow,
};
use mirrord_kubernetes::Target;
use mirrord_kubernetes::describe::{ContainerInfo, Description, ProbeInfo};

use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::daemon::methods::Outcome;
use crate::daemon::methods::kube::{environment, slow};
use crate::daemon::methods::targets_list::{access, remember};

/// Nobody waits longer.
const DEADLINE: Duration = Duration::from_secs(15);

/// Asks the cluster.
pub async fn describe(
    client: &Client,
    params: &DescribeParams,
    target: Target,
) -> Outcome<DescribeResult> {
    let access = access(params.context.clone(), params.namespace.clone());
    let asked = target.clone();
    let work =
        client
            .daemon
            .clusters
            .with(access, environment(client), move |cluster| async move {
                cluster.describe(&asked).await
            });
    let described = match tokio::time::timeout(DEADLINE, work).await {
        Ok(described) => described?,
        Err(_) => return Err(Failure::new(ErrorKind::TimedOut, slow()).retryable()),
    };
    let mut row = row(&target, &described);
    remember(client, std::slice::from_mut(&mut row));
    Ok(DescribeResult {
        sessions: crate::daemon::sessions::on_target(&row.path).await,
        replicas: Some(described.pods.wanted),
        containers: described.containers.into_iter().map(container).collect(),
        target: row,
    })
}

fn row(target: &Target, described: &Description) -> TargetRow {
    let containers = described.containers.iter();
    let ports: BTreeSet<u16> = containers
        .clone()
        .flat_map(|container| container.ports.iter().map(|port| port.port))
        .collect();
    TargetRow {
        path: target.to_string(),
        kind: target.kind.name().to_owned(),
        name: target.name.clone(),
        namespace: Some(described.namespace.clone()),
        containers: containers.map(|one| one.name.clone()).collect(),
        ports: ports.into_iter().collect(),
        pods: Some(Pods {
            ready: described.pods.ready,
            wanted: described.pods.wanted,
        }),
        ready: described.reason.is_none(),
        reason: described.reason.clone(),
        last_used: None,
    }
}

fn container(info: ContainerInfo) -> Container {
    let probe = |probe: ProbeInfo| Probe {
        kind: probe.kind.to_owned(),
        port: probe.port,
        path: probe.path,
    };
    Container {
        name: info.name,
        image: info.image,
        ports: info.ports.into_iter().map(|port| port.port).collect(),
        env_names: info.env_names,
        probes: info.probes.into_iter().map(probe).collect(),
    }
}
