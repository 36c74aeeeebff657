//! `mirrord/targets/list`.

use mirrord_editor_protocol::targets::{ListParams, ListProblem, ListResult, TargetRow};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::provider::list::{self, local_targets};

/// Rows of one list when nothing else is said.
const LIMIT: usize = 1000;

/// Rows of one partial result.
const PART: usize = 50;

/// The kinds that this machine has.
const LOCAL_KINDS: &[&str] = &["sandbox", "process", "container"];

/// What rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these kinds.
    pub types: Option<Vec<String>>,
    /// Only what contains this, in any case.
    pub query: Option<String>,
}

/// Lists the targets.
pub async fn list(client: &Client, params: ListParams) -> Outcome<ListResult> {
    let filter = Filter {
        types: params.types.clone(),
        query: params.query.clone(),
    };
    let mut targets = rows(client, &filter).await?;
    let limit = params.limit.map_or(LIMIT, |limit| limit as usize);
    let truncated = targets.len() > limit;
    targets.truncate(limit);
    let problems = problems(&params);
    let whole = ListResult {
        targets,
        truncated,
        problems,
    };
    let Some(token) = &params.partial_result_token else {
        return Ok(whole);
    };
    let peer = client.peer();
    for part in whole.targets.chunks(PART) {
        let part = ListResult {
            targets: part.to_vec(),
            ..ListResult::default()
        };
        peer.progress(token, &part);
    }
    Ok(ListResult {
        targets: Vec::new(),
        ..whole
    })
}

/// The rows now, those that were used last first, then by kind and path.
pub async fn rows(client: &Client, filter: &Filter) -> Outcome<Vec<TargetRow>> {
    let mut rows: Vec<TargetRow> = apart(local_targets).await?.into_iter().map(row).collect();
    rows.retain(|row| filter.wants(row));
    client.daemon.saved.get(|memory| {
        for row in &mut rows {
            row.last_used = memory.last_used.get(&row.path).cloned();
        }
    });
    rows.sort_by(|a, b| b.last_used.cmp(&a.last_used));
    Ok(rows)
}

impl Filter {
    fn wants(&self, row: &TargetRow) -> bool {
        let kind = self
            .types
            .as_ref()
            .is_none_or(|types| types.contains(&row.kind));
        let query = self.query.as_ref().is_none_or(|query| {
            let query = query.to_lowercase();
            row.path.to_lowercase().contains(&query) || row.name.to_lowercase().contains(&query)
        });
        kind && query
    }
}

fn row(row: list::TargetRow) -> TargetRow {
    TargetRow {
        path: row.path,
        kind: row.kind.to_owned(),
        name: row.name,
        namespace: None,
        containers: Vec::new(),
        ports: Vec::new(),
        ready: row.ready,
        reason: row.reason,
        last_used: None,
    }
}

/// What was asked for and cannot be listed, so that nobody takes a short list for a whole one.
fn problems(params: &ListParams) -> Vec<ListProblem> {
    let mut problems = Vec::new();
    let mut needs_cluster = |scope: &str| {
        problems.push(ListProblem {
            scope: scope.to_owned(),
            message: format!(
                "{scope} is in a cluster, which this version cannot reach yet; targets of this \
                 machine are listed"
            ),
        });
    };
    for kind in params.types.iter().flatten() {
        if !LOCAL_KINDS.contains(&kind.as_str()) {
            needs_cluster(kind);
        }
    }
    if let Some(namespace) = &params.namespace {
        needs_cluster(&format!("namespace {namespace}"));
    }
    if let Some(context) = &params.context {
        needs_cluster(&format!("context {context}"));
    }
    if let Some(selector) = &params.label_selector {
        needs_cluster(&format!("selector {selector}"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_path_and_name_in_any_case() {
        let row = row(list::TargetRow {
            path: "process/12".into(),
            kind: "process",
            name: "Nginx".into(),
            ready: true,
            reason: None,
        });
        let filter = |query: &str, kind: &str| Filter {
            types: Some(vec![kind.to_owned()]),
            query: Some(query.to_owned()),
        };
        assert!(filter("nGIN", "process").wants(&row));
        assert!(filter("ss/1", "process").wants(&row));
        assert!(!filter("apache", "process").wants(&row));
        assert!(!filter("nginx", "sandbox").wants(&row));
    }

    #[test]
    fn what_a_cluster_would_have_is_named() {
        let params = ListParams {
            types: Some(vec!["sandbox".into(), "pod".into()]),
            namespace: Some("shop".into()),
            ..ListParams::default()
        };
        let scopes: Vec<String> = problems(&params).into_iter().map(|one| one.scope).collect();
        assert_eq!(scopes, ["pod", "namespace shop"]);
    }
}
