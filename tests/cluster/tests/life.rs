//! Sessions that outlive what happens in a cluster: each steals the port of a pod, something
//! happens, and its program is asked again by a client of the Service, reads the pod's files and
//! reaches the pod's network.

use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::solo::{LAPTOP, Solo};
use mirrord_cluster_tests::{Cluster, HOLDER};
use mirrord_tests::run::{self, Running};

const POD: &str = "from the pod\n";

fn ok(command: &mut Command) -> String {
    let ended = run::finish(command);
    assert!(ended.status.success(), "{command:?}: {ended:?}");
    ended.stdout
}

/// The one agent of the cluster, once it is another than `not` and runs.
fn agent(cluster: &Cluster, not: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let label = "app.kubernetes.io/managed-by=mirrord-server";
        let running = "--field-selector=status.phase=Running";
        let names = cluster.kubectl(&[
            "get", "pods", "-n", "shop", "-l", label, running, "-o", "name",
        ]);
        let found = names.lines().find(|name| *name != not);
        if let Some(found) = found {
            return found.to_owned();
        }
        assert!(Instant::now() < deadline, "no other agent than {not}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// As a process of the pod's node.
fn on_node(cluster: &Cluster, solo: &Solo<'_>, argv: &[&str]) -> String {
    let node = format!("{}:", solo.pod("/spec/nodeName"));
    ok(cluster.at(&node, argv[0]).args(&argv[1..]))
}

/// Puts the laptop's cable out (`down`) and in (`up`).
fn cable(cluster: &Cluster, state: &str) {
    ok(cluster
        .at("fabric", "ip")
        .args(["link", "set", "to-laptop", state]));
}

#[test]
fn a_killed_agent_is_replaced() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let first = agent(&cluster, "");
    // As by the kernel that has no memory left: without a word.
    on_node(&cluster, &solo, &["pkill", "-9", "-x", "mirrord-agent"]);
    assert_ne!(agent(&cluster, &first), first);
    solo.until(LAPTOP);
    solo.end(session);
}

#[test]
fn an_evicted_agent_is_replaced() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let first = agent(&cluster, "");
    cluster.kubectl(&["delete", "-n", "shop", &first]);
    agent(&cluster, &first);
    solo.until(LAPTOP);
    solo.end(session);
}

#[test]
fn a_session_follows_its_target_to_another_pod() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let first = solo.pod("/metadata/name");
    cluster.kubectl(&["delete", "pod", "-n", "shop", &first]);
    solo.rolled_out();
    assert_ne!(solo.pod("/metadata/name"), first);
    solo.until(LAPTOP);
    // A rollout is the same, with both pods there for a while.
    cluster.kubectl(&["rollout", "restart", "-n", "shop", "deployment/solo"]);
    solo.rolled_out();
    solo.until(LAPTOP);
    solo.end(session);
}

#[test]
fn a_container_that_starts_anew_is_followed() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let id = solo.pod("/status/containerStatuses/0/containerID");
    let id = id.strip_prefix("containerd://").unwrap();
    let kill = ["ctr", "-n", "k8s.io", "task", "kill", "-s", "SIGKILL", id];
    on_node(&cluster, &solo, &kill);
    let deadline = Instant::now() + Duration::from_secs(60);
    while solo.pod("/status/containerStatuses/0/restartCount") == "0" {
        assert!(
            Instant::now() < deadline,
            "the container was not started anew"
        );
    }
    solo.until(LAPTOP);
    solo.end(session);
}

#[test]
fn an_api_server_that_starts_anew_costs_a_moment() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let first = agent(&cluster, "");
    let old = ok(cluster.at("node1:", "pgrep").args(["-x", "kube-apiserver"]));
    ok(cluster
        .at("node1:", "pkill")
        .args(["-9", "-x", "kube-apiserver"]));
    // The node starts another.
    let deadline = Instant::now() + Duration::from_secs(90);
    let is_another = || {
        let found = run::finish(cluster.at("node1:", "pgrep").args(["-x", "kube-apiserver"]));
        let ready = ["get", "--raw", "/readyz"];
        found.stdout != old
            && run::finish(cluster.at("node1", "kubectl").args(ready)).stdout == "ok"
    };
    while !is_another() {
        assert!(Instant::now() < deadline, "no API server");
        std::thread::sleep(Duration::from_millis(200));
    }
    solo.until(LAPTOP);
    // The agent did not notice more than that its links broke.
    assert_eq!(agent(&cluster, ""), first);
    solo.end(session);
}

#[test]
fn a_laptop_without_a_network_gives_the_pod_its_traffic_and_takes_it_again() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let cut = Instant::now();
    cable(&cluster, "down");
    solo.until(POD);
    while cut.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    cable(&cluster, "up");
    solo.until(LAPTOP);
    solo.end(session);
}

/// Longer than an agent waits for its session: 20 s to notice that nobody answers, and a minute.
const LONGER_THAN_GRACE: Duration = Duration::from_secs(100);

#[test]
fn a_laptop_that_slept_goes_on_with_another_agent() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let first = agent(&cluster, "");
    let all = |signal: &str| {
        for pid in cluster.processes("") {
            ok(Command::new("kill").args([signal, &pid.to_string()]));
        }
    };
    let slept = Instant::now();
    all("-STOP");
    cable(&cluster, "down");
    solo.until(POD);
    while slept.elapsed() < LONGER_THAN_GRACE {
        std::thread::sleep(Duration::from_millis(100));
    }
    cable(&cluster, "up");
    all("-CONT");
    solo.until(LAPTOP);
    assert_ne!(agent(&cluster, &first), first);
    solo.end(session);
}

#[test]
fn a_drained_node_moves_target_and_agent_to_another() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let node = solo.pod("/spec/nodeName");
    let drain = [
        "drain",
        &node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        "--timeout=90s",
    ];
    cluster.kubectl(&drain);
    solo.rolled_out();
    assert_ne!(solo.pod("/spec/nodeName"), node);
    solo.until(LAPTOP);
    cluster.kubectl(&["uncordon", &node]);
    let web = ["rollout", "status", "-n", "shop", "deployment/web"];
    cluster.kubectl(&[&web[..], &["--timeout=90s"]].concat());
    solo.end(session);
}

#[test]
fn a_target_that_is_gone_for_good_ends_the_session_with_the_reason() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    cluster.kubectl(&["delete", "deployment", "-n", "shop", "solo", "--wait=true"]);
    let ended = session.finish();
    assert!(!ended.status.success(), "{ended:?}");
    let words = "there is no deployment solo in the namespace shop";
    assert!(ended.stderr.contains(words), "{ended:?}");
    cluster.assert_nothing_left();
}

#[test]
fn what_a_killed_session_left_is_removed_by_the_next_one() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let mut session = solo.stolen();
    // Nobody is left who could put anything away.
    let holders = cluster.processes(HOLDER);
    assert_eq!(holders.len(), 1, "{holders:?}");
    for pid in [holders[0], session.child.id()] {
        ok(Command::new("kill").args(["-9", &pid.to_string()]));
    }
    session.child.wait().unwrap();
    assert!(cluster.ours().contains("job"), "{}", cluster.ours());
    // Fail open, long before the agent gives its session up.
    solo.until(POD);
    let left = cluster.ours();
    ok(&mut cluster.exec(&cluster.admin(), "deployment/solo", &[], &["true"]));
    let deadline = Instant::now() + Duration::from_secs(20);
    while left.lines().any(|one| cluster.ours().contains(one)) {
        assert!(Instant::now() < deadline, "{}", cluster.ours());
        std::thread::sleep(Duration::from_millis(200));
    }
    cluster.assert_nothing_left();
    let folders = std::fs::read_dir(cluster.folder().join("mirrord")).unwrap();
    let folders: Vec<_> = folders.flatten().map(|found| found.file_name()).collect();
    assert!(folders.is_empty(), "{folders:?}");
}

#[test]
fn a_session_that_is_killed_alone_leaves_its_agent_to_be_put_away() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let mut session: Running = solo.stolen();
    session.child.kill().unwrap();
    session.child.wait().unwrap();
    solo.end(session);
}
