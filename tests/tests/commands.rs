//! The command line beside `exec`: other names, restarts, and flags over the file.

use std::process::Command;

use mirrord_tests::pod::Pod;
use mirrord_tests::run::{self, Ended, exec, finish};
use mirrord_tests::{product, programs};

fn server(pod: &Pod, arguments: &[&str]) -> Ended {
    finish(&mut run::server(pod.runtime(), arguments))
}

#[test]
fn commands_of_mirrord_are_answered_with_what_to_use_here() {
    for (command, instead) in [
        ("ext", "session prepare"),
        ("vpn", "port-forward"),
        ("operator", "session list"),
        ("diagnose", "doctor"),
        ("up", "exec"),
    ] {
        let ended = finish(Command::new(product::server()).args([command, "status", "--json"]));
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains(instead), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "one sentence: {ended:?}");
    }
}

#[test]
fn a_restarted_session_has_another_id_and_the_configuration_read_again() {
    let pod = Pod::up("restart");
    let file = pod.runtime().join("mirrord.json");
    let write = |target: &str, mode: &str| {
        let text = format!(r#"{{ "target": "{target}", "feature": {{ "fs": "{mode}" }} }}"#);
        std::fs::write(&file, text).expect("written");
    };
    write(&pod.target(), "read");
    let json = |ended: &Ended| -> serde_json::Value {
        assert!(ended.status.success(), "{ended:?}");
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    let id = |prepared: &serde_json::Value| prepared["sessionId"].as_str().expect("id").to_owned();
    let options = [
        "session",
        "prepare",
        "--config",
        "mirrord.json",
        "--name",
        "mine",
        "--keep-agent-ms",
        "0",
    ];
    let first = id(&json(&server(&pod, &options)));

    write(&pod.target(), "reed");
    let wrong = server(&pod, &["session", "restart", &first]);
    assert!(
        !wrong.status.success() && wrong.stderr.contains("reed"),
        "{wrong:?}"
    );
    let kept = server(&pod, &["session", "logs", &first]);
    assert!(
        kept.status.success(),
        "a wrong file costs no session: {kept:?}"
    );

    write(&pod.target(), "read");
    let again = json(&server(&pod, &["session", "restart", &first]));
    assert_ne!(id(&again), first);
    let list = json(&server(&pod, &["session", "list", "--json"]));
    let rows: Vec<_> = list
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["id"])
        .collect();
    assert_eq!(rows, [&again["sessionId"]], "the first is over");
    assert_eq!(list[0]["name"], "mine");
    let gone = server(&pod, &["session", "restart", &first]);
    assert!(gone.stderr.contains("there is no session"), "{gone:?}");
    let stopped = server(&pod, &["session", "stop", &id(&again)]);
    assert!(stopped.status.success(), "{stopped:?}");
}

#[test]
fn flags_beat_the_environment_and_the_file() {
    let pod = Pod::up("flags");
    std::fs::create_dir(pod.runtime().join(".mirrord")).expect("made");
    let file = pod.runtime().join(".mirrord/mirrord.json");
    std::fs::write(&file, r#"{ "feature": { "fs": "read" } }"#).expect("written");
    let reads = |flags: &[&str], variable: Option<&str>| {
        let mut command = exec(&pod, flags, &["/bin/cat", "/data/hello.txt"]);
        command.envs(variable.map(|mode| ("MIRRORD_FILE_MODE", mode)));
        finish(&mut command).status.success()
    };
    assert!(reads(&[], None));
    assert!(!reads(&[], Some("local")));
    assert!(reads(&["--fs-mode", "read"], Some("local")));
    assert!(!reads(&["--fs-mode", "local"], Some("read")));

    let script = "import os; print(os.environ.get('POD_NAME'), os.environ.get('SHOP_COLOUR'))";
    let plain = [programs::PYTHON, "-c", script];
    let with = finish(&mut exec(&pod, &[], &plain)).stdout;
    assert!(!with.starts_with("None"), "{with}");
    let without = finish(&mut exec(&pod, &["-x", "POD_NAME"], &plain)).stdout;
    assert!(without.starts_with("None"), "{without}");
    let cluster = finish(&mut exec(&pod, &["--agent-ttl", "99999"], &["/bin/true"]));
    assert_eq!(cluster.status.code(), Some(125), "{cluster:?}");
    for word in ["agent.ttl", "--agent-ttl", "seconds"] {
        assert!(cluster.stderr.contains(word), "{word:?}: {cluster:?}");
    }
}
