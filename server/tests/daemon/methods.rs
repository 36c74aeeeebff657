//! Methods that need no session.

use serde_json::{Value, json};

use crate::client::Home;

#[test]
fn every_listed_method_is_answered() {
    let home = Home::new();
    let mut client = home.forwarder();
    let result = client.initialize(&home.path("work"));
    let features = result["capabilities"]["experimental"]["mirrord"]["features"].clone();
    let features: Vec<String> = serde_json::from_value(features).unwrap();
    assert!(features.len() > 8, "{features:?}");
    for method in features {
        let id = client.begin(&method, json!({}));
        let answer = client.answer(id);
        assert_ne!(answer["error"]["code"], -32601, "{method}");
    }
}

#[test]
fn a_status_comes_after_initialized() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let status = client.told("mirrord/status");
    assert_eq!(status["sessions"], 0);
    assert!(
        ["ready", "degraded"].contains(&status["state"].as_str().unwrap()),
        "{status}"
    );
}

#[test]
fn the_active_file_is_told_to_every_client_and_remembered() {
    let home = Home::new();
    let work = home.path("work");
    let file = work.join("a b.mirrord.json");
    std::fs::write(&file, "{}").unwrap();
    let mut one = home.forwarder();
    one.initialize(&work);
    let mut two = home.direct();
    two.initialize(&work);
    two.told("mirrord/status");
    let folder = format!("file://{}", work.display());
    let uri = format!("{folder}/a%20b.mirrord.json");
    let odd = format!("file:{}/a b.mirrord.json", work.display());
    one.ask(
        "mirrord/config/setActive",
        json!({ "workspace": folder, "uri": odd }),
    );
    let told = two.told("mirrord/config/activeChanged");
    assert_eq!(told, json!({ "workspace": folder, "uri": uri }));
    let state = std::fs::read_to_string(home.path("state/mirrord/remembered.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["activeFiles"][&folder], uri);
    let gone = format!("{folder}/gone.json");
    let error = one.fail(
        "mirrord/config/setActive",
        json!({ "workspace": folder, "uri": gone }),
    );
    assert_eq!(error["data"]["kind"], "notFound");
}

#[test]
fn a_list_streams_its_rows_and_ends_empty() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let id = client.begin("mirrord/doctor", json!({ "partialResultToken": "t" }));
    let last = client.answer(id);
    assert_eq!(last["result"]["checks"], json!([]));
    // Everything came before the answer, so nothing has to be waited for.
    let first = client.told("$/progress");
    assert_eq!(first["token"], "t");
    assert_eq!(first["value"]["checks"][0]["id"], "kernel.version");
}

#[test]
fn what_a_cluster_would_answer_says_so_and_is_no_failure_of_a_list() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let contexts = client.ask("mirrord/kube/contexts", json!({}));
    assert_eq!(contexts["contexts"], json!([]));
    assert!(contexts["reason"].is_string());
    let listed = client.ask("mirrord/targets/list", json!({ "types": ["pod"] }));
    assert_eq!(listed["problems"][0]["scope"], "cluster");
}

#[test]
fn the_least_role_is_told_for_what_it_is_to_allow() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let params = json!({ "modes": ["ephemeral", "steal"], "namespace": "shop" });
    let answer = client.ask("mirrord/rbac", params);
    let yaml = answer["yaml"].as_str().unwrap();
    assert!(
        yaml.contains("kind: Role\n") && yaml.contains("namespace: shop"),
        "{yaml}"
    );
    assert!(yaml.contains("pods/ephemeralcontainers"), "{yaml}");
    assert!(!yaml.contains("[jobs], verbs: [create"), "{yaml}");
    let every = client.ask("mirrord/rbac", json!({}));
    let every = every["yaml"].as_str().unwrap();
    assert!(every.contains("kind: ClusterRole\n"), "{every}");
    assert!(every.contains("[jobs], verbs: [create"), "{every}");
    let error = client.fail("mirrord/rbac", json!({ "modes": ["fly"] }));
    assert_eq!(error["data"]["kind"], "invalidParams");
}

#[test]
fn a_cancelled_request_is_answered_once_with_its_code() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let id = client.begin("mirrord/doctor", json!({}));
    client.notify("$/cancelRequest", json!({ "id": id }));
    let answer = client.answer(id);
    assert_eq!(answer["error"]["code"], -32800, "{answer}");
    assert_eq!(answer["error"]["data"]["kind"], "cancelled");
    client.ask("shutdown", json!(null));
    client.notify("exit", json!(null));
    let rest = client.until_the_end();
    assert!(rest.iter().all(|message| message["id"] != id), "{rest:?}");
}

#[test]
fn nothing_is_answered_before_initialize_and_after_shutdown() {
    let home = Home::new();
    let mut client = home.forwarder();
    let error = client.fail("mirrord/targets/list", json!({}));
    assert_eq!(error["code"], -32002);
    client.initialize(&home.path("work"));
    client.ask("shutdown", json!(null));
    let error = client.fail("mirrord/targets/list", json!({}));
    assert_eq!(error["code"], -32600);
}
