//! `mirrord/targets/watch` and `unwatch`: live pickers.

mod cluster;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mirrord_editor_protocol::targets::{
    Changed, TargetRow, UnwatchParams, WatchParams, WatchResult,
};
use mirrord_editor_protocol::{Empty, ErrorKind, methods};

use super::Outcome;
use super::targets_list::{Filter, rows, wire};
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::provider::list::cluster::Types;

/// Sandboxes and processes do not tell when they come and go; a picker that is open looks again.
const PAUSE: Duration = Duration::from_secs(2);

/// Begins a watch.
pub async fn watch(client: &Arc<Client>, params: WatchParams) -> Outcome<WatchResult> {
    let filter = Filter {
        types: Types::of(params.types.as_deref()),
        query: params.query.clone(),
    };
    let has_local = params.label_selector.is_none();
    let targets = match has_local {
        true => rows(client, &filter).await?,
        false => Vec::new(),
    };
    let watch_id = format!("watch-{:x}", next_number());
    let (all, first, id) = (Arc::clone(client), targets.clone(), watch_id.clone());
    let task = tokio::spawn(async move {
        let problems: Vec<_> = filter.types.problems().into_iter().map(wire).collect();
        if !problems.is_empty() {
            tell(&all, &id, Vec::new(), Vec::new(), problems);
        }
        let local = async {
            if has_local {
                follow(&all, &id, &filter, first).await;
            }
        };
        tokio::join!(local, cluster::follow(&all, &id, &filter, &params));
    });
    client.keep(watch_id.clone(), task.abort_handle());
    Ok(WatchResult { watch_id, targets })
}

/// Ends a watch.
pub async fn unwatch(client: &Arc<Client>, params: UnwatchParams) -> Outcome<Empty> {
    if client.stop(&params.watch_id) {
        return Ok(Empty {});
    }
    Err(Failure::new(
        ErrorKind::NotFound,
        format!("there is no watch {:?} on this connection", params.watch_id),
    ))
}

async fn follow(client: &Client, watch_id: &str, filter: &Filter, first: Vec<TargetRow>) {
    let mut known = by_path(first);
    loop {
        tokio::time::sleep(PAUSE).await;
        let now = match rows(client, filter).await {
            Ok(now) => by_path(now),
            Err(error) => {
                tracing::warn!("could not look for targets: {error}");
                continue;
            }
        };
        let updated: Vec<TargetRow> = now
            .iter()
            .filter(|(path, row)| known.get(*path) != Some(*row))
            .map(|(_, row)| row.clone())
            .collect();
        let removed: Vec<String> = known
            .keys()
            .filter(|path| !now.contains_key(*path))
            .cloned()
            .collect();
        if !updated.is_empty() || !removed.is_empty() {
            tell(client, watch_id, updated, removed, Vec::new());
        }
        known = now;
    }
}

fn tell(
    client: &Client,
    watch_id: &str,
    updated: Vec<TargetRow>,
    removed: Vec<String>,
    problems: Vec<mirrord_editor_protocol::targets::ListProblem>,
) {
    let changed = Changed {
        watch_id: watch_id.to_owned(),
        updated,
        removed,
        problems,
    };
    client.peer().tell::<methods::TargetsChanged>(&changed);
}

fn by_path(rows: Vec<TargetRow>) -> BTreeMap<String, TargetRow> {
    rows.into_iter()
        .map(|row| (row.path.clone(), row))
        .collect()
}

/// A number that nobody had before on this connection.
fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
