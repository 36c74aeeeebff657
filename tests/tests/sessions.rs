//! Sessions that are processes of their own: others launch programs into them, look into them, and
//! end them; they outlive whoever started them, and nothing is left of them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use mirrord_sandbox::{HttpCall, addresses};
use mirrord_tests::pod::Pod;
use mirrord_tests::run::{Ended, Running, finish};
use mirrord_tests::{product, programs};
use serde_json::Value;

/// What `session prepare` printed.
struct Session<'a> {
    pod: &'a Pod,
    prepared: Value,
}

fn command(pod: &Pod, arguments: &[&str]) -> Command {
    let mut command = Command::new(product::server());
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env(
            "HOME",
            std::env::var_os("HOME").unwrap_or_else(|| "/".into()),
        )
        .env("XDG_RUNTIME_DIR", pod.runtime())
        .current_dir(pod.runtime())
        .args(arguments);
    command
}

fn ask(pod: &Pod, arguments: &[&str]) -> Ended {
    finish(&mut command(pod, arguments))
}

fn json(pod: &Pod, arguments: &[&str]) -> Value {
    let ended = ask(pod, arguments);
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

impl Session<'_> {
    fn prepare<'a>(pod: &'a Pod, options: &[&str]) -> Session<'a> {
        let target = pod.target();
        let mut arguments = vec!["session", "prepare", "--target", &target];
        arguments.extend(options);
        let prepared = json(pod, &arguments);
        Session { pod, prepared }
    }

    fn text(&self, key: &str) -> &str {
        self.prepared[key].as_str().expect(key)
    }

    fn id(&self) -> &str {
        self.text("sessionId")
    }

    /// The program as a debugger would launch it: only its environment tells of the session.
    fn launch(&self, argv: &[&str]) -> Command {
        let mut command = Command::new(argv[0]);
        command
            .args(&argv[1..])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LD_PRELOAD", self.text("layer"))
            .env("MIRRORD_SUPERVISOR", self.text("socket"))
            .env("MIRRORD_LAUNCH_TOKEN", self.text("token"));
        command
    }

    fn ask(&self, request: Value) -> Ended {
        ask(
            self.pod,
            &["session", "ask", self.id(), &request.to_string()],
        )
    }

    /// The session's status while it is listed.
    fn status(&self) -> Option<Value> {
        let list = json(self.pod, &["session", "list", "--json"]);
        let mut rows = list.as_array().expect("a list").clone();
        rows.retain(|row| row["id"] == self.id());
        rows.pop()
    }

    fn state(&self) -> String {
        let status = self.status();
        status.map_or("gone".into(), |status| {
            status["state"]["state"]
                .as_str()
                .expect("a state")
                .to_owned()
        })
    }

    fn answer(&self, request: Value) -> Value {
        let asked = self.ask(request);
        assert!(asked.status.success(), "{asked:?}");
        serde_json::from_str(&asked.stdout).expect("JSON")
    }

    fn ports(&self) -> Value {
        self.status().expect("listed")["ports"].clone()
    }

    fn stop(&self) {
        let ended = ask(self.pod, &["session", "stop", self.id()]);
        assert!(ended.status.success(), "{ended:?}");
    }
}

fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < within, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A zombie that nobody has waited for is dead.
fn lives(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| &rest[..1]);
    !["", "Z", "X"].contains(&state)
}

fn call() -> HttpCall {
    HttpCall::get((addresses::POD_V4, addresses::WEB_PORT), "/")
}

#[test]
fn a_program_that_others_launch_is_in_the_pod_and_seen_in_the_events() {
    let pod = Pod::up("session-whole");
    let session = Session::prepare(&pod, &["--steal", "--keep-agent-ms", "0"]);
    assert_eq!(session.state(), "ready");
    let events = command(&pod, &["session", "events", session.id()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("events");
    let program = programs::named("c").argv[0].to_str().expect("UTF-8");
    let script = format!("cat /data/hello.txt; exec {program} serve 8080 1000");
    let mut command = session.launch(&["/bin/sh", "-c", &script]);
    let (mut running, _) = Running::start(&mut command, "listening on");
    let pid = running.child.id();
    let bound = session.ask(serde_json::json!({ "bind": { "pid": pid, "debuggerPort": null } }));
    assert!(bound.status.success(), "{bound:?}");
    let answer = pod.sandbox.client_http(&call()).expect("an answer").text();
    assert!(answer.starts_with("local "), "{answer}");
    assert_eq!(session.state(), "running");
    let started = Instant::now();
    session.stop();
    assert!(started.elapsed() < Duration::from_secs(5));
    // Answered after the clean-up: nothing may be left now.
    assert_eq!(session.state(), "gone");
    assert!(
        running.child.try_wait().expect("wait").is_some(),
        "the program was ended"
    );
    let answer = pod.sandbox.client_http(&call()).expect("an answer").text();
    assert!(answer.contains("pod: shop-"), "{answer}");
    let events = events.wait_with_output().expect("events end");
    let events = String::from_utf8_lossy(&events.stdout).into_owned();
    let all: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let has = |wanted: &dyn Fn(&Value) -> bool| all.iter().any(wanted);
    assert!(
        has(&|e| e["kind"] == "file" && e["path"] == "/data/hello.txt" && e["place"] == "remote"),
        "a remote file: {events}"
    );
    assert!(
        has(&|e| e["kind"] == "listen" && e["mode"] == "steal"),
        "{events}"
    );
    assert!(
        has(&|e| e["kind"] == "incoming" && e["port"] == 8080),
        "{events}"
    );
    let states: Vec<&str> = all
        .iter()
        .filter(|event| event["kind"] == "session")
        .filter_map(|event| event["state"].as_str())
        .collect();
    assert_eq!(
        states,
        ["preparing", "ready", "running", "draining", "ended"]
    );
}

#[test]
fn a_session_outlives_its_starter_and_ends_with_its_last_process() {
    let pod = Pod::up("session-last");
    // `session prepare` has ended when it has printed: nobody who started it is left.
    let session = Session::prepare(&pod, &["--keep-agent-ms", "0"]);
    let mut processes: Vec<Child> = (0..2)
        .map(|_| {
            session
                .launch(&["/bin/sleep", "100"])
                .spawn()
                .expect("sleep")
        })
        .collect();
    for process in &processes {
        let request = serde_json::json!({ "bind": { "pid": process.id(), "debuggerPort": null } });
        assert!(session.ask(request).status.success());
    }
    let count = || {
        session
            .status()
            .map(|s| s["processes"].as_array().map(Vec::len))
    };
    wait_until("both are seen", Duration::from_secs(5), || {
        count() == Some(Some(2))
    });
    let mut end = |index: usize| {
        processes[index].kill().expect("killed");
        processes[index].wait().expect("waited");
    };
    end(0);
    wait_until("one is left", Duration::from_secs(5), || {
        count() == Some(Some(1))
    });
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(session.state(), "running");
    end(1);
    wait_until("the session ends", Duration::from_secs(5), || {
        session.state() == "gone"
    });
}

#[test]
fn a_session_that_nobody_joins_expires_unless_it_is_kept() {
    let pod = Pod::up("session-expiry");
    let session = Session::prepare(&pod, &["--expires-ms", "700", "--keep-agent-ms", "0"]);
    let kept = session.ask(serde_json::json!({ "keep": { "expiresMs": 2000 } }));
    assert!(kept.status.success(), "{kept:?}");
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(session.state(), "ready");
    wait_until("it expires", Duration::from_secs(4), || {
        session.state() == "gone"
    });
}

#[test]
fn an_aborted_launch_leaves_nothing() {
    let pod = Pod::up("session-abort");
    let session = Session::prepare(&pod, &["--keep-agent-ms", "0"]);
    let aborted = session.ask(Value::String("abort".into()));
    assert!(aborted.status.success(), "{aborted:?}");
    assert_eq!(session.state(), "gone");
}

#[test]
fn the_programs_of_a_killed_session_end_with_a_line() {
    let pod = Pod::up("session-killed-hard");
    let session = Session::prepare(&pod, &["--keep-agent-ms", "0"]);
    let mut command = session.launch(&["/bin/sh", "-c", "cat /data/hello.txt; sleep 100; true"]);
    let (running, _) = Running::start(&mut command, "hello");
    let pid = session.status().expect("listed")["pid"]
        .as_i64()
        .expect("a pid");
    // SAFETY: plain kill(2) of the session that this test started.
    assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0);
    let started = Instant::now();
    let ended = running.finish();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(
        ended
            .stderr
            .contains("its session process ended unexpectedly"),
        "the user is told: {ended:?}"
    );
}

#[test]
fn the_next_session_takes_the_warm_agent() {
    let pod = Pod::up("session-warm");
    let first = Session::prepare(&pod, &["--keep-agent-ms", "30000"]);
    assert_eq!(first.prepared["wasWarm"], false);
    let agent = |session: &Session<'_>| -> i64 {
        let asked = session.ask(Value::String("agentStatus".into()));
        assert!(asked.status.success(), "{asked:?}");
        let answer: Value = serde_json::from_str(&asked.stdout).expect("JSON");
        assert!(answer["agent"]["roundTripUs"].is_u64(), "{answer}");
        answer["agent"]["pid"].as_i64().expect("a pid")
    };
    let pid = agent(&first);
    first.stop();
    assert_eq!(first.state(), "ended", "its agent is kept");
    let started = Instant::now();
    let second = Session::prepare(&pod, &["--steal", "--keep-agent-ms", "30000"]);
    println!("prepared with a warm agent in {:?}", started.elapsed());
    assert_eq!(second.prepared["wasWarm"], true);
    assert_eq!(agent(&second), pid, "the same agent");
    assert_eq!(first.state(), "gone", "nothing of the first is left");
    let ended = finish(&mut second.launch(&["/bin/cat", "/data/hello.txt"]));
    assert!(ended.stdout.contains("hello from a file"), "{ended:?}");
    second.stop();
    let stopped = ask(&pod, &["agent", "stop", second.id()]);
    assert!(stopped.status.success(), "{stopped:?}");
    wait_until("all is gone", Duration::from_secs(3), || {
        second.state() == "gone"
    });
    assert!(!lives(pid), "the agent ended");
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let pod = Pod::up("session-fails");
    let ended = ask(
        &pod,
        &["session", "prepare", "--target", "process/999999999"],
    );
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("999999999"), "{ended:?}");
    let ended = ask(&pod, &["session", "prepare"]);
    assert!(ended.stderr.contains("no target"), "{ended:?}");
    let list = json(&pod, &["session", "list", "--json"]);
    assert_eq!(list, Value::Array(Vec::new()));
}

/// A program that opens paths and calls hosts when it is told to, in one process.
struct Obedient {
    running: Child,
    says: BufReader<ChildStdout>,
}

const OBEDIENT: &str = r#"
import socket, sys
for line in sys.stdin:
    what, *arguments = line.split()
    try:
        if what == "open":
            print(open(arguments[0]).read().strip(), flush=True)
        else:
            with socket.create_connection((arguments[0], int(arguments[1])), 0.5):
                print("connected", flush=True)
    except OSError as error:
        print("error", type(error).__name__, flush=True)
"#;

impl Obedient {
    fn start(session: &Session<'_>) -> Obedient {
        let mut command = session.launch(&[programs::PYTHON, "-c", OBEDIENT]);
        let mut running = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let says = BufReader::new(running.stdout.take().expect("piped"));
        Obedient { running, says }
    }

    fn told(&mut self, order: &str) -> String {
        let stdin = self.running.stdin.as_mut().expect("piped");
        writeln!(stdin, "{order}").expect("it listens");
        let mut line = String::new();
        self.says.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

#[test]
fn a_changed_rule_counts_for_the_next_open_and_the_next_connect() {
    let pod = Pod::up("session-rule");
    let session = Session::prepare(&pod, &["--keep-agent-ms", "0"]);
    let mut program = Obedient::start(&session);
    let path = |place: &str| {
        let change = serde_json::json!({ "path": { "path": "/data", "place": place } });
        session.answer(serde_json::json!({ "rule": change }))
    };
    let open = "open /data/hello.txt";
    assert!(program.told(open).starts_with("hello"), "remote");
    let answer = path("local");
    let edit = &answer["rule"]["edit"];
    assert_eq!(edit["path"], serde_json::json!(["feature", "fs", "local"]));
    assert_eq!(edit["value"], serde_json::json!(["^/data(/|$)"]));
    assert_eq!(program.told(open), "error FileNotFoundError", "local");
    path("remote");
    assert!(program.told(open).starts_with("hello"), "remote again");
    path("notFound");
    assert_eq!(program.told(open), "error FileNotFoundError", "nowhere");
    path("remote");
    assert!(program.told(open).starts_with("hello"), "remote at last");
    // A program that begins now has the rules of now.
    let ended = finish(&mut session.launch(&["/bin/cat", "/data/hello.txt"]));
    assert!(ended.status.success(), "{ended:?}");
    let written = session.ask(serde_json::json!({
        "rule": { "path": { "path": "/data", "place": "remoteWrite" } }
    }));
    assert!(written.stderr.contains("read_write"), "{written:?}");

    // Nobody listens there on either side, and no packet leaves the machine; the events say which
    // side refused.
    let events = command(&pod, &["session", "events", session.id(), "--local"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("events");
    let host = |remote: bool| {
        let change = serde_json::json!({
            "host": { "host": "127.0.0.1", "port": null, "remote": remote }
        });
        session.answer(serde_json::json!({ "rule": change }))
    };
    let connect = "connect 127.0.0.1 1";
    assert!(program.told(connect).starts_with("error"));
    let answer = host(false);
    let key = ["feature", "network", "outgoing", "filter", "local"];
    assert_eq!(answer["rule"]["edit"]["path"], serde_json::json!(key));
    assert!(program.told(connect).starts_with("error"));
    host(true);
    assert!(program.told(connect).starts_with("error"));
    drop(program);
    wait_until("it ends", Duration::from_secs(5), || {
        session
            .status()
            .is_none_or(|status| status["processes"] == serde_json::json!([]))
    });
    session.stop();
    let events = events.wait_with_output().expect("events end");
    let events = String::from_utf8_lossy(&events.stdout).into_owned();
    let places: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|event| event["kind"] == "outgoing" && event["to"] == "127.0.0.1:1")
        .map(|event| event["place"].as_str().expect("a place").to_owned())
        .collect();
    assert_eq!(places, ["remote", "local", "remote"], "{events}");
}

#[test]
fn a_port_is_stolen_mirrored_and_left_alone_while_it_is_listened_on() {
    let pod = Pod::up("session-port");
    let session = Session::prepare(&pod, &["--keep-agent-ms", "0"]);
    let program = programs::named("c").argv[0].to_str().expect("UTF-8");
    let mut command = session.launch(&[program, "serve", "8080", "1000"]);
    let (mut running, _) = Running::start(&mut command, "listening on");
    let shown = session.ports();
    assert_eq!(shown[0]["port"], 8080, "{shown}");
    assert_eq!(shown[0]["asked"], 8080, "{shown}");
    assert_eq!(shown[0]["mode"], "mirror", "{shown}");
    assert!(shown[0]["local"].as_u64().is_some_and(|port| port > 0));
    let answered_by = || {
        let answer = session.answer(serde_json::json!({ "proveIncoming": { "port": 8080 } }));
        answer["proof"]["requests"][0]["answeredBy"].clone()
    };
    let answer = || pod.sandbox.client_http(&call()).expect("an answer").text();
    let rule = |mode: &str| {
        let change = serde_json::json!({ "port": { "port": 8080, "mode": mode } });
        let answer = session.answer(serde_json::json!({ "rule": change }));
        assert_eq!(session.ports()[0]["mode"], mode);
        answer["rule"]["edit"].clone()
    };
    assert!(answer().contains("pod: shop-"));
    assert_eq!(answered_by(), "both");
    let edit = rule("steal");
    let key = ["feature", "network", "incoming", "mode"];
    assert_eq!(edit, serde_json::json!({ "path": key, "value": "steal" }));
    assert!(answer().starts_with("local "));
    assert_eq!(answered_by(), "local");
    let edit = rule("off");
    assert_eq!(edit["value"], serde_json::json!([8080]));
    assert!(answer().contains("pod: shop-"));
    assert_eq!(answered_by(), "pod");
    rule("steal");
    assert!(answer().starts_with("local "));
    running.child.kill().expect("killed");
    running.child.wait().expect("waited");
    wait_until("the port is given back", Duration::from_secs(5), || {
        session.ports().as_array().is_some_and(Vec::is_empty)
    });
    session.stop();
}
