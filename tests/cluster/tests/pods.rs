//! Programs on the laptop, inside pods of a Deployment.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mirrord_cluster_tests::{Cluster, SERVER};
use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Running};

fn says(command: &mut Command) -> String {
    let ended = run::finish(command);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

#[test]
fn a_program_sees_its_pod_with_the_least_rights() {
    let cluster = Cluster::get();
    let developer = cluster.user("developer");
    // Without us the laptop reaches nothing but the API server.
    let alone = run::finish(
        cluster
            .at("laptop", "curl")
            .args(["-sm", "2", "http://10.96.0.1/"]),
    );
    assert!(!alone.status.success(), "{alone:?}");
    let script = "echo $GREETING; echo $POD_NAME; hostname; \
        cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; \
        curl -sm 5 http://web; curl -sm 5 http://web.shop.svc.cluster.local; \
        curl -sm 5 http://external.example.test:8000/ ";
    let mut outside = cluster.at("outside", "python3");
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "from outside\n").unwrap();
    let serve = ["-u", "-m", "http.server", "--bind", "203.0.113.5", "8000"];
    let (_outside, _) = Running::start(outside.args(serve).current_dir(page.path()), "Serving");
    let argv = ["sh", "-c", script];
    let printed = says(&mut cluster.exec(&developer, "deployment/web", &[], &argv));
    let lines: Vec<&str> = printed.lines().collect();
    let [greeting, pod, hostname, namespace, short, long, outside] = lines[..] else {
        panic!("{printed}");
    };
    assert_eq!(greeting, "hello from the pod");
    assert_eq!(pod, hostname);
    assert!(pod.starts_with("web-"), "{printed}");
    assert_eq!(namespace, "shop");
    assert_eq!((short, long), ("from the pod", "from the pod"));
    assert_eq!(outside, "from outside");
    cluster.assert_nothing_left();
}

#[test]
fn the_agent_runs_on_the_pods_node() {
    let cluster = Cluster::get();
    for node in ["node1", "node2"] {
        let pods = cluster.pods_on(node);
        let pod = pods.first().unwrap_or_else(|| panic!("no pod on {node}"));
        let target = format!("pod/{pod}/container/web");
        let printed = says(&mut cluster.exec(&cluster.admin(), &target, &[], &["hostname"]));
        assert_eq!(printed.trim(), pod);
    }
    cluster.assert_nothing_left();
}

#[test]
fn a_stolen_port_is_the_laptops_until_the_program_ends() {
    let cluster = Cluster::get();
    let pod = cluster.pods_on("node2").remove(0);
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
    let ask = || says(cluster.at("node1", "curl").args(["-sm", "5", &url]));
    let argv = [PYTHON, "-uc", SERVER];
    let target = format!("pod/{pod}");
    assert_eq!(ask(), "from the pod\n");
    let mut server = cluster.exec(&cluster.admin(), &target, &["--steal"], &argv);
    let (server, _) = Running::start(&mut server, "ready");
    // The port is taken when the session heard of it, a moment after the program listens.
    let deadline = Instant::now() + Duration::from_secs(5);
    while ask() != "from the laptop\n" {
        assert!(Instant::now() < deadline, "the pod still answers");
    }
    // Killed, not stopped: what it had taken is reset, what comes later is the pod's.
    drop(server);
    let deadline = Instant::now() + Duration::from_secs(10);
    let answer = || run::finish(cluster.at("node1", "curl").args(["-sm", "5", &url])).stdout;
    while answer() != "from the pod\n" {
        assert!(Instant::now() < deadline, "the pod never answered again");
        std::thread::sleep(Duration::from_millis(100));
    }
    cluster.assert_nothing_left();
}

#[test]
fn a_killed_session_leaves_nothing_in_the_cluster() {
    let cluster = Cluster::get();
    let mut sleeper = cluster.exec(
        &cluster.admin(),
        "deployment/web",
        &[],
        &["sh", "-c", "echo ready; sleep 1000"],
    );
    let (mut session, _) = Running::start(&mut sleeper, "ready");
    assert!(!cluster.ours().is_empty());
    session.child.kill().unwrap();
    session.child.wait().unwrap();
    cluster.assert_nothing_left();
}

#[test]
fn what_cannot_be_a_target_is_told_and_nothing_is_left() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    for (target, words) in [
        ("pod/nobody", "there is no pod nobody in the namespace shop"),
        (
            "deployment/web@elsewhere",
            "there is no deployment web in the namespace elsewhere",
        ),
        ("label/app=nothing", "has no running pod"),
        (
            "deployment/web/container/db",
            "has no container db; it has web",
        ),
        ("cronjob/nightly", "there is no cronjob nightly"),
    ] {
        let begun = Instant::now();
        let ended = run::finish(
            cluster
                .exec(&admin, target, &[], &["true"])
                .stdin(Stdio::null()),
        );
        assert!(!ended.status.success(), "{target}: {ended:?}");
        assert!(ended.stderr.contains(words), "{target}: {ended:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{target}: {:?}",
            begun.elapsed()
        );
    }
    cluster.assert_nothing_left();
}

#[test]
fn a_user_without_a_right_is_told_which() {
    let cluster = Cluster::get();
    let developer = cluster.user("developer");
    // Its Role is of one namespace.
    let mut command = cluster.exec(&developer, "pod/web@kube-system", &[], &["true"]);
    let ended = run::finish(&mut command);
    assert!(!ended.status.success());
    let words = "pods \"web\" is forbidden";
    assert!(ended.stderr.contains(words), "{ended:?}");
}
