//! `podman run` as what an editor launches: the program in the container is in the session.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mirrord_tests::editor::Editor;
use mirrord_tests::left::processes_in;
use mirrord_tests::podman::{IMAGE, LIMITS, Podman};
use mirrord_tests::run::{self, Ended, server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// What the program in the container sees, a line each.
const SCRIPT: &str = "\
import os, socket, urllib.request
print('env:', os.environ.get('FEATURE_FLAG'))
print('token:', os.environ.get('MIRRORD_LAUNCH_TOKEN'))
print('pod file:', open('/data/hello.txt').read().strip())
print('of the image:', os.path.exists('/bin/busybox'))
answer = urllib.request.urlopen('http://orders.shop.svc.cluster.local/', timeout=20)
print('call:', answer.read().decode().splitlines()[0])
";

/// A sandbox of the user with this runtime folder.
struct Sandbox<'a>(&'a Path);

impl<'a> Sandbox<'a> {
    fn up(runtime: &'a Path) -> Self {
        let ended = run::finish(&mut server(runtime, &["sandbox", "up", "shop"]));
        assert!(ended.status.success(), "{ended:?}");
        Sandbox(runtime)
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        let _ = server(self.0, &["sandbox", "down", "shop"]).output();
    }
}

fn prepare(editor: &mut Editor, program: &str, arguments: &[String]) -> Result<Value, Value> {
    let launch = json!({
        "name": "in a container",
        "kind": "run",
        "program": program,
        "args": arguments,
        "cwd": "/",
        "env": {},
    });
    let params = json!({ "target": "sandbox/shop", "launch": launch, "interactive": false });
    editor.ask("mirrord/launch/prepare", params)
}

/// `podman OPTIONS run …` of a program of this machine's `/usr`.
fn command_line(podman: &Podman, options: &[&str], program: &[&str]) -> Vec<String> {
    let mut arguments = podman.options();
    let fixed = ["run", "--rm", "-v", "/usr:/usr:ro"];
    let parts = [&fixed[..], &LIMITS, options, &[IMAGE], program];
    arguments.extend(parts.concat().into_iter().map(str::to_owned));
    arguments
}

fn launch(prepared: &Value) -> Ended {
    run::finish(&mut launched(prepared))
}

fn launched(prepared: &Value) -> Command {
    assert_eq!(prepared["decision"], "inject", "{prepared}");
    let arguments = prepared["argv"]["args"].as_array().expect("arguments");
    let mut command = Command::new("podman");
    command.args(arguments.iter().map(|one| one.as_str().expect("a text")));
    for (name, value) in prepared["env"]["set"].as_object().expect("variables") {
        command.env(name, value.as_str().expect("a text"));
    }
    command
}

#[test]
fn a_container_that_is_launched_sees_the_pods_variables_files_and_network() {
    let podman = Podman::start();
    let runtime = podman.path(".");
    let _sandbox = Sandbox::up(&runtime);
    let mut editor = Editor::start(&runtime);
    let program = ["/usr/bin/python3", "-c", SCRIPT];
    let arguments = command_line(&podman, &[], &program);
    let prepared = prepare(&mut editor, "podman", &arguments).unwrap();
    let ended = launch(&prepared);
    let id = json!({ "sessionId": prepared["sessionId"] });
    editor.ask("mirrord/session/stop", id).unwrap();
    assert_eq!(
        ended.stdout.lines().collect::<Vec<_>>(),
        [
            "env: new-checkout",
            "token: None",
            "pod file: hello from a file in the pod",
            "of the image: True",
            "call: pod: orders of shop-shop",
        ],
        "{ended:?}"
    );
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn what_no_container_can_join_with_is_refused_before_anything_starts() {
    let podman = Podman::start();
    let runtime = podman.path(".");
    let _sandbox = Sandbox::up(&runtime);
    let mut editor = Editor::start(&runtime);
    let composes = ["compose".to_owned(), "up".to_owned()];
    let apart = command_line(&podman, &["--network=none"], &["/usr/bin/env"]);
    for (program, arguments, words) in [
        ("docker", &composes[..], "docker run"),
        ("podman", &composes[..], "podman run"),
        ("docker-compose", &composes[1..], "docker run"),
        ("podman-compose", &composes[1..], "podman run"),
        ("podman", &apart[..], "--network=host"),
    ] {
        let error = prepare(&mut editor, program, arguments).unwrap_err();
        assert_eq!(error["data"]["kind"], "launchRefused", "{error}");
        let help = error["data"]["help"].as_str().expect("a next step");
        assert!(help.contains(words), "{program} {arguments:?}: {error}");
    }
    let listed = editor.ask("mirrord/session/list", json!({})).unwrap();
    assert_eq!(listed["sessions"], json!([]), "nothing was started");
}

/// Looks at the pod, waits for a line, and looks again.
const TWICE: &str = "\
import sys
def look(): return open('/data/hello.txt').read().strip()
print(look(), flush=True)
sys.stdin.readline()
print(look(), flush=True)
";

#[test]
fn a_container_sees_the_pods_files_after_the_supervisors_worker_died() {
    let podman = Podman::start();
    let runtime = podman.path(".");
    let _sandbox = Sandbox::up(&runtime);
    let mut editor = Editor::start(&runtime);
    let arguments = command_line(&podman, &["-i"], &["/usr/bin/python3", "-c", TWICE]);
    let prepared = prepare(&mut editor, "podman", &arguments).unwrap();
    let mut child = launched(&prepared)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("podman");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let pods = "hello from a file in the pod";
    assert_eq!(lines.next().expect("a line").expect("text"), pods);

    let supervisors = processes_in(&runtime, "@supervisor");
    let [_keeper, worker] = supervisors[..] else {
        panic!("a keeper and its worker: {supervisors:?}");
    };
    let worker = Pid::from_raw(worker).expect("a process");
    kill_process(worker, Signal::KILL).expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"go on\n").expect("it reads");
    assert_eq!(lines.next().expect("a line").expect("text"), pods);
    assert!(child.wait().expect("it ends").success());
    let id = json!({ "sessionId": prepared["sessionId"] });
    editor.ask("mirrord/session/stop", id).unwrap();
}
