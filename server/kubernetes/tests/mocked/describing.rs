//! What is told of one target.

use crate::mock::{Answer, Mock, list, pod};
use mirrord_kubernetes::{Pods, Target};
use serde_json::json;

#[tokio::test]
async fn names_of_variables_are_told_and_never_their_values() {
    let mock = Mock::start(|asked| {
        let mut web = pod("web-1");
        let app = &mut web["spec"]["containers"][0];
        app["env"] = json!([
            {"name": "PASSWORD", "value": "very-secret"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}},
        ]);
        app["envFrom"] = json!([
            {"prefix": "APP_", "configMapRef": {"name": "settings"}},
            {"configMapRef": {"name": "forbidden"}},
            {"secretRef": {"name": "s"}},
        ]);
        app["ports"] = json!([{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}]);
        app["readinessProbe"] = json!({"httpGet": {"path": "/ready", "port": "http"}});
        app["livenessProbe"] = json!({"exec": {"command": ["true"]}});
        app["startupProbe"] = json!({"grpc": {"port": 9000}});
        if asked.path.contains("/secrets") {
            return Answer::error(500, "a secret was read");
        }
        if asked.is("/configmaps/settings") {
            return Answer::json(json!({"metadata": {"name": "settings"}, "data": {"COLOUR": "very-secret"}}));
        }
        if asked.is("/pods") {
            return Answer::json(list(&[web], None));
        }
        if asked.is("/deployments/web") {
            return Answer::json(json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {}}}));
        }
        Answer::error(403, "you may not")
    })
    .await;
    let cluster = mock.cluster().await;
    let target = Target::parse("deployment/web").unwrap();
    let told = cluster.describe(&target).await.unwrap();
    let app = &told.containers[0];
    assert_eq!(app.env_names, ["APP_COLOUR", "PASSWORD", "TOKEN"]);
    let ports: Vec<_> = app
        .ports
        .iter()
        .map(|port| (port.port, port.name.as_deref()))
        .collect();
    assert_eq!(ports, [(8080, Some("http"))]);
    let probes: Vec<_> = app
        .probes
        .iter()
        .map(|probe| (probe.kind, probe.port, probe.path.as_deref()))
        .collect();
    let expected = [
        ("liveness", None, None),
        ("readiness", Some(8080), Some("/ready")),
        ("startup", Some(9000), None),
    ];
    assert_eq!(probes, expected);
    assert_eq!(
        told.pods,
        Pods {
            ready: 1,
            wanted: 1
        }
    );
    assert_eq!(
        (told.main.as_deref(), told.reason.as_deref()),
        (Some("app"), None)
    );
    assert!(!format!("{told:?}").contains("very-secret"));
    assert_eq!(mock.times("/secrets/s"), 0);
    let missing = Target::parse("deployment/web/container/db").unwrap();
    let error = cluster.describe(&missing).await.unwrap_err().to_string();
    assert!(error.contains("has no container db; it has app"), "{error}");
}

#[tokio::test]
async fn a_target_without_pods_says_so() {
    let mock = Mock::start(|asked| match asked.is("/pods") {
        true => Answer::json(list(&[], None)),
        false if asked.is("/deployments/web") => Answer::json(json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {}}})),
        false => Answer::error(404, "not found"),
    })
    .await;
    let cluster = mock.cluster().await;
    let told = cluster
        .describe(&Target::parse("deployment/web").unwrap())
        .await
        .unwrap();
    assert_eq!(told.reason.as_deref(), Some("deployment/web has no pods"));
    let error = cluster
        .describe(&Target::parse("deployment/x").unwrap())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("there is no deployment x"),
        "{error}"
    );
}
