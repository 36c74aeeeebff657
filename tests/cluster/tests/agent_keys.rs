//! `agent` of the configuration, in the Job that the cluster gets.

use std::process::Stdio;

use mirrord_cluster_tests::Cluster;
use mirrord_tests::run::{self, Running};
use serde_json::{Value, json};

const WAITS: [&str; 3] = ["sh", "-c", "echo ready; sleep 1000"];

/// Our only Job.
fn job(cluster: &Cluster, namespace: &str) -> Value {
    let mut jobs = cluster.object(namespace, "jobs");
    let jobs = jobs["items"].as_array_mut().expect("a list");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

#[test]
fn what_the_configuration_says_is_in_the_job() {
    let cluster = Cluster::get();
    cluster.apply(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: tools}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: agents, namespace: tools}\n---\n\
         apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: low}\nvalue: 1\n",
    );
    // Its rights are in two namespaces: the target's, and the one that its agents run in.
    let options = "--forms job --targets deployment --agent-namespace tools";
    let options: Vec<&str> = options.split(' ').collect();
    let user = cluster.may("apart", "shop", &options);
    let agent = json!({"agent": {
        "namespace": "tools",
        "labels": {"team": "web"},
        "annotations": {"note": "any text"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "10m"}},
        "service_account": "agents",
        "priority_class": "low",
        "ttl": 3,
        "log_level": "info",
        "communication_timeout": 20,
        "security_context": {"seccomp_profile": {"type": "Unconfined"}},
    }});
    let mut command = cluster.exec_as(&user, "deployment/web", &agent, &[], &WAITS);
    let (session, _) = Running::start(&mut command, "ready");
    let job = job(&cluster, "tools");
    let template = &job["spec"]["template"];
    for metadata in [&job["metadata"], &template["metadata"]] {
        assert_eq!(metadata["labels"]["team"], "web");
        assert_eq!(metadata["annotations"]["note"], "any text");
    }
    assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 3);
    let pod = &template["spec"];
    assert_eq!(
        pod["tolerations"],
        json!([{"key": "gpu", "operator": "Exists"}])
    );
    assert_eq!(pod["serviceAccountName"], "agents");
    assert_eq!(pod["priorityClassName"], "low");
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "Unconfined"
    );
    let container = &pod["containers"][0];
    assert_eq!(
        container["resources"],
        json!({"limits": {"memory": "128Mi"}, "requests": {"cpu": "10m"}})
    );
    let arguments = container["args"].to_string();
    for option in [
        r#""--log","info""#,
        r#""--first-call-ms","20000""#,
        r#""--grace-ms","20000""#,
    ] {
        assert!(arguments.contains(option), "{option} in {arguments}");
    }
    drop(session);
    cluster.assert_nothing_left();
}

#[test]
fn an_ended_agent_is_kept_as_long_as_somebody_wants_its_log() {
    let cluster = Cluster::get();
    // Time for a busy machine to ask for it, and to see it go then.
    let agent = json!({"agent": {"ttl": 20, "log_level": "info"}});
    let admin = cluster.admin();
    let mut command = cluster.exec_as(&admin, "deployment/web", &agent, &[], &["true"]);
    let ended = run::finish(&mut command);
    assert!(ended.status.success(), "{ended:?}");
    let left = cluster.ours();
    let pod = left.lines().find(|line| line.starts_with("pod/"));
    let pod = pod.unwrap_or_else(|| panic!("no pod is kept: {left}"));
    let log = cluster.kubectl(&["-n", "shop", "logs", pod]);
    assert!(log.contains("the agent ended"), "{log}");
    cluster.assert_nothing_left();
}

#[test]
fn features_that_are_off_cost_no_capability() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    let capabilities = || {
        let job = job(&cluster, "shop");
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        container["securityContext"]["capabilities"].clone()
    };
    let least = json!({"feature": {"network": {"incoming": false}, "fs": "local"}});
    // What is left of the pod works with them: its variables and its network.
    let service = cluster.object("shop", "service/web");
    let address = service["spec"]["clusterIP"].as_str().expect("an address");
    let script = format!("curl -sm 5 http://{address}; echo \"ready: $GREETING\"; sleep 1000");
    let argv = ["sh", "-c", &script];
    let mut command = cluster.exec_as(&admin, "deployment/web", &least, &[], &argv);
    let (session, line) = Running::start(&mut command, "from the pod");
    assert_eq!(line, "from the pod");
    assert_eq!(
        capabilities(),
        json!({"add": ["SYS_PTRACE", "SETUID", "SYS_ADMIN"], "drop": ["ALL"]})
    );
    drop(session);
    cluster.assert_nothing_left();
    let disabled = json!({"agent": {"disabled_capabilities": ["CAP_NET_RAW"]}});
    let mut command = cluster.exec_as(&admin, "deployment/web", &disabled, &[], &WAITS);
    let (session, _) = Running::start(&mut command, "ready");
    let given = capabilities()["add"].to_string();
    assert!(
        !given.contains("NET_RAW") && given.contains("NET_ADMIN"),
        "{given}"
    );
    drop(session);
    cluster.assert_nothing_left();
}

#[test]
fn what_an_agent_cannot_be_is_told_with_its_place_and_before_anything_starts() {
    let cluster = Cluster::get();
    let agent = json!({"agent": {"log_level": "warn,=x", "ttl": 3}});
    let admin = cluster.admin();
    let mut command = cluster.exec_as(&admin, "deployment/web", &agent, &[], &["true"]);
    let ended = run::finish(command.stdin(Stdio::null()));
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("is no log filter"), "{ended:?}");
    cluster.assert_nothing_left();
    let agent = json!({"agent": {"resources": {"limits": {"memory": "64MB"}}}});
    let mut command = cluster.exec_as(&admin, "deployment/web", &agent, &[], &["true"]);
    let ended = run::finish(&mut command);
    let place = "mirrord.json:1:";
    assert!(
        ended.stderr.contains(place) && ended.stderr.contains("`64MB` is no amount"),
        "{ended:?}"
    );
    cluster.assert_nothing_left();
}
