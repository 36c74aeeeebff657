//! `mirrord/targets/list`: this machine's targets, then the cluster's as they are read.

use std::time::Duration;

use futures::StreamExt;
use mirrord_editor_protocol::targets::{ListParams, ListProblem, ListResult, Pods, TargetRow};
use mirrord_kubernetes::{Access, Error, Query};
use tokio::sync::mpsc;

use super::kube::{environment, slow};
use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::provider::list::cluster::{self, Problem, Types};
use crate::provider::list::{self, local_targets};

/// Rows of one list when nothing else is said.
const LIMIT: usize = 1000;

/// Rows of one partial result.
const PART: usize = 50;

/// Nobody waits longer for a part of a cluster's list.
const DEADLINE: Duration = Duration::from_secs(15);

/// What rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which kinds.
    pub types: Types,
    /// Only what contains this, in any case.
    pub query: Option<String>,
}

/// Lists the targets.
pub async fn list(client: &Client, params: ListParams) -> Outcome<ListResult> {
    let filter = Filter {
        types: Types::of(params.types.as_deref()),
        query: params.query.clone(),
    };
    let mut list = List {
        left: params.limit.map_or(LIMIT, |limit| limit as usize),
        client,
        params: &params,
        whole: ListResult {
            problems: filter.types.problems().into_iter().map(wire).collect(),
            ..ListResult::default()
        },
    };
    // Nothing of this machine has labels.
    if params.label_selector.is_none() {
        list.add(rows(client, &filter).await?);
    }
    if filter.types.wants_cluster() {
        cluster_rows(&mut list, &filter).await;
    }
    let mut whole = list.whole;
    // Those that were used last first; this machine's in their order, the cluster's by path.
    whole.targets.sort_by(|a, b| {
        let here = |row: &TargetRow| row.namespace.is_none();
        b.last_used
            .cmp(&a.last_used)
            .then_with(|| here(b).cmp(&here(a)))
            .then_with(|| match here(a) {
                true => std::cmp::Ordering::Equal,
                false => a.path.cmp(&b.path),
            })
    });
    Ok(whole)
}

/// A list that grows.
struct List<'a> {
    left: usize,
    client: &'a Client,
    params: &'a ListParams,
    whole: ListResult,
}

impl List<'_> {
    /// Takes rows as far as there is place; true: there is more.
    fn add(&mut self, mut rows: Vec<TargetRow>) -> bool {
        if rows.len() > self.left {
            rows.truncate(self.left);
            self.whole.truncated = true;
        }
        self.left -= rows.len();
        let Some(token) = &self.params.partial_result_token else {
            self.whole.targets.extend(rows);
            return !self.whole.truncated;
        };
        for part in rows.chunks(PART) {
            let part = ListResult {
                targets: part.to_vec(),
                ..ListResult::default()
            };
            self.client.peer().progress(token, &part);
        }
        !self.whole.truncated
    }

    fn problem(&mut self, problem: Problem) {
        self.whole.problems.push(wire(problem));
    }
}

async fn cluster_rows(list: &mut List<'_>, filter: &Filter) {
    let params = list.params;
    let named = params.context.is_some() || params.namespace.is_some();
    let named = named || params.label_selector.is_some() || filter.types.names_cluster();
    let access = access(params.context.clone(), params.namespace.clone());
    let query = Query {
        kinds: filter.types.cluster.clone(),
        labels: params.label_selector.clone(),
    };
    let (part_tx, mut part_rx) = mpsc::channel(4);
    let clusters = &list.client.daemon.clusters;
    let work = clusters.with(
        access,
        environment(list.client),
        move |cluster| async move {
            let mut parts = std::pin::pin!(cluster.list(&query));
            while let Some(part) = parts.next().await {
                if part_tx.send(part).await.is_err() {
                    break;
                }
            }
            Ok(())
        },
    );
    let mut work = std::pin::pin!(work);
    let mut done = false;
    loop {
        let next = async {
            loop {
                tokio::select! {
                    biased;
                    result = &mut work, if !done => {
                        done = true;
                        result?;
                    }
                    part = part_rx.recv() => break match part {
                        None if !done => {
                            // Its end is not yet known to be a good one.
                            done = true;
                            work.as_mut().await.map(|()| None)
                        }
                        part => Ok(part),
                    }
                }
            }
        };
        match tokio::time::timeout(DEADLINE, next).await {
            Ok(Ok(Some(part))) => match cluster::part(part) {
                Ok(rows) => {
                    let rows = rows.into_iter().map(row);
                    let mut rows: Vec<TargetRow> = rows.filter(|row| filter.matches(row)).collect();
                    remember(list.client, &mut rows);
                    if !list.add(rows) {
                        return;
                    }
                }
                Err(problem) => list.problem(problem),
            },
            Ok(Ok(None)) => return,
            // Whoever has no cluster does not miss one.
            Ok(Err(Error::NoCluster(_))) if !named => return,
            Ok(Err(error)) => return list.problem(cluster::problem(None, &error)),
            Err(_) => {
                return list.problem(Problem {
                    scope: "cluster".into(),
                    message: slow(),
                });
            }
        }
    }
}

/// How the cluster is meant.
pub fn access(context: Option<String>, namespace: Option<String>) -> Access {
    Access {
        context,
        namespace,
        ..Access::default()
    }
}

/// The rows of this machine now, those that were used last first, then by kind and path.
pub async fn rows(client: &Client, filter: &Filter) -> Outcome<Vec<TargetRow>> {
    if filter.types.local.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let mut rows: Vec<TargetRow> = apart(local_targets).await?.into_iter().map(row).collect();
    rows.retain(|row| filter.matches(row));
    remember(client, &mut rows);
    rows.sort_by(|a, b| b.last_used.cmp(&a.last_used));
    Ok(rows)
}

/// Says when rows were used.
pub fn remember(client: &Client, rows: &mut [TargetRow]) {
    client.daemon.saved.get(|memory| {
        for row in rows {
            row.last_used = memory.last_used.get(&row.path).cloned();
        }
    });
}

impl Filter {
    /// Whether a row is wanted.
    pub fn matches(&self, row: &TargetRow) -> bool {
        let local = &self.types.local;
        let is_local = mirrord_target::LOCAL_KINDS.contains(&row.kind.as_str());
        let kind = !is_local || local.as_ref().is_none_or(|kinds| kinds.contains(&row.kind));
        let query = self.query.as_ref().is_none_or(|query| {
            let query = query.to_lowercase();
            row.path.to_lowercase().contains(&query) || row.name.to_lowercase().contains(&query)
        });
        kind && query
    }
}

/// A row on the wire.
pub fn row(row: list::TargetRow) -> TargetRow {
    TargetRow {
        path: row.path,
        kind: row.kind.to_owned(),
        name: row.name,
        namespace: row.namespace,
        containers: row.containers,
        ports: row.ports,
        pods: row.pods.map(|pods| Pods {
            ready: pods.ready,
            wanted: pods.wanted,
        }),
        ready: row.ready,
        reason: row.reason,
        last_used: None,
    }
}

/// A problem on the wire.
pub fn wire(problem: Problem) -> ListProblem {
    ListProblem {
        scope: problem.scope,
        message: problem.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_path_and_name_in_any_case() {
        let row = TargetRow {
            path: "process/12".into(),
            kind: "process".into(),
            name: "Nginx".into(),
            namespace: None,
            containers: Vec::new(),
            ports: Vec::new(),
            pods: None,
            ready: true,
            reason: None,
            last_used: None,
        };
        let filter = |query: &str, kind: &str| Filter {
            types: Types::of(Some(&[kind.to_owned()])),
            query: Some(query.to_owned()),
        };
        assert!(filter("nGIN", "process").matches(&row));
        assert!(filter("ss/1", "process").matches(&row));
        assert!(!filter("apache", "process").matches(&row));
        assert!(!filter("nginx", "sandbox").matches(&row));
    }
}
