//! The cluster's half of a watch.

use std::time::Duration;

use futures::StreamExt;
use mirrord_editor_protocol::targets::WatchParams;
use mirrord_kubernetes::{Change, Error, Query};
use tokio::sync::mpsc;

use super::tell;
use crate::daemon::client::Client;
use crate::daemon::methods::kube::environment;
use crate::daemon::methods::targets_list::{Filter, access, remember, row, wire};
use crate::provider::list::cluster;

/// Changes that are told together, at most.
const TOGETHER: usize = 500;

/// After a cluster that could not be reached at all.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Tells what changes, for as long as the watch lives.
pub async fn follow(client: &Client, watch_id: &str, filter: &Filter, params: &WatchParams) {
    if !filter.types.wants_cluster() {
        return;
    }
    let named = params.context.is_some() || params.namespace.is_some();
    let named = named || params.label_selector.is_some() || filter.types.names_cluster();
    let mut told = None;
    loop {
        match attempt(client, watch_id, filter, params).await {
            Ok(()) => return,
            Err(Error::NoCluster(_)) if !named => {}
            Err(error) => {
                let words = error.to_string();
                if told.as_ref() != Some(&words) {
                    let problem = wire(cluster::problem(None, &error));
                    tell(client, watch_id, Vec::new(), Vec::new(), vec![problem]);
                    told = Some(words);
                }
            }
        }
        // A kubeconfig may come, a VPN may be switched on.
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn attempt(
    client: &Client,
    watch_id: &str,
    filter: &Filter,
    params: &WatchParams,
) -> Result<(), Error> {
    let query = Query {
        kinds: filter.types.cluster.clone(),
        labels: params.label_selector.clone(),
    };
    let (changes_tx, mut changes_rx) = mpsc::channel(4);
    let access = access(params.context.clone(), params.namespace.clone());
    let work =
        client
            .daemon
            .clusters
            .with(access, environment(client), move |cluster| async move {
                let mut changes = cluster.watch(&query).ready_chunks(TOGETHER).boxed();
                while let Some(some) = changes.next().await {
                    if changes_tx.send(some).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
    let forward = async {
        while let Some(changes) = changes_rx.recv().await {
            pass_on(client, watch_id, filter, changes);
        }
    };
    let (done, ()) = tokio::join!(work, forward);
    done
}

fn pass_on(client: &Client, watch_id: &str, filter: &Filter, changes: Vec<Change>) {
    let (mut updated, mut removed, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Updated(changed) => updated.push(row(cluster::row(changed))),
            Change::Removed(path) => removed.push(path),
            Change::Problem { kind, error } => {
                problems.push(wire(cluster::problem(Some(kind), &error)));
            }
        }
    }
    updated.retain(|row| filter.matches(row));
    remember(client, &mut updated);
    if !(updated.is_empty() && removed.is_empty() && problems.is_empty()) {
        tell(client, watch_id, updated, removed, problems);
    }
}
