//! How the daemon begins, is shared, and ends.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Home, PATIENCE};

#[test]
fn a_forwarder_starts_the_daemon_and_leaves_it_running() {
    let home = Home::new();
    let mut client = home.forwarder();
    let result = client.initialize(&home.path("work"));
    let ours = &result["capabilities"]["experimental"]["mirrord"];
    assert_eq!(ours["protocolVersion"], 1);
    assert_eq!(result["serverInfo"]["name"], "mirrord-server");
    assert_eq!(client.ask("shutdown", json!(null)), json!(null));
    client.notify("exit", json!(null));
    assert_eq!(client.exit_status(), Some(0));
    assert_eq!(home.status()["clients"], 0);
}

#[test]
fn the_socket_is_the_users_alone() {
    let home = Home::new();
    home.forwarder().initialize(&home.path("work"));
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.socket()), 0o600);
    assert_eq!(mode(home.path("run/mirrord")), 0o700);
}

#[test]
fn fifty_forwarders_at_once_make_one_daemon() {
    let home = Home::new();
    let mut clients: Vec<_> = (0..50).map(|_| home.forwarder()).collect();
    for client in &mut clients {
        client.initialize(&home.path("work"));
    }
    assert_eq!(home.status()["clients"], 50);
    let pid = home.status()["pid"].as_u64().unwrap().to_string();
    let runtime = home.path("run");
    let daemons: Vec<String> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let has = |bytes: &[u8], text: &str| {
                String::from_utf8_lossy(bytes)
                    .split('\0')
                    .any(|word| word == text)
            };
            let of_this_home = format!("XDG_RUNTIME_DIR={}", runtime.display());
            (has(&command, "@daemon") && has(&environment, &of_this_home))
                .then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect();
    assert_eq!(daemons, [pid]);
}

#[test]
fn a_stale_socket_is_replaced() {
    let home = Home::new();
    std::fs::create_dir(home.path("run/mirrord")).unwrap();
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(home.path("run/mirrord"), private).unwrap();
    drop(UnixListener::bind(home.socket()).unwrap());
    home.forwarder().initialize(&home.path("work"));
    assert_eq!(home.status()["clients"], 0);
}

#[test]
fn a_daemon_that_goes_ends_its_forwarders_with_75() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let (code, text) = home.run(&["daemon", "stop"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(client.exit_status(), Some(75));
    assert_eq!(home.run(&["daemon", "status"]).0, Some(3));
}

#[test]
fn a_daemon_that_nobody_needs_ends() {
    let home = Home::with_idle(1);
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(home.status()["clients"], 1);
    drop(client);
    let deadline = Instant::now() + PATIENCE;
    while home.socket().exists() {
        assert!(Instant::now() < deadline, "the daemon stays");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn without_a_daemon_one_client_is_served_alone() {
    let home = Home::new();
    let mut client = home.client(&["--stdio", "--no-daemon"]);
    client.initialize(&home.path("work"));
    client.hang_up();
    assert_eq!(client.exit_status(), Some(0));
    assert!(!home.socket().exists());
}

#[test]
fn a_second_daemon_is_refused() {
    let home = Home::new();
    home.forwarder().initialize(&home.path("work"));
    let (code, text) = home.run(&["daemon"]);
    assert_eq!(code, Some(125));
    assert!(text.contains("runs already"), "{text}");
}

/// What a forwarder of another version says and hears.
fn greet(home: &Home, version: &str) -> String {
    let mut stream = UnixStream::connect(home.socket()).unwrap();
    writeln!(stream, "{}", json!({ "ask": "serve", "version": version })).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn an_idle_daemon_hands_over_to_another_version_and_a_busy_one_says_why_not() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let busy = greet(&home, "99.0.0");
    assert!(
        busy.contains("otherVersion") && busy.contains("1 client and 0 sessions"),
        "{busy}"
    );
    client.hang_up();
    assert_eq!(client.exit_status(), Some(0));
    let deadline = Instant::now() + PATIENCE;
    while home.status()["clients"] != 0 {
        assert!(Instant::now() < deadline);
    }
    let idle = greet(&home, "99.0.0");
    assert!(idle.contains("handedOver"), "{idle}");
    assert!(!home.socket().exists());
    home.forwarder().initialize(&home.path("work"));
}

#[test]
fn a_forwarder_tells_its_editor_of_a_daemon_of_another_version() {
    let home = Home::new();
    std::fs::create_dir(home.path("run/mirrord")).unwrap();
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(home.path("run/mirrord"), private).unwrap();
    let listener = UnixListener::bind(home.socket()).unwrap();
    let mut client = home.forwarder();
    let (mut stream, _) = listener.accept().unwrap();
    let answer = json!({ "answer": "otherVersion", "version": "99.0.0", "busy": "2 sessions" });
    writeln!(stream, "{answer}").unwrap();
    let error = client.fail("initialize", json!({ "capabilities": {} }));
    assert_eq!(error["data"]["kind"], "versionMismatch");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("99.0.0") && message.contains(env!("CARGO_PKG_VERSION")),
        "{message}"
    );
    assert_eq!(client.exit_status(), Some(125));
    drop(listener);
}

#[test]
fn what_is_under_way_is_answered_when_the_daemon_ends() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    let ids: Vec<i64> = (0..5)
        .map(|_| client.begin("mirrord/doctor", json!({})))
        .collect();
    assert_eq!(home.run(&["daemon", "stop"]).0, Some(0));
    let heard = client.until_the_end();
    for id in ids {
        let answers: Vec<_> = heard.iter().filter(|message| message["id"] == id).collect();
        assert_eq!(answers.len(), 1, "{id}: {heard:?}");
        let code = &answers[0]["error"]["code"];
        assert!(code.is_null() || *code == -32802, "{answers:?}");
    }
}
