//! From `prepare` to `ended`, with a real sandbox: the program is started from the answer alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mirrord_tests::{left::wait_until, product};
use serde_json::{Value, json};

use self::client::{Client, Home};

#[path = "../../server/tests/daemon/client.rs"]
#[allow(dead_code, reason = "the daemon's own tests use the rest")]
mod client;

fn server() -> PathBuf {
    product::server()
}

/// A home with a sandbox in it, taken down at the end.
struct Place {
    home: Home,
}

impl Place {
    fn up() -> Self {
        let home = Home::new();
        let (code, text) = home.run(&["sandbox", "up"]);
        assert_eq!(code, Some(0), "{text}");
        Place { home }
    }

    fn client(&self) -> Client {
        let mut client = self.home.forwarder();
        client.initialize(&self.home.path("work"));
        client
    }

    fn launch(&self, more: Value) -> Value {
        let folder = self.home.path("work");
        let mut launch = json!({
            "target": "sandbox/default",
            "workspace": format!("file://{}", folder.display()),
            "launch": { "name": "test", "program": "/bin/cat", "cwd": folder },
        });
        for (name, value) in more.as_object().unwrap() {
            launch[name] = value.clone();
        }
        launch
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (_, agents) = self.home.run(&["agent", "list"]);
        for line in agents.lines().skip(1) {
            let id = line.split_whitespace().next().unwrap_or_default();
            self.home.run(&["agent", "stop", id]);
        }
        let (code, text) = self.home.run(&["sandbox", "down"]);
        if !std::thread::panicking() {
            assert_eq!(code, Some(0), "{text}");
        }
    }
}

/// The program with nothing but what `prepare` said.
fn program(prepared: &Value, path: &str, arguments: &[&str]) -> Command {
    let set: std::collections::BTreeMap<String, String> =
        serde_json::from_value(prepared["env"]["set"].clone()).unwrap();
    let mut command = Command::new(path);
    command.args(arguments).envs(set).stdout(Stdio::piped());
    command
}

#[test]
fn a_program_started_from_the_answer_alone_is_in_the_pod() {
    let place = Place::up();
    let mut client = place.client();
    let prepared = client.ask("mirrord/launch/prepare", place.launch(json!({})));
    assert_eq!(prepared["decision"], "inject");
    let session = json!({ "sessionId": prepared["sessionId"] });
    let mut all = session.clone();
    all["sinceSeq"] = json!(0);
    client.ask("mirrord/session/subscribe", all);
    let mut sleeper = program(&prepared, "/bin/sleep", &["60"]).spawn().unwrap();
    let mut bind = session.clone();
    bind["pid"] = json!(sleeper.id());
    client.ask("mirrord/launch/bind", bind);
    let output = program(&prepared, "/bin/cat", &["/etc/hostname"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "shop-default\n");
    loop {
        let event = client.told("mirrord/session/event");
        if event["kind"] == "file" && event["path"] == "/etc/hostname" {
            assert_eq!(event["place"], "remote");
            break;
        }
    }
    let mut other = place.client();
    let listed = other.ask("mirrord/session/list", json!({}));
    assert_eq!(listed["sessions"][0]["sessionId"], prepared["sessionId"]);
    assert_eq!(listed["sessions"][0]["state"], "running");
    other.ask("mirrord/session/stop", session.clone());
    assert!(!sleeper.wait().unwrap().success());
    loop {
        let event = client.told("mirrord/session/event");
        if event["kind"] == "session" && event["state"] == "ended" {
            break;
        }
    }
    // Its process still keeps the agent warm.
    let session = client.ask("mirrord/session/get", session);
    assert_eq!(session["state"], "ended");
}

#[test]
fn a_session_outlives_its_daemon_and_is_found_again() {
    let place = Place::up();
    let mut client = place.client();
    let prepared = client.ask("mirrord/launch/prepare", place.launch(json!({})));
    let mut sleeper = program(&prepared, "/bin/sleep", &["60"]).spawn().unwrap();
    let (code, text) = place.home.run(&["daemon", "stop"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(client.exit_status(), Some(75));
    let mut client = place.client();
    let listed = client.ask("mirrord/session/list", json!({}));
    assert_eq!(listed["sessions"][0]["sessionId"], prepared["sessionId"]);
    let session = json!({ "sessionId": prepared["sessionId"] });
    let error = client.fail("mirrord/session/restart", session.clone());
    assert_eq!(error["data"]["kind"], "wrongState");
    client.ask("mirrord/session/stop", session);
    sleeper.wait().unwrap();
}

#[test]
fn a_cancelled_prepare_leaves_no_session() {
    let place = Place::up();
    let mut client = place.client();
    let launch = place.launch(json!({ "workDoneToken": "w" }));
    let id = client.begin("mirrord/launch/prepare", launch);
    // It has begun something that is to be undone.
    client.told("$/progress");
    client.notify("window/workDoneProgress/cancel", json!({ "token": "w" }));
    let answer = client.answer(id);
    assert_eq!(answer["error"]["code"], -32800, "{answer}");
    let listed = client.ask("mirrord/session/list", json!({}));
    assert_eq!(listed["sessions"], json!([]));
    let agents = client.ask("mirrord/agent/list", json!({}));
    assert_eq!(agents["agents"], json!([]));
}

#[test]
fn a_connections_own_session_ends_with_it() {
    let place = Place::up();
    let mut client = place.client();
    let launch = place.launch(json!({ "ownedBy": "connection" }));
    let prepared = client.ask("mirrord/launch/prepare", launch);
    let mut sleeper = program(&prepared, "/bin/sleep", &["60"]).spawn().unwrap();
    // A program that finds its session gone while it starts runs plain: it is to be inside.
    let session = json!({ "sessionId": prepared["sessionId"] });
    wait_until(
        "the program is in its session",
        Duration::from_secs(20),
        || client.ask("mirrord/session/get", session.clone())["state"] == "running",
    );
    drop(client);
    assert!(!sleeper.wait().unwrap().success());
}

#[test]
fn a_launch_that_is_switched_off_or_lacks_a_target_starts_nothing() {
    let place = Place::up();
    let mut client = place.client();
    let off = client.ask(
        "mirrord/launch/prepare",
        place.launch(json!({ "active": false })),
    );
    assert_eq!(off["decision"], "skip");
    let error = client.fail(
        "mirrord/launch/prepare",
        place.launch(json!({ "target": null })),
    );
    assert_eq!(error["data"]["kind"], "targetRequired");
    let attach = json!({ "launch": {
        "name": "a", "adapter": "debugpy", "raw": { "type": "debugpy", "request": "attach" },
    } });
    let skipped = client.ask("mirrord/launch/prepare", place.launch(attach));
    assert_eq!(skipped["decision"], "skip");
    assert_eq!(
        client.ask("mirrord/session/list", json!({}))["sessions"],
        json!([])
    );
}
