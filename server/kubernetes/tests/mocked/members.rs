//! The pods of a workload, followed at an API server that says odd things.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::mock::{Answer, Asked, Mock, list, pod};
use mirrord_kubernetes::members::Followed;
use mirrord_kubernetes::{Cluster, Target};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// What was to be told at once was told by then.
const MOMENT: Duration = Duration::from_millis(300);

/// What is told, one line each: the pods, `-` before one that is being removed, `?` before one whose
/// container does not run.
struct Told(mpsc::UnboundedReceiver<String>);

impl Told {
    fn of(cluster: Cluster, target: &str) -> Told {
        let (told_tx, told_rx) = mpsc::unbounded_channel();
        let target = Target::parse(target).unwrap();
        tokio::spawn(async move {
            let tell = |followed| {
                let line = match followed {
                    Followed::Problem(error) => format!("!{error}"),
                    Followed::Members(members) => {
                        let names = members.iter().map(|member| {
                            let mark = match (member.leaving, &member.container) {
                                (true, _) => "-",
                                (false, None) => "?",
                                (false, Some(_)) => "",
                            };
                            format!("{mark}{}", member.pod)
                        });
                        names.collect::<Vec<_>>().join(" ")
                    }
                };
                told_tx.send(line).unwrap();
            };
            cluster.follow_members(&target, tell).await;
        });
        Told(told_rx)
    }

    async fn next(&mut self) -> String {
        let told = tokio::time::timeout(Duration::from_secs(60), self.0.recv()).await;
        told.expect("in time").expect("it goes on")
    }

    async fn nothing_more(&mut self, within: Duration) {
        let more = tokio::time::timeout(within, self.0.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

fn created(name: &str, at: &str) -> Value {
    let mut pod = pod(name);
    pod["metadata"]["creationTimestamp"] = json!(format!("2026-01-01T00:00:{at}Z"));
    pod
}

fn with(mut pod: Value, pointer: &str, value: Value) -> Value {
    *pod.pointer_mut(pointer).expect(pointer) = value;
    pod
}

fn not_ready(pod: Value) -> Value {
    let ready = "/status/conditions/0/status";
    with(pod, ready, json!("False"))
}

fn leaving(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
    pod
}

fn deployment() -> Answer {
    Answer::json(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": []}}},
    }))
}

fn is_workload(asked: &Asked) -> bool {
    asked.is("/deployments/web")
}

#[tokio::test]
async fn pods_that_come_and_go_are_told_and_readiness_that_flaps_is_not() {
    let mock = Mock::start(|asked| {
        if is_workload(asked) {
            return deployment();
        }
        if !asked.watches() {
            return Answer::json(list(&[created("b", "02"), created("a", "01")], None));
        }
        let starting = with(created("c", "03"), "/status/phase", json!("Pending"));
        Answer::events(&[
            event("MODIFIED", not_ready(created("a", "01"))),
            event("MODIFIED", created("a", "01")),
            event("MODIFIED", not_ready(created("a", "01"))),
            event("ADDED", starting),
            event("MODIFIED", not_ready(created("c", "03"))),
            event("MODIFIED", leaving(created("b", "02"))),
            event("DELETED", leaving(created("b", "02"))),
            event(
                "MODIFIED",
                with(created("a", "01"), "/status/phase", json!("Failed")),
            ),
        ])
    })
    .await;
    let mut told = Told::of(mock.cluster().await, "deployment/web");
    assert_eq!(told.next().await, "a b", "the oldest first");
    assert_eq!(told.next().await, "a b ?c");
    // It runs; that it is not ready yet is no reason to wait.
    assert_eq!(told.next().await, "a b c");
    assert_eq!(told.next().await, "a -b c");
    assert_eq!(told.next().await, "a c");
    assert_eq!(told.next().await, "c", "a pod that has ended is none");
    told.nothing_more(MOMENT).await;
    let asked = mock.asked.lock().unwrap();
    let pods = asked.iter().filter(|asked| asked.is("/pods"));
    for asked in pods {
        let labels = asked.parameter("labelSelector");
        assert_eq!(labels.as_deref(), Some("app=web"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_watch_that_cannot_go_on_begins_anew_with_the_pods_of_then() {
    let (lists, watches) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mock = Mock::start(move |asked| {
        if is_workload(asked) {
            return deployment();
        }
        if !asked.watches() {
            return Answer::json(match lists.fetch_add(1, Ordering::Relaxed) {
                0 => list(&[pod("a"), pod("b")], None),
                // `a` is another pod of the same name.
                _ => list(&[with(pod("a"), "/metadata/uid", json!("other")), pod("c")], None),
            });
        }
        let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "message": "too old", "reason": "Expired", "metadata": {}});
        match watches.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::events(&[event("ERROR", gone)]),
            _ => Answer::events(&[]),
        }
    })
    .await;
    let mut told = Told::of(mock.cluster().await, "deployment/web");
    assert_eq!(told.next().await, "a b");
    assert_eq!(told.next().await, "a c");
    told.nothing_more(MOMENT).await;
}

#[tokio::test]
async fn pods_that_may_not_be_watched_are_listed_again() {
    let lists = AtomicUsize::new(0);
    let mock = Mock::start(move |asked| match asked.watches() {
        true => Answer::error(403, "you may not watch"),
        // The watcher's own list, ours, and the next.
        false => Answer::json(match lists.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => list(&[pod("a")], None),
            _ => list(&[pod("a"), pod("b")], None),
        }),
    })
    .await;
    let mut told = Told::of(mock.cluster().await, "label/app=web");
    assert_eq!(told.next().await, "a");
    assert_eq!(told.next().await, "a b");
}

#[tokio::test]
async fn a_workload_that_cannot_be_read_is_told_once() {
    let mock = Mock::start(|asked| match is_workload(asked) {
        true => Answer::error(403, "you may not read it"),
        false => Answer::json(list(&[], None)),
    })
    .await;
    let mut told = Told::of(mock.cluster().await, "deployment/web");
    let problem = told.next().await;
    assert!(
        problem.starts_with('!') && problem.contains("you may not read it"),
        "{problem}"
    );
    // It is asked again meanwhile.
    told.nothing_more(Duration::from_secs(6)).await;
}
