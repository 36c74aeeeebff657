//! Each form of agent, against the targets that need it, with the rights that `rbac` prints for it
//! and no others.

use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::{Cluster, SERVER};
use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Ended, Running};
use serde_json::{Value, json};

/// What a program sees of its pod.
const LOOK: [&str; 3] = [
    "sh",
    "-c",
    "echo $GREETING; hostname; \
     cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; \
     curl -sm 5 http://web.shop.svc.cluster.local",
];

fn succeeds(command: &mut Command) -> Ended {
    let ended = run::finish(command);
    assert!(ended.status.success(), "{ended:?}");
    ended
}

/// The containers that were put into a pod, and whether one of them runs.
fn put_into(cluster: &Cluster, namespace: &str, pod: &str) -> (Vec<Value>, bool) {
    let pod = cluster.object(namespace, &format!("pod/{pod}"));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let containers = list(&pod["spec"]["ephemeralContainers"]);
    let states = list(&pod["status"]["ephemeralContainerStatuses"]);
    let runs = states
        .iter()
        .any(|state| state["state"]["running"].is_object());
    (containers, runs)
}

/// Waits until no container of ours runs in a pod: its entry stays, and has no secret. One whose
/// session was killed waits a minute for it.
fn assert_ended(cluster: &Cluster, namespace: &str, pod: &str) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (containers, runs) = put_into(cluster, namespace, pod);
        if !runs {
            assert!(!containers.is_empty());
            for container in containers {
                // An image, a public key, and nothing from anywhere else.
                for what in ["env", "envFrom", "volumeMounts"] {
                    assert_eq!(container[what], json!(null), "{what}");
                }
            }
            break;
        }
        assert!(Instant::now() < deadline, "the agent still runs in {pod}");
        std::thread::sleep(Duration::from_millis(200));
    }
    cluster.assert_nothing_left();
}

#[test]
fn an_ephemeral_container_serves_a_session_whole() {
    let cluster = Cluster::get();
    let options = ["--forms", "ephemeral", "--targets", "pod"];
    let user = cluster.may("ephemeral", "shop", &options);
    let pod = cluster.pods_on("node2").remove(0);
    let target = format!("pod/{pod}");
    let ephemeral = json!({"agent": {"ephemeral": true}});
    let ended = succeeds(&mut cluster.exec_as(&user, &target, &ephemeral, &[], &LOOK));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines, ["hello from the pod", &pod, "shop", "from the pod"]);
    assert_eq!(ended.stderr, "", "nothing is lost, so nothing is told");
    assert_ended(&cluster, "shop", &pod);

    // Its port, too.
    let address = [
        "get",
        "pod",
        "-n",
        "shop",
        &pod,
        "-o",
        "jsonpath={.status.podIP}",
    ];
    let url = format!("http://{}:8080/", cluster.kubectl(&address));
    let ask = || run::finish(cluster.at("node1", "curl").args(["-sm", "5", &url])).stdout;
    let argv = [PYTHON, "-uc", SERVER];
    let mut server = cluster.exec_as(&user, &target, &ephemeral, &["--steal"], &argv);
    let (server, _) = Running::start(&mut server, "ready");
    let until = |answer: &str| {
        let deadline = Instant::now() + Duration::from_secs(15);
        while ask() != answer {
            assert!(Instant::now() < deadline, "never {answer:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    until("from the laptop\n");
    drop(server);
    until("from the pod\n");
    assert_ended(&cluster, "shop", &pod);
}

#[test]
fn a_target_that_allows_no_right_is_served_with_its_own() {
    let cluster = Cluster::get();
    cluster.apply_file("hardened", "hardened");
    let options = ["--forms", "restricted", "--targets", "pod"];
    let user = cluster.may("restricted", "hardened", &options);
    let target = "pod/web@hardened";
    let ended = succeeds(&mut cluster.exec(&user, target, &[], &LOOK));
    assert!(
        ended.stdout.ends_with("\nhardened\nfrom the pod\n"),
        "{ended:?}"
    );
    // The choice is told, with its reasons.
    for words in [
        "the agent is not a Job on the target's node",
        "no incoming traffic is taken",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    let (containers, _) = put_into(&cluster, "hardened", "web");
    let security = &containers[0]["securityContext"];
    assert_eq!(security["runAsUser"], 1000);
    assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
    assert_ended(&cluster, "hardened", "web");
}

#[test]
fn in_a_baseline_namespace_the_agent_becomes_the_targets_user() {
    let cluster = Cluster::get();
    cluster.apply_file("guarded", "baseline");
    let options = ["--forms", "restricted", "--targets", "pod"];
    let user = cluster.may("baseline", "baseline", &options);
    for (pod, greeting) in [
        ("web", "hello from baseline"),
        ("user", "hello from a user"),
    ] {
        let target = format!("pod/{pod}@baseline");
        let ended = succeeds(&mut cluster.exec(&user, &target, &[], &LOOK));
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(
            lines,
            [greeting, pod, "baseline", "from the pod"],
            "{ended:?}"
        );
        assert!(
            ended.stderr.contains("no incoming traffic is taken"),
            "{ended:?}"
        );
        assert_ended(&cluster, "baseline", pod);
    }
}

#[test]
fn a_hardened_target_in_an_open_namespace_loses_nothing() {
    let cluster = Cluster::get();
    // The same pod, in a namespace that allows the agent more.
    let manifest = include_str!("../manifests/hardened.yaml");
    let manifest = manifest
        .replace("hardened", "open")
        .replace("enforce: restricted", "enforce: privileged");
    cluster.apply(&manifest);
    cluster.kubectl(&[
        "-n",
        "open",
        "wait",
        "--for=condition=Ready",
        "pod/web",
        "--timeout=60s",
    ]);
    let admin = cluster.admin();
    for (ephemeral, form) in [(false, "a Job"), (true, "an ephemeral container")] {
        let config = json!({"agent": {"ephemeral": ephemeral}});
        let ended = succeeds(&mut cluster.exec_as(&admin, "pod/web@open", &config, &[], &LOOK));
        assert!(
            ended.stdout.ends_with("\nopen\nfrom the pod\n"),
            "{form}: {ended:?}"
        );
        assert_eq!(ended.stderr, "", "{form}");
    }
    assert_ended(&cluster, "open", "web");
}

#[test]
fn without_a_target_a_program_is_in_a_pod_of_its_own() {
    let cluster = Cluster::get();
    cluster.apply_file("hardened", "hardened");
    let options = ["--forms", "targetless", "--targets", "pod"];
    // Any namespace takes such a pod, also one that takes plain programs only.
    for namespace in ["shop", "hardened"] {
        let user = cluster.may("alone", namespace, &options);
        let script = "hostname; echo $KUBERNETES_SERVICE_HOST; \
                      cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; \
                      curl -sm 5 http://web.shop";
        let target = format!("targetless@{namespace}");
        let argv = ["sh", "-c", script];
        let ended = succeeds(&mut cluster.exec(&user, &target, &[], &argv));
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert!(lines[0].starts_with("mirrord-agent-"), "{ended:?}");
        assert_eq!(
            lines[1..],
            ["10.96.0.1", namespace, "from the pod"],
            "{ended:?}"
        );
        cluster.assert_nothing_left();
    }
}

#[test]
fn a_killed_session_leaves_no_container_that_runs() {
    let cluster = Cluster::get();
    let pod = cluster.pods_on("node1").remove(0);
    let config = json!({"agent": {"ephemeral": true}});
    let argv = ["sh", "-c", "echo ready; sleep 1000"];
    let target = format!("pod/{pod}");
    let mut command = cluster.exec_as(&cluster.admin(), &target, &config, &[], &argv);
    let (mut session, _) = Running::start(&mut command, "ready");
    assert!(put_into(&cluster, "shop", &pod).1);
    session.child.kill().unwrap();
    session.child.wait().unwrap();
    assert_ended(&cluster, "shop", &pod);
}
