//! Sessions that others launch programs into, one after the other: the second finds the first's agent.

use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::{product, run};
use serde_json::Value;

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

fn prepare(cluster: &Cluster, namespace: &str) -> Value {
    let config = cluster.folder().join("mirrord.json");
    let target = serde_json::json!({"path": "deployment/web", "namespace": namespace});
    let text = serde_json::json!({"target": target});
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
    let first = prepare(&cluster, "shop");
    assert_eq!(first["wasWarm"], false);
    let pod = seen(&cluster, &first);
    assert!(pod.starts_with("web-"), "{pod}");
    stop(&cluster, &first);
    let jobs = cluster.ours();
    assert!(jobs.contains("job"), "its agent is kept: {jobs}");
    let began = Instant::now();
    let second = prepare(&cluster, "shop");
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
