//! How clusters are reached: kubeconfigs, helpers that log in, and what is said when it fails.

use crate::mock::{Answer, Mock, environment, list, script};
use mirrord_kubernetes::{Access, Class, Cluster, Error, kubeconfig};
use serde_json::{Value, json};

async fn failure(access: &Access, environment: &mirrord_kubernetes::Environment) -> Error {
    match Cluster::connect_in(access, environment).await {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

fn exec(command: &str) -> Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": command,
        "interactiveMode": "IfAvailable", "installHint": "get it from the shop",
    }})
}

#[tokio::test]
async fn a_helper_logs_in_with_the_environment_of_who_asks() {
    let mock = Mock::start(|_| Answer::json(list(&[], None))).await;
    let bin = mock.folder.path();
    let says = r#"test -z "$HOME" || exit 7; test -z "$CARGO_MANIFEST_DIR" || exit 8
        echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'$ONLY_HERS'"}}'"#;
    script(bin, "log-me-in", says);
    mock.kubeconfig(&exec("log-me-in"));
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let hers = mock.environment(&[("PATH", &path), ("ONLY_HERS", "token-of-hers")]);
    let cluster = Cluster::connect_in(&Access::default(), &hers)
        .await
        .unwrap();
    cluster.namespaces().await.unwrap();
    let asked = mock.asked.lock().unwrap();
    let shown = asked[0].authorization.as_deref();
    assert_eq!(shown, Some("Bearer token-of-hers"));
}

#[tokio::test]
async fn a_helper_that_is_missing_or_fails_is_told_and_nothing_secret_with_it() {
    let mock = Mock::start(|_| Answer::json(list(&[], None))).await;
    let bin = mock.folder.path();
    mock.kubeconfig(&exec("log-me-in"));
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let hers = mock.environment(&[("PATH", &path), ("PASSWORD", "very-secret")]);
    let missing = failure(&Access::default(), &hers).await;
    assert_eq!(missing.class(), Class::Unreached);
    let words = missing.to_string();
    assert!(
        words.contains("log-me-in") && words.contains("get it from the shop"),
        "{words}"
    );
    for (text, expected) in [
        (
            "echo half-a-token; echo 'your session expired' >&2; exit 3",
            "status 3: your session expired",
        ),
        ("echo half-a-token", "printed no credentials"),
    ] {
        script(bin, "log-me-in", text);
        let words = failure(&Access::default(), &hers).await.to_string();
        assert!(words.contains(expected), "{words}");
        assert!(
            !words.contains("very-secret") && !words.contains("half-a-token"),
            "{words}"
        );
    }
}

#[tokio::test]
async fn each_way_of_not_reaching_a_cluster_has_its_words() {
    let mock = Mock::start(|asked| match asked.authorization.as_deref() {
        Some("Bearer secret-token") => Answer::error(403, "namespaces is forbidden"),
        _ => Answer::error(401, "Unauthorized"),
    })
    .await;
    let here = mock.environment(&[]);
    let none = failure(&Access::default(), &environment(&[("HOME", "/nowhere")])).await;
    assert_eq!(none.class(), Class::NoCluster);
    assert!(none.to_string().contains("/nowhere/.kube/config"), "{none}");
    let access = Access {
        context: Some("moon".into()),
        ..Access::default()
    };
    let unknown = failure(&access, &here).await.to_string();
    assert!(
        unknown.contains("no context moon; there are mock, other"),
        "{unknown}"
    );
    let broken = mock.folder.path().join("broken");
    std::fs::write(&broken, "users: [{token: very-secret").unwrap();
    let access = Access {
        kubeconfig: Some(broken),
        ..Access::default()
    };
    let broken = failure(&access, &here).await.to_string();
    assert!(broken.contains("is not a kubeconfig"), "{broken}");
    assert!(!broken.contains("very-secret"), "{broken}");
    let refused = mock.cluster().await.namespaces().await.unwrap_err();
    assert_eq!(refused.class(), Class::Forbidden);
    mock.kubeconfig(&json!({"token": "old"}));
    let expired = mock.cluster().await.namespaces().await.unwrap_err();
    assert_eq!(expired.class(), Class::Unreached);
    assert!(expired.to_string().contains("log in again"), "{expired}");
}

#[tokio::test]
async fn contexts_are_those_of_who_asks() {
    let mock = Mock::start(|_| Answer::json(list(&[], None))).await;
    let here = mock.environment(&[]);
    let contexts = kubeconfig::contexts(&Access::default(), &here).unwrap();
    let shown: Vec<_> = contexts
        .iter()
        .map(|one| (&*one.name, one.namespace.as_deref(), one.current))
        .collect();
    assert_eq!(
        shown,
        [("mock", Some("shop"), true), ("other", Some("cart"), false)]
    );
    let known = kubeconfig::known_namespaces(&Access::default(), &here).unwrap();
    assert_eq!(known, ["cart", "shop"]);
    let nobody = kubeconfig::contexts(&Access::default(), &environment(&[]));
    assert!(matches!(nobody, Err(Error::NoCluster(_))));
}
