//! What can be a target, and what the session tells while it runs.

use std::process::Command;

use mirrord_tests::pod::Pod;
use mirrord_tests::run::{self, Ended};
use mirrord_tests::{product, programs};

fn server(pod: &Pod, arguments: &[&str]) -> Ended {
    let mut command = Command::new(product::server());
    command
        .env("XDG_RUNTIME_DIR", pod.runtime())
        .current_dir(pod.runtime())
        .args(arguments);
    run::finish(&mut command)
}

#[test]
fn targets_are_listed_for_people_and_programs() {
    let pod = Pod::up("listed");
    let table = server(&pod, &["targets"]);
    assert!(
        table
            .stdout
            .lines()
            .any(|line| line.starts_with("sandbox/listed") && line.ends_with("ready")),
        "{table:?}"
    );
    let json = server(&pod, &["targets", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["path"] == "sandbox/listed")
        .expect("listed");
    assert_eq!(row["ready"], true);
    assert_eq!(row["kind"], "sandbox");
}

#[test]
fn any_process_of_this_machine_can_be_a_target() {
    let pod = Pod::up("process");
    if !product::is_root() {
        println!(
            "as an ordinary user a process of another user namespace is entered by its owner only"
        );
    }
    let target = format!("process/{}", pod.sandbox.target_pid());
    let mut command = Command::new(product::server());
    command
        .env("XDG_RUNTIME_DIR", pod.runtime())
        .current_dir(pod.runtime());
    command.args([
        "exec",
        "--target",
        &target,
        "--",
        "/bin/cat",
        "/data/hello.txt",
    ]);
    let ended = run::finish(&mut command);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.stdout.contains("hello from a file in the pod"),
        "{ended:?}"
    );
}

#[test]
fn every_decision_is_an_event_with_its_rule() {
    let pod = Pod::up("events");
    let events = pod.runtime().join("events.jsonl");
    let options = ["--events", events.to_str().unwrap(), "--steal"];
    let script = "import socket, urllib.request\n\
        open('/data/hello.txt').read(); open('/usr/bin/env', 'rb').read(1)\n\
        urllib.request.urlopen('http://orders/').read()\n\
        s = socket.socket(); s.bind(('0.0.0.0', 8080)); s.listen(); s.close()\n";
    let ended = run::finish(&mut run::exec(
        &pod,
        &options,
        &[programs::PYTHON, "-c", script],
    ));
    assert!(ended.status.success(), "{ended:?}");
    let text = std::fs::read_to_string(&events).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], index as u64, "none is missing");
        assert!(event["ts"].as_str().is_some_and(|ts| ts.ends_with('Z')));
        if ["file", "outgoing", "listen"]
            .iter()
            .any(|kind| event["kind"] == *kind)
        {
            assert!(
                event["rule"].as_str().is_some_and(|rule| !rule.is_empty()),
                "{event}"
            );
        }
    }
    let has = |what: &dyn Fn(&serde_json::Value) -> bool| events.iter().any(what);
    assert!(has(&|e| e["kind"] == "file"
        && e["path"] == "/data/hello.txt"
        && e["place"] == "remote"));
    assert!(has(&|e| e["kind"] == "file"
        && e["path"] == "/usr/bin/env"
        && e["place"] == "local"));
    assert!(has(&|e| e["kind"] == "outgoing"
        && e["to"] == "10.77.2.2:80"
        && e["place"] == "remote"));
    assert!(has(&|e| e["kind"] == "listen"
        && e["port"] == 8080
        && e["mode"] == "steal"));
    let states: Vec<&str> = events
        .iter()
        .filter(|e| e["kind"] == "session")
        .map(|e| e["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        ["preparing", "ready", "running", "draining", "ended"]
    );
    assert!(
        !text.contains("s3cret"),
        "no value of the pod's environment is in the events"
    );
}

#[test]
fn mirrord_configuration_is_found_and_decides() {
    let pod = Pod::up("found");
    let folder = pod.runtime().join(".mirrord");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("mirrord.yaml"),
        "feature:\n  env:\n    override:\n      FROM_FILE: 'yes'\n    unset: [DATABASE_URL]\n  fs:\n    not_found: ['^/data/hello']\n",
    )
    .unwrap();
    let script = "echo $FROM_FILE:$DATABASE_URL; cat /data/hello.txt";
    let ended = run::finish(&mut run::exec(&pod, &[], &["/bin/sh", "-c", script]));
    assert!(ended.stdout.starts_with("yes:\n"), "{ended:?}");
    assert!(ended.stderr.contains("No such file"), "{ended:?}");
}

/// It lives in our own namespaces, which nobody needs rights to be in.
#[test]
fn a_plain_process_of_ones_own_is_a_target_too() {
    let runtime = tempfile::tempdir().expect("a folder");
    let mut target = Command::new("/bin/sleep")
        .arg("60")
        .env("ONLY_THERE", "seen")
        .spawn()
        .expect("sleep(1) is installed");
    let mut command = Command::new(product::server());
    command
        .env("XDG_RUNTIME_DIR", runtime.path())
        .current_dir(runtime.path())
        .args(["exec", "--target", &format!("process/{}", target.id())])
        .args(["--", "/bin/sh", "-c", "echo $ONLY_THERE"]);
    let ended = run::finish(&mut command);
    target.kill().expect("killed");
    target.wait().expect("waited");
    assert_eq!(ended.stdout, "seen\n", "{ended:?}");
    assert!(ended.status.success(), "{ended:?}");
}
