//! Watches against an API server that says odd things.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::mock::{Answer, Mock, list, pod};
use futures::{Stream, StreamExt};
use mirrord_kubernetes::{Change, Kind, Query};
use serde_json::{Value, json};

async fn next(changes: &mut (impl Stream<Item = Change> + Unpin)) -> String {
    let change = tokio::time::timeout(Duration::from_secs(60), changes.next()).await;
    match change.expect("in time").expect("it goes on") {
        Change::Updated(row) => format!("+{} {}", row.path(), row.ready),
        Change::Removed(path) => format!("-{path}"),
        Change::Problem { kind, error } => format!("!{kind} {error}"),
    }
}

fn pods() -> Query {
    Query {
        kinds: Some(vec![Kind::Pod]),
        labels: None,
    }
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

fn pending(name: &str) -> Value {
    let mut pod = pod(name);
    pod["status"] = json!({"phase": "Pending"});
    pod
}

#[tokio::test]
async fn a_watch_that_cannot_go_on_begins_anew_and_tells_the_differences() {
    let (lists, watches) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mock = Mock::start(move |asked| {
        if !asked.watches() {
            return Answer::json(match lists.fetch_add(1, Ordering::Relaxed) {
                0 => list(&[pod("a"), pod("b")], None),
                _ => list(&[pod("b"), pod("c")], None),
            });
        }
        let mut same = pod("a");
        same["metadata"]["resourceVersion"] = json!("2");
        same["metadata"]["annotations"] = json!({"touched": "yes"});
        let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "message": "too old", "reason": "Expired", "metadata": {}});
        match watches.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::events(&[
                event("MODIFIED", same),
                event("MODIFIED", pending("b")),
                event("ERROR", gone),
            ]),
            _ => Answer::events(&[]),
        }
    })
    .await;
    let cluster = mock.cluster().await;
    let mut changes = Box::pin(cluster.watch(&pods()));
    assert_eq!(next(&mut changes).await, "+pod/a true");
    assert_eq!(next(&mut changes).await, "+pod/b true");
    // The change of `a` is none of its row.
    assert_eq!(next(&mut changes).await, "+pod/b false");
    // Listed anew.
    assert_eq!(next(&mut changes).await, "-pod/a");
    assert_eq!(next(&mut changes).await, "+pod/b true");
    assert_eq!(next(&mut changes).await, "+pod/c true");
}

#[tokio::test]
async fn what_may_be_listed_and_not_watched_is_listed() {
    let mock = Mock::start(|asked| match asked.watches() {
        true => Answer::error(403, "you may not watch"),
        false => Answer::json(list(&[pod("a")], None)),
    })
    .await;
    let cluster = mock.cluster().await;
    let mut changes = Box::pin(cluster.watch(&pods()));
    assert_eq!(next(&mut changes).await, "+pod/a true");
    // The refusal is no news: the next list is under way, without a word.
    let more = tokio::time::timeout(Duration::from_millis(300), changes.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_kind_that_may_not_be_listed_is_told_once() {
    let mock = Mock::start(|asked| match asked.is("/pods") {
        true => Answer::error(403, "you may not list"),
        false if asked.watches() => Answer::events(&[]),
        false => Answer::json(list(&[], None)),
    })
    .await;
    let cluster = mock.cluster().await;
    let mut changes = Box::pin(cluster.watch(&Query {
        kinds: Some(vec![Kind::Pod, Kind::Service]),
        labels: None,
    }));
    let told = next(&mut changes).await;
    assert!(
        told.starts_with("!pod") && told.contains("you may not list"),
        "{told}"
    );
    let more = tokio::time::timeout(Duration::from_millis(300), changes.next()).await;
    assert!(more.is_err(), "{more:?}");
}
