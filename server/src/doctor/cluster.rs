//! The cluster: whether it is configured, answers, lets us work, and holds nothing that was left.

use std::time::Duration;

use mirrord_editor_protocol::doctor::{Check, CheckStatus};
use mirrord_kubernetes::rbac::Right;
use mirrord_kubernetes::{Access, Class, Cluster, Environment, Error, Form};

use super::found;

/// A cluster that does not answer is not waited for longer.
const DEADLINE: Duration = Duration::from_secs(15);

/// All checks of the cluster that is configured; where it cannot be asked, only those until then.
pub async fn look(access: Access, environment: Environment) -> Vec<Check> {
    let connect = Cluster::connect_in(&access, &environment);
    let cluster = match tokio::time::timeout(DEADLINE, connect).await {
        Ok(Ok(cluster)) => cluster,
        Ok(Err(error)) => return vec![unusable(&error)],
        Err(_) => {
            let detail = format!("logging in took longer than {} s", DEADLINE.as_secs());
            let fix = "log in with your cluster's tool in a terminal first";
            return vec![configured(CheckStatus::Fail, detail, Some(fix))];
        }
    };
    let name = cluster.context.as_deref().unwrap_or("the pod's own");
    let detail = format!(
        "context {name}, namespace {}, {}",
        cluster.namespace, cluster.server
    );
    let mut checks = vec![configured(CheckStatus::Ok, detail, None)];
    let reached = reachable(&cluster).await;
    let works = reached.status == CheckStatus::Ok;
    checks.push(reached);
    if works {
        checks.push(rights(&cluster).await);
        checks.push(pod_security(&cluster).await);
        checks.push(leftovers(&cluster).await);
    }
    checks
}

fn configured(status: CheckStatus, detail: impl Into<String>, fix: Option<&str>) -> Check {
    found(
        "cluster.configured",
        "A cluster is configured",
        status,
        detail,
        fix,
    )
}

fn unusable(error: &Error) -> Check {
    match error.class() {
        // Targets of this machine need none.
        Class::NoCluster => configured(CheckStatus::Ok, error.to_string(), None),
        _ => configured(
            CheckStatus::Fail,
            error.to_string(),
            Some("kubectl must work in the same environment: try `kubectl get pods` in it"),
        ),
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, (Class, String)> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(result) => result.map_err(|error| (error.class(), error.to_string())),
        Err(_) => {
            let words = format!("it did not answer within {} s", DEADLINE.as_secs());
            Err((Class::Unreached, words))
        }
    }
}

async fn reachable(cluster: &Cluster) -> Check {
    let (id, title) = ("cluster.reachable", "The cluster's API server answers");
    match in_time(cluster.version()).await {
        Ok(version) => found(id, title, CheckStatus::Ok, version, None),
        Err((_, words)) => found(
            id,
            title,
            CheckStatus::Fail,
            words,
            Some("switch the VPN on, or log in again with your cluster's tool"),
        ),
    }
}

/// One form of agent is enough; the other is told of.
async fn rights(cluster: &Cluster) -> Check {
    let (id, title) = (
        "cluster.rights",
        "You may run programs in pods of the namespace",
    );
    let place = &cluster.namespace;
    let missing = |form| cluster.missing_rights(place, form);
    let asked = async { tokio::try_join!(missing(Form::Job), missing(Form::Ephemeral)) };
    let (job, ephemeral) = match in_time(asked).await {
        Ok(missing) => missing,
        Err((_, words)) => return found(id, title, CheckStatus::Warn, words, None),
    };
    let lacks = |form: &str, missing: &[Right]| {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        format!("{form} lacks: {}", missing.join(", "))
    };
    let (status, detail) = match (job.is_empty(), ephemeral.is_empty()) {
        (true, true) => (CheckStatus::Ok, format!("all rights for agents in {place}")),
        (false, true) => (
            CheckStatus::Ok,
            format!(
                "in {place}, for an agent in the target's pod (`agent.ephemeral`); {}",
                lacks("one in a pod of its own", &job)
            ),
        ),
        (true, false) => (
            CheckStatus::Ok,
            format!(
                "in {place}, for an agent in a pod of its own; {}",
                lacks("one in the target's pod", &ephemeral)
            ),
        ),
        (false, false) => (
            CheckStatus::Fail,
            format!(
                "in {place}, an agent in a pod of its own {}; {}",
                lacks("", &job).trim_start(),
                lacks("one in the target's pod", &ephemeral)
            ),
        ),
    };
    let fix = "ask whoever runs the cluster for the Role that `mirrord-server rbac` prints";
    let fix = (status == CheckStatus::Fail).then_some(fix);
    found(id, title, status, detail, fix)
}

async fn pod_security(cluster: &Cluster) -> Check {
    let (id, title) = ("cluster.podSecurity", "The namespace takes the agent's pod");
    let place = &cluster.namespace;
    match in_time(cluster.pod_security()).await {
        Ok(Some(level)) if level != "privileged" => found(
            id,
            title,
            CheckStatus::Warn,
            format!(
                "{place} takes only pods of the level {level}; the agent's Job has more rights"
            ),
            Some("choose a namespace for agents, or ask whoever runs the cluster"),
        ),
        Ok(level) => {
            let level = level.unwrap_or_else(|| "not limited".to_owned());
            found(
                id,
                title,
                CheckStatus::Ok,
                format!("{place}: {level}"),
                None,
            )
        }
        Err((Class::Missing, words)) => found(
            id,
            title,
            CheckStatus::Fail,
            words,
            Some("name a namespace that is there (`target.namespace`)"),
        ),
        Err((_, words)) => found(id, title, CheckStatus::Warn, words, None),
    }
}

async fn leftovers(cluster: &Cluster) -> Check {
    let (id, title) = ("cluster.leftovers", "Agents in the namespace");
    match in_time(cluster.ours()).await {
        Ok(ours) if ours.is_empty() => found(id, title, CheckStatus::Ok, "none", None),
        Ok(ours) => {
            let detail = format!("of sessions of anybody: {}", ours.join(", "));
            found(id, title, CheckStatus::Ok, detail, None)
        }
        Err((_, words)) => found(id, title, CheckStatus::Warn, words, None),
    }
}
