//! What a cluster does not allow is told before anything is created, or at once in its own words.

use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::run;
use serde_json::{Value, json};

/// Nothing that the cluster knows is waited out (the start's own limit is 60 s).
const AT_ONCE: Duration = Duration::from_secs(40);

/// Runs a command that must fail, and returns what it says.
fn fails(command: &mut Command) -> String {
    let begun = Instant::now();
    let ended = run::finish(command);
    assert!(!ended.status.success(), "{ended:?}");
    assert!(
        begun.elapsed() < AT_ONCE,
        "{:?}: {ended:?}",
        begun.elapsed()
    );
    ended.stderr
}

/// What of ours was ever created in a namespace: its Jobs, and containers in its pods.
fn created(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let events = cluster.object(namespace, "events");
    let events = events["items"].as_array().cloned().unwrap_or_default();
    let about = |event: &Value| event["involvedObject"]["name"].to_string();
    let of_jobs = events.iter().map(about);
    let pods = cluster.object(namespace, "pods");
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    let containers = pods.iter().flat_map(|pod| {
        let containers = pod["spec"]["ephemeralContainers"].as_array().cloned();
        containers.unwrap_or_default()
    });
    let containers = containers.map(|container| container["name"].to_string());
    let all = of_jobs.chain(containers);
    all.filter(|name| name.contains("mirrord-agent")).collect()
}

/// A namespace with a plain pod `web`, and what else the manifest says.
fn namespace(cluster: &Cluster, name: &str, more: &str) {
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: {name}}}\n\
         spec:\n  terminationGracePeriodSeconds: 0\n  containers:\n    \
         - {{name: web, image: docker.io/local/web:1, imagePullPolicy: Never}}\n"
    ));
    let ready = ["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"];
    cluster.kubectl(&[&["-n", name], &ready[..]].concat());
    if !more.is_empty() {
        cluster.apply(more);
    }
}

#[test]
fn a_user_without_rights_is_told_which_before_anything_is_created() {
    let cluster = Cluster::get();
    namespace(
        &cluster,
        "look",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: looker, namespace: look}\n\
         rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get, list]}]\n",
    );
    // The user's Role is then the one above.
    let user = cluster.may("looker", "look", &["--forms", "job", "--targets", "pod"]);
    cluster.apply(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: looker, namespace: look}\n\
         rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get, list]}]\n",
    );
    let said = fails(&mut cluster.exec(&user, "pod/web@look", &[], &["true"]));
    for words in [
        "nothing was created",
        "create jobs",
        "patch pods/ephemeralcontainers",
        "get pods/log",
        "`mirrord-server rbac --forms job` prints",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(created(&cluster, "look"), [""; 0]);
}

#[test]
fn what_the_configuration_insists_on_is_refused_with_the_reason() {
    let cluster = Cluster::get();
    cluster.apply_file("guarded", "baseline");
    let admin = cluster.admin();
    let never = json!({"agent": {"ephemeral": false}});
    let mut command = cluster.exec_as(&admin, "pod/web@baseline", &never, &[], &["true"]);
    let said = fails(&mut command);
    assert!(said.contains("pod security `baseline`"), "{said}");
    assert!(
        !said.contains("ephemeral container"),
        "it was not allowed: {said}"
    );
    // Stealing was asked for in so many words, and no form that the namespace takes can do it.
    let said = fails(&mut cluster.exec(&admin, "pod/web@baseline", &["--steal"], &["true"]));
    assert!(
        said.contains("cannot take incoming traffic, which was asked for"),
        "{said}"
    );
    assert!(said.contains("violates PodSecurity"), "{said}");
    cluster.assert_nothing_left();
}

#[test]
fn a_mesh_is_told() {
    let cluster = Cluster::get();
    cluster.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: meshed, namespace: shop}\nspec:\n  \
         terminationGracePeriodSeconds: 0\n  containers:\n    \
         - {name: istio-proxy, image: docker.io/local/web:1, imagePullPolicy: Never, command: [sleep, \"100000\"]}\n    \
         - {name: web, image: docker.io/local/web:1, imagePullPolicy: Never}\n",
    );
    let ready = [
        "wait",
        "--for=condition=Ready",
        "pod/meshed",
        "--timeout=60s",
    ];
    cluster.kubectl(&[&["-n", "shop"], &ready[..]].concat());
    let ended = run::finish(&mut cluster.exec(&cluster.admin(), "pod/meshed", &[], &["hostname"]));
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, "meshed\n");
    assert!(
        ended.stderr.contains("the pod is in a mesh (istio)"),
        "{ended:?}"
    );
    cluster.kubectl(&["-n", "shop", "delete", "pod", "meshed"]);
    cluster.assert_nothing_left();
}

#[test]
fn a_full_quota_is_told_in_the_clusters_words() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    let quota = |name: &str, hard: &str| {
        format!(
            "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: full, namespace: {name}}}\n\
             spec: {{hard: {{{hard}}}}}\n"
        )
    };
    let never = json!({"agent": {"ephemeral": false}});
    // Jobs are counted when they are created, their pods later.
    for (name, hard) in [("nojobs", "count/jobs.batch: 0"), ("nopods", "pods: 1")] {
        namespace(&cluster, name, &quota(name, hard));
        let target = format!("pod/web@{name}");
        // The quota's controller counts what is there first.
        let deadline = Instant::now() + Duration::from_secs(30);
        while cluster.object(name, "resourcequota/full")["status"]["used"].is_null() {
            assert!(
                Instant::now() < deadline,
                "the quota of {name} is not counted"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        let said = fails(&mut cluster.exec_as(&admin, &target, &never, &[], &["true"]));
        assert!(said.contains("exceeded quota: full"), "{name}: {said}");
        assert_eq!(
            said.contains("nothing was created"),
            name == "nojobs",
            "{said}"
        );
    }
    cluster.assert_nothing_left();
}

#[test]
fn a_webhook_that_refuses_is_told_in_its_words() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    let never = json!({"agent": {"ephemeral": false}});
    for (name, group, resource) in [("nohookjobs", "batch", "jobs"), ("nohookpods", "", "pods")] {
        namespace(&cluster, name, "");
        // Nobody answers there, which is a refusal.
        cluster.apply(&format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n\
             metadata: {{name: {name}}}\nwebhooks:\n  - name: {name}.example.test\n    \
             clientConfig: {{url: \"https://127.0.0.1:9/\"}}\n    failurePolicy: Fail\n    \
             sideEffects: None\n    admissionReviewVersions: [v1]\n    timeoutSeconds: 2\n    \
             namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}\n    \
             rules: [{{apiGroups: [{group:?}], apiVersions: [v1], operations: [CREATE], resources: [{resource}]}}]\n"
        ));
        let target = format!("pod/web@{name}");
        let deadline = Instant::now() + Duration::from_secs(30);
        // The API server reads new webhooks a moment later.
        let said = loop {
            let mut command = cluster.exec_as(&admin, &target, &never, &[], &["true"]);
            let ended = run::finish(&mut command);
            if !ended.status.success() {
                break ended.stderr;
            }
            assert!(Instant::now() < deadline, "{name} is never asked");
        };
        cluster.kubectl(&["delete", "validatingwebhookconfiguration", name]);
        let words = format!("failed calling webhook \"{name}.example.test\"");
        assert!(said.contains(&words), "{name}: {said}");
        assert_eq!(
            said.contains("nothing was created"),
            resource == "jobs",
            "{said}"
        );
    }
    cluster.assert_nothing_left();
}

#[test]
fn pods_that_are_refused_after_their_job_end_the_start_at_once() {
    let cluster = Cluster::get();
    cluster.apply_file("hardened", "hardened");
    // Without the right to see the namespace's label nothing tells beforehand.
    let user = cluster.may("blind", "hardened", &["--forms", "job", "--targets", "pod"]);
    let mut role = cluster.object("hardened", "role/blind");
    let rules = role["rules"].as_array_mut().expect("rules");
    rules.retain(|rule| rule["resources"][0] != "namespaces");
    cluster.apply(&role.to_string());
    let said = fails(&mut cluster.exec(&user, "pod/web@hardened", &[], &["true"]));
    assert!(said.contains("violates PodSecurity"), "{said}");
    cluster.assert_nothing_left();
}

#[test]
fn an_image_that_cannot_be_had_ends_the_start_at_once() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    for (image, policy, words) in [
        ("docker.io/nobody/nothing:1", "Never", "ErrImageNeverPull"),
        ("Not an image", "IfNotPresent", "InvalidImageName"),
        // No registry answers there.
        ("127.0.0.1:9/agent:1", "IfNotPresent", "ErrImagePull"),
    ] {
        let config = json!({"agent": {"image": image, "image_pull_policy": policy}});
        let said = fails(&mut cluster.exec_as(&admin, "deployment/web", &config, &[], &["true"]));
        assert!(said.contains(words), "{image}: {said}");
    }
    cluster.assert_nothing_left();
}

#[test]
fn a_pod_that_no_node_takes_ends_the_start_at_once() {
    let cluster = Cluster::get();
    let nowhere = json!({"agent": {"node_selector": {"example.test/there": "nowhere"}}});
    let mut command = cluster.exec_as(&cluster.admin(), "targetless", &nowhere, &[], &["true"]);
    let said = fails(&mut command);
    assert!(
        said.contains("Unschedulable: 0/2 nodes are available"),
        "{said}"
    );
    cluster.assert_nothing_left();
}
