//! `mirrord-server targets` (`ls`): this machine's targets and the cluster's.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use mirrord_config::Flags;
use mirrord_kubernetes::{Access, Cluster, Error, Kind, Query};
use mirrord_supervisor::tell;

use crate::cli::targets::{Output, Targets};
use crate::provider::list::cluster::{self, Problem, Types};
use crate::provider::list::{TargetRow, local_targets};

/// A cluster that says nothing for that long is given up.
const DEADLINE: Duration = Duration::from_secs(15);

/// Prints the targets. What could not be listed is told on stderr; the exit status is 1 when the
/// cluster was asked for and is not reached.
pub fn run(arguments: &Targets) -> Result<i32> {
    let types = Types::of(arguments.types.as_deref());
    let mut problems = types.problems();
    let mut rows = Vec::new();
    if arguments.label.is_none() {
        rows = local_targets()?;
        let wanted = |row: &TargetRow| {
            let local = types.local.as_ref();
            local.is_none_or(|kinds| kinds.iter().any(|kind| kind == row.kind))
        };
        rows.retain(wanted);
    }
    let mut unreached = false;
    if types.wants_cluster() {
        let access = access(arguments)?;
        let named = access.namespace.is_some()
            || access.context.is_some()
            || access.kubeconfig.is_some()
            || arguments.label.is_some()
            || types.names_cluster();
        let query = Query {
            kinds: types.cluster.clone(),
            labels: arguments.label.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start the event loop")?;
        let listed = runtime.block_on(list(&access, &query, &mut rows, &mut problems));
        match listed {
            Ok(()) => {}
            Err(Error::NoCluster(_)) if !named => {}
            Err(error) => {
                unreached = named;
                problems.push(cluster::problem(None, &error));
            }
        }
        // A helper that hangs is not waited for.
        runtime.shutdown_background();
        unreached |= named && problems.iter().any(|problem| problem.scope == "cluster");
    }
    // Kinds in the order in which people look for them, however their answers came.
    let kinds: Vec<&str> = Query::default()
        .kinds()
        .into_iter()
        .map(Kind::name)
        .collect();
    rows.sort_by_cached_key(|row| {
        let place = kinds.iter().position(|kind| *kind == row.kind);
        let name = place.map(|_| row.path.clone());
        (place, name)
    });
    print(arguments, &rows)?;
    for line in lines(&problems) {
        tell(format_args!("{line}"));
    }
    Ok(i32::from(unreached))
}

/// The cluster as the configuration says it, and the command line above.
fn access(arguments: &Targets) -> Result<Access> {
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let loaded = mirrord_config::load(arguments.config.as_deref(), &folder, &Flags::default())?;
    let mut access = crate::provider::access(&loaded);
    if let Some(context) = &arguments.context {
        access.context = Some(context.clone());
    }
    if let Some(namespace) = &arguments.namespace {
        access.namespace = Some(namespace.clone());
    }
    Ok(access)
}

async fn list(
    access: &Access,
    query: &Query,
    rows: &mut Vec<TargetRow>,
    problems: &mut Vec<Problem>,
) -> Result<(), Error> {
    let connected = tokio::time::timeout(DEADLINE, Cluster::connect(access)).await;
    let Ok(connected) = connected else {
        problems.push(silent());
        return Ok(());
    };
    let cluster = connected?;
    let mut parts = std::pin::pin!(cluster.list(query));
    loop {
        match tokio::time::timeout(DEADLINE, parts.next()).await {
            Ok(Some(part)) => match cluster::part(part) {
                Ok(part) => rows.extend(part),
                Err(problem) => problems.push(problem),
            },
            Ok(None) => return Ok(()),
            Err(_) => {
                problems.push(silent());
                return Ok(());
            }
        }
    }
}

fn silent() -> Problem {
    Problem {
        scope: "cluster".into(),
        message: format!(
            "the cluster said nothing for {} s; is it up, and does the way to it need a VPN?",
            DEADLINE.as_secs()
        ),
    }
}

fn print(arguments: &Targets, rows: &[TargetRow]) -> Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    if arguments.output == Some(Output::Json) {
        let paths: Vec<String> = rows.iter().flat_map(paths).collect();
        println!("{}", serde_json::to_string(&paths)?);
        return Ok(());
    }
    if rows.is_empty() {
        println!("no targets; start a sandbox with `mirrord-server sandbox up`");
        return Ok(());
    }
    println!("{:<36} {:<28} STATE", "TARGET", "NAME");
    for row in rows {
        let name = match &row.namespace {
            Some(namespace) => namespace,
            None => &row.name,
        };
        println!("{:<36} {name:<28} {}", row.path, state(row));
    }
    Ok(())
}

/// A pod with several containers is one path for each of them, as in mirrord's list.
fn paths(row: &TargetRow) -> Vec<String> {
    if row.kind != "pod" || row.containers.len() < 2 {
        return vec![row.path.clone()];
    }
    let containers = row.containers.iter();
    containers
        .map(|name| format!("{}/container/{name}", row.path))
        .collect()
}

fn state(row: &TargetRow) -> String {
    match (&row.reason, &row.pods) {
        (Some(reason), _) => reason.clone(),
        (None, Some(pods)) => format!("{} of {} pods ready", pods.ready, pods.wanted),
        (None, None) => "ready".to_owned(),
    }
}

/// One line for each problem; kinds that may not be listed are one together, for a developer often
/// may list one kind only.
fn lines(problems: &[Problem]) -> Vec<String> {
    let refused = |problem: &&Problem| problem.message.contains("is forbidden");
    let kinds: Vec<&str> = problems
        .iter()
        .filter(refused)
        .map(|problem| problem.scope.as_str())
        .collect();
    let others = problems.iter().filter(|problem| !refused(problem));
    let mut lines: Vec<String> = others.map(|problem| problem.message.clone()).collect();
    match (kinds.as_slice(), problems.iter().find(refused)) {
        ([_], Some(only)) => lines.push(only.message.clone()),
        ([], _) | (_, None) => {}
        (kinds, Some(first)) => lines.push(format!(
            "you may not list all kinds of targets here: {} are missing (the first of the \
             refusals: {})",
            kinds.join(", "),
            first.message
        )),
    }
    lines
}
