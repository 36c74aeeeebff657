//! Containers of this machine as targets, with a real Podman.

use std::process::Command;

use mirrord_tests::podman::Podman;
use mirrord_tests::{product, run};

fn server(podman: &Podman, arguments: &[&str]) -> run::Ended {
    let mut command = Command::new(product::server());
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/")
        .env("XDG_RUNTIME_DIR", podman.path("."))
        .env("CONTAINER_HOST", podman.url())
        .args(arguments);
    run::finish(&mut command)
}

fn exec(podman: &Podman, target: &str, script: &str) -> run::Ended {
    let arguments = ["exec", "--target", target, "--", "/bin/sh", "-c", script];
    server(podman, &arguments)
}

#[test]
fn a_program_sees_the_containers_files_and_environment() {
    let podman = Podman::start();
    let options = [
        "--env",
        "FROM_THE_SPEC=yes",
        "--hostname",
        "in-the-container",
    ];
    let id = podman.container("web", &options);
    for target in ["container/web", &format!("container/{}", &id[..12])] {
        let ended = exec(
            &podman,
            target,
            "cat /etc/hostname; echo; cat /data/only-inside; env",
        );
        assert!(ended.status.success(), "{ended:?}");
        for line in ["in-the-container", "of the image", "FROM_THE_SPEC=yes"] {
            assert!(
                ended.stdout.lines().any(|printed| printed == line),
                "{line} is missing through {target}: {ended:?}"
            );
        }
    }
}

#[test]
fn containers_are_listed_with_their_state() {
    let podman = Podman::start();
    podman.container("running", &[]);
    podman.container("stopped", &[]);
    podman.run(&["stop", "--time", "0", "stopped"]);
    let ended = server(&podman, &["targets", "--json"]);
    assert!(ended.status.success(), "{ended:?}");
    let rows: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let row = |path: &str| {
        let mut rows = rows.as_array().unwrap().iter();
        rows.find(|row| row["path"] == path)
            .unwrap_or_else(|| panic!("no {path} in {ended:?}"))
    };
    assert_eq!(row("container/running")["ready"], true);
    assert_eq!(row("container/running")["name"], "localhost/bed:1");
    let stopped = row("container/stopped");
    assert_eq!(stopped["ready"], false);
    assert!(
        stopped["reason"].as_str().unwrap().contains("exited"),
        "{stopped}"
    );
    // It is one target, not a container and a process.
    let pid = podman.run(&["inspect", "--format", "{{.State.Pid}}", "running"]);
    let process = format!("process/{}", pid.trim());
    assert!(!ended.stdout.contains(&process), "{ended:?}");
}

#[test]
fn what_cannot_be_a_target_is_said_in_words() {
    let podman = Podman::start();
    let ids = ["one", "two", "stopped"].map(|name| podman.container(name, &[]));
    podman.run(&["stop", "--time", "0", "stopped"]);
    for (target, words) in [
        ("container/stopped", "only a running one"),
        ("container/nobody", "there is no container"),
        ("container/", "container/NAME"),
    ] {
        let ended = exec(&podman, target, "true");
        assert!(!ended.status.success());
        assert!(ended.stderr.contains(words), "{target}: {ended:?}");
    }
    // Among three ids two rarely begin alike; then the whole id still decides.
    let ended = exec(&podman, &format!("container/{}", ids[0]), "true");
    assert!(ended.status.success(), "{ended:?}");

    let mut command = Command::new(product::server());
    command
        .env("CONTAINER_HOST", "unix:///no/such/engine.sock")
        .env("XDG_RUNTIME_DIR", podman.path("."))
        .args(["exec", "--target", "container/one", "--", "true"]);
    let ended = run::finish(&mut command);
    assert!(ended.stderr.contains("/no/such/engine.sock"), "{ended:?}");
    assert!(
        ended.stderr.contains("is the engine installed"),
        "{ended:?}"
    );
}

#[test]
fn the_session_ends_with_its_container() {
    let podman = Podman::start();
    podman.container("short", &[]);
    let mut command = Command::new(product::server());
    command
        .env("CONTAINER_HOST", podman.url())
        .env("XDG_RUNTIME_DIR", podman.path("."))
        .args(["exec", "--target", "container/short", "--"])
        .args(["/bin/sh", "-c", "echo started; sleep 1000"]);
    let (running, _) = run::Running::start(&mut command, "started");
    podman.run(&["rm", "--force", "--time", "0", "short"]);
    let ended = running.finish();
    assert!(!ended.status.success(), "{ended:?}");
    assert!(!ended.stderr.is_empty(), "the reason is said: {ended:?}");
}
