//! Lists against an API server that says odd things.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::mock::{Answer, Asked, Mock, list, pod};
use futures::StreamExt;
use mirrord_kubernetes::{Class, Kind, Listed, Query, Row};
use serde_json::json;

/// What is listed of these kinds, and what could not be.
async fn listed(mock: &Mock, kinds: Option<Vec<Kind>>) -> (Vec<Row>, Vec<(Option<Kind>, String)>) {
    let cluster = mock.cluster().await;
    let query = Query {
        kinds,
        labels: None,
    };
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let mut parts = std::pin::pin!(cluster.list(&query));
    while let Some(part) = parts.next().await {
        match part {
            Listed::Rows(part) => rows.extend(part),
            Listed::Problem { kind, error } => problems.push((kind, error.to_string())),
        }
    }
    (rows, problems)
}

fn empty(_: &Asked) -> Answer {
    Answer::json(list(&[], None))
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says() {
    let turns = AtomicUsize::new(0);
    let mock = Mock::start(move |_| match turns.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::error(429, "too many requests").header("Retry-After", "1"),
        1 => Answer::error(503, "not now"),
        2 => Answer::error(500, "oh"),
        _ => Answer::json(list(&[pod("web-1")], None)),
    })
    .await;
    let begun = Instant::now();
    let (rows, problems) = listed(&mock, Some(vec![Kind::Pod])).await;
    assert_eq!((rows.len(), problems.len()), (1, 0), "{problems:?}");
    assert_eq!(mock.times("/pods"), 4);
    assert!(begun.elapsed() >= Duration::from_secs(1), "it said when");
}

#[tokio::test]
async fn a_server_that_stays_busy_is_told() {
    let mock =
        Mock::start(|_| Answer::error(429, "too many requests").header("Retry-After", "60")).await;
    let begun = Instant::now();
    let (_, problems) = listed(&mock, Some(vec![Kind::Pod])).await;
    assert!(
        problems[0].1.contains("the cluster is busy"),
        "{problems:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(mock.times("/pods"), 1);
}

#[tokio::test]
async fn a_kind_that_is_refused_leaves_the_rest() {
    let mock = Mock::start(|asked| {
        if asked.is("/deployments") || asked.path.contains("/argoproj.io/v1alpha1/namespaces") {
            return Answer::error(403, "you may not");
        }
        if asked.is("/argoproj.io/v1alpha1") {
            return Answer::error(404, "there is no such group");
        }
        if asked.is("/pods") {
            return Answer::json(list(&[pod("web-1")], None));
        }
        empty(asked)
    })
    .await;
    let (rows, problems) = listed(&mock, None).await;
    assert_eq!(rows.len(), 1);
    // Rollouts are not there at all, which is no problem.
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, Some(Kind::Deployment));
    assert!(problems[0].1.contains("you may not"), "{problems:?}");
    // Whoever asks for them is told.
    let (_, problems) = listed(&mock, Some(vec![Kind::Rollout])).await;
    assert_eq!(problems[0].0, Some(Kind::Rollout));
}

/// Answers pods in pages of what is asked for.
fn pods_in_pages(asked: &Asked, total: usize) -> Answer {
    let limit: usize = asked.parameter("limit").unwrap().parse().unwrap();
    let from: usize = asked
        .parameter("continue")
        .map_or(0, |token| token.parse().unwrap());
    let to = total.min(from + limit);
    let pods: Vec<_> = (from..to)
        .map(|number| pod(&format!("web-{number}")))
        .collect();
    let next = (to < total).then(|| to.to_string());
    Answer::json(list(&pods, next.as_deref()))
}

#[tokio::test]
async fn five_thousand_pods_come_in_pages_and_the_first_at_once() {
    let mock = Mock::start(|asked| pods_in_pages(asked, 5000)).await;
    let cluster = mock.cluster().await;
    let query = Query {
        kinds: Some(vec![Kind::Pod]),
        labels: None,
    };
    let mut parts = std::pin::pin!(cluster.list(&query));
    let Some(Listed::Rows(first)) = parts.next().await else {
        panic!("no rows");
    };
    // Nothing further was asked for until then.
    assert_eq!((first.len(), mock.times("/pods")), (100, 1));
    let mut total = first.len();
    while let Some(part) = parts.next().await {
        let Listed::Rows(rows) = part else {
            panic!("{part:?}");
        };
        total += rows.len();
    }
    assert_eq!((total, mock.times("/pods")), (5000, 11));
}

#[tokio::test]
async fn a_list_that_the_server_forgot_begins_anew_and_nothing_comes_twice() {
    let forgotten = AtomicUsize::new(0);
    let mock = Mock::start(move |asked| {
        let late = asked.parameter("continue").as_deref() == Some("100");
        if late && forgotten.fetch_add(1, Ordering::Relaxed) == 0 {
            return Answer::error(410, "the token is too old");
        }
        pods_in_pages(asked, 700)
    })
    .await;
    let (rows, problems) = listed(&mock, Some(vec![Kind::Pod])).await;
    assert!(problems.is_empty(), "{problems:?}");
    let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
    let total = names.len();
    names.sort();
    names.dedup();
    assert_eq!((total, names.len()), (700, 700));
}

#[tokio::test]
async fn a_kind_that_answers_late_holds_up_no_other() {
    let mock = Mock::start(|asked| match asked.is("/deployments") {
        true => empty(asked).after(Duration::from_secs(3600)),
        false if asked.is("/pods") => Answer::json(list(&[pod("web-1")], None)),
        false => empty(asked),
    })
    .await;
    let cluster = mock.cluster().await;
    let query = Query::default();
    let mut parts = std::pin::pin!(cluster.list(&query));
    let first = tokio::time::timeout(Duration::from_secs(30), parts.next()).await;
    assert!(matches!(first, Ok(Some(Listed::Rows(_)))));
}

#[tokio::test]
async fn what_is_ours_and_what_belongs_to_others_is_left_out() {
    let owned = |kind: &str| json!({"metadata": {"name": "x", "namespace": "shop", "ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": "y", "uid": "z"}]}});
    let mock = Mock::start(move |asked| {
        let labels = asked.parameter("labelSelector");
        let labels = labels.unwrap_or_default().replace("%21", "!");
        if !asked.is("/v1alpha1") && !labels.contains("managed-by!=mirrord-server") {
            return Answer::error(400, "ours is asked for");
        }
        if asked.is("/replicasets") {
            return Answer::json(list(&[owned("Deployment")], None));
        }
        if asked.is("/jobs") {
            return Answer::json(list(&[owned("CronJob")], None));
        }
        empty(asked)
    })
    .await;
    let (rows, problems) = listed(&mock, None).await;
    assert!(problems.is_empty(), "{problems:?}");
    assert!(rows.is_empty(), "{rows:?}");
    let (rows, _) = listed(&mock, Some(vec![Kind::ReplicaSet, Kind::Job])).await;
    assert_eq!(rows.len(), 2, "asked for");
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_one_problem() {
    let mock = Mock::start(empty).await;
    let cluster = mock.cluster().await;
    // Nobody listens there any more.
    let gone = mirrord_kubernetes::Cluster {
        client: dead().await,
        ..cluster
    };
    let mut problems = Vec::new();
    let mut parts = std::pin::pin!(gone.list(&Query::default()));
    while let Some(part) = parts.next().await {
        let Listed::Problem { kind, error } = part else {
            panic!("{part:?}");
        };
        assert_eq!((kind, error.class()), (None, Class::Unreached));
        problems.push(error.to_string());
    }
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("cannot be reached"), "{problems:?}");
    assert!(problems[0].contains("refused"), "{problems:?}");
}

/// A client of a port that nobody listens on.
async fn dead() -> kube::Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = kube::Config::new(url.parse().unwrap());
    kube::Client::try_from(config).unwrap()
}
