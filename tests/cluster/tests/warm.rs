//! Sessions that others launch programs into, one after the other: the second finds the first's agent.

use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::{product, run};
use serde_json::{Value, json};

fn command(cluster: &Cluster, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = cluster.at("laptop", program);
    command
        .env("KUBECONFIG", cluster.admin())
        .env("XDG_RUNTIME_DIR", cluster.folder())
        .current_dir(cluster.folder());
    command
}

fn ask(cluster: &Cluster, arguments: &[&str]) -> String {
    let ended = run::finish(command(cluster, product::server()).args(arguments));
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    ended.stdout
}

fn prepare(cluster: &Cluster, target: &str, agent: Value) -> Value {
    let config = cluster.folder().join("mirrord.json");
    let target = json!({"path": target, "namespace": "shop"});
    let text = json!({"target": target, "agent": agent});
    std::fs::write(&config, text.to_string()).unwrap();
    let config = config.to_str().unwrap();
    let arguments = [
        "session",
        "prepare",
        "--config",
        config,
        "--keep-agent-ms",
        "60000",
    ];
    serde_json::from_str(&ask(cluster, &arguments)).unwrap()
}

/// The pod that a program sees which is launched into the session.
fn seen(cluster: &Cluster, session: &Value) -> String {
    let text = |key: &str| session[key].as_str().expect("text");
    let mut command = command(cluster, "env");
    // Only the program itself joins, and not what leads to it.
    let argv = [
        &format!("LD_PRELOAD={}", text("layer")),
        "sh",
        "-c",
        "cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; hostname",
    ];
    command
        .env("MIRRORD_SUPERVISOR", text("socket"))
        .env("MIRRORD_LAUNCH_TOKEN", text("token"))
        .args(argv);
    let ended = run::finish(&mut command);
    assert!(ended.status.success(), "{ended:?}");
    let (namespace, pod) = ended.stdout.split_once('\n').expect("two lines");
    assert_eq!(namespace, "shop");
    pod.trim().to_owned()
}

fn stop(cluster: &Cluster, session: &Value) {
    let id = session["sessionId"].as_str().unwrap();
    ask(cluster, &["session", "stop", id]);
}

#[test]
fn the_next_session_has_the_warm_agent_and_it_is_replaced_when_it_is_lost() {
    let cluster = Cluster::get();
    let first = prepare(&cluster, "deployment/web", json!({}));
    assert_eq!(first["wasWarm"], false);
    let pod = seen(&cluster, &first);
    assert!(pod.starts_with("web-"), "{pod}");
    stop(&cluster, &first);
    let jobs = cluster.ours();
    assert!(jobs.contains("job"), "its agent is kept: {jobs}");
    let began = Instant::now();
    let second = prepare(&cluster, "deployment/web", json!({}));
    println!("prepared with a warm agent in {:?}", began.elapsed());
    assert_eq!(second["wasWarm"], true);
    assert_eq!(cluster.ours(), jobs, "the same agent");
    assert_eq!(seen(&cluster, &second), pod);
    // Another agent serves the second session, not the one that the first was started for.
    let agent = jobs.lines().find(|name| name.starts_with("pod/")).unwrap();
    cluster.kubectl(&["delete", "-n", "shop", agent]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_another = || {
        let now = cluster.ours();
        now.lines().any(|name| name.starts_with("pod/")) && !now.contains(agent)
    };
    while !is_another() {
        assert!(Instant::now() < deadline, "{}", cluster.ours());
    }
    assert!(seen(&cluster, &second).starts_with("web-"));
    stop(&cluster, &second);
    let list = ask(&cluster, &["agent", "list", "--json"]);
    let id = second["sessionId"].as_str().unwrap();
    assert!(list.contains(id), "{list}");
    ask(&cluster, &["agent", "stop", id]);
    cluster.assert_nothing_left();
}

#[test]
fn an_agent_in_the_targets_pod_is_used_again_while_it_lives() {
    let cluster = Cluster::get();
    let pod = cluster.pods_on("node2").remove(0);
    let object = || cluster.object("shop", &format!("pod/{pod}"));
    let entries = || {
        let containers = object()["spec"]["ephemeralContainers"].clone();
        containers.as_array().map_or(0, Vec::len)
    };
    let before = entries();
    let target = format!("pod/{pod}");
    let ephemeral = || prepare(&cluster, &target, json!({"ephemeral": true}));
    let first = ephemeral();
    assert_eq!(seen(&cluster, &first), pod);
    stop(&cluster, &first);
    let second = ephemeral();
    assert_eq!(second["wasWarm"], true);
    assert_eq!(seen(&cluster, &second), pod);
    stop(&cluster, &second);
    assert_eq!(entries(), before + 1, "one container served both");
    ask(
        &cluster,
        &["agent", "stop", second["sessionId"].as_str().unwrap()],
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    let runs = || {
        let states = object()["status"]["ephemeralContainerStatuses"].clone();
        let states = states.as_array().cloned().unwrap_or_default();
        states
            .iter()
            .any(|state| state["state"]["running"].is_object())
    };
    while runs() {
        assert!(Instant::now() < deadline, "the agent still runs in {pod}");
    }
    cluster.assert_nothing_left();
}
