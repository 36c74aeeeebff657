//! The link to the agent is cut while a program runs: it is made again and the program goes on, or
//! the session ends with the reason; the pod serves its clients itself meanwhile.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use mirrord_sandbox::{HttpCall, addresses};
use mirrord_tests::between::{Between, cut_unix_links, unix_links};
use mirrord_tests::left::{nothing_left, processes, wait_until};
use mirrord_tests::pod::Pod;
use mirrord_tests::run::{Ended, Running, exec, finish};
use mirrord_tests::{product, programs};
use serde_json::Value;

/// How long the agents of these tests wait; their sessions seek them for four fifths of it.
const GRACE: Duration = Duration::from_millis(4000);

/// An agent that was started by hand and is reached through a relay.
struct Far<'a> {
    pod: &'a Pod,
    agent: Child,
    address: SocketAddr,
    between: Between,
    /// As `--agent` takes it.
    joined: String,
    events: PathBuf,
}

impl Far<'_> {
    fn start<'a>(pod: &'a Pod) -> Far<'a> {
        let key = pod.runtime().join("key");
        let (agent, address, fingerprint) = start_agent(pod, &key);
        let between = Between::new(address);
        let joined = format!("tcp:{},{fingerprint},{}", between.address, key.display());
        Far {
            pod,
            agent,
            address,
            between,
            joined,
            events: pod.runtime().join("events.jsonl"),
        }
    }

    fn exec<S: AsRef<std::ffi::OsStr>>(&self, options: &[&str], argv: &[S]) -> Command {
        let mut all = vec![
            "--agent",
            &self.joined,
            "--events",
            self.events.to_str().unwrap(),
        ];
        all.extend(options);
        exec(self.pod, &all, argv)
    }

    fn let_through(&self) {
        self.between.through(self.address);
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.events).expect("events");
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events.filter(|event| event["kind"] == kind).collect()
    }

    fn states(&self) -> Vec<String> {
        let events = self.events("session");
        let state = |event: &Value| event["state"].as_str().expect("a state").to_owned();
        events.iter().map(state).collect()
    }

    fn wait_for_state(&self, state: &str) {
        wait_until(state, Duration::from_secs(5), || {
            self.states().last().is_some_and(|last| last == state)
        });
    }

    /// The agent has ended by itself, and nothing else is there.
    fn assert_over(mut self) {
        wait_until("the agent ends", GRACE + Duration::from_secs(3), || {
            self.agent.try_wait().expect("waited").is_some()
        });
        nothing_left(self.pod);
    }
}

impl Drop for Far<'_> {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn start_agent(pod: &Pod, key: &std::path::Path) -> (Child, SocketAddr, String) {
    let made = finish(Command::new(product::server()).arg("new-key").arg(key));
    assert!(made.status.success(), "{made:?}");
    let mut agent = Command::new(product::agent())
        .args(["--target-pid", &pod.sandbox.target_pid().to_string()])
        .args([
            "--listen",
            "tcp:127.0.0.1:0",
            "--session-key",
            made.stdout.trim(),
        ])
        .args(["--grace-ms", &GRACE.as_millis().to_string()])
        .env("XDG_RUNTIME_DIR", pod.runtime())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("an agent");
    let mut line = String::new();
    BufReader::new(agent.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("a line");
    let words: Vec<&str> = line.split_whitespace().collect();
    let address = words[5]
        .strip_prefix("tcp:")
        .expect("an address")
        .parse()
        .expect("an address");
    (agent, address, words[3].to_owned())
}

/// A program that does what it is told, line by line.
struct Debuggee {
    running: Running,
    commands: ChildStdin,
    answers: Receiver<String>,
}

const SCRIPT: &str = "
import errno, os, socket, sys
def read(path): return open(path).read().strip()
def call(): return socket.create_connection(('10.77.2.2', 7000))
def echo(on, text): on.sendall(text.encode()); return on.recv(100).decode()
def udp(on, text): on.settimeout(0.3); on.send(text.encode()); return on.recv(100).decode()
print('ready', flush=True)
for line in sys.stdin:
    try:
        names = globals()
        if '=' in line.split('(')[0]: exec(line, names); print('done', flush=True)
        else: print(eval(line, names), flush=True)
    except OSError as error:
        print('error', errno.errorcode.get(error.errno, error), flush=True)
";

impl Debuggee {
    fn start(command: &mut Command) -> Debuggee {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let commands = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let (line_tx, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line_tx.send(line).is_err() {
                    break;
                }
            }
        });
        let debuggee = Debuggee {
            running: Running::of(child),
            commands,
            answers,
        };
        assert_eq!(debuggee.answer(), "ready");
        debuggee
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.commands, "{line}").expect("it reads");
    }

    fn answer(&self) -> String {
        let answer = self.answers.recv_timeout(Duration::from_secs(15));
        answer.expect("an answer of the program")
    }

    fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.answer()
    }

    fn is_silent(&self, during: Duration) {
        let answer = self.answers.recv_timeout(during);
        assert_eq!(answer, Err(RecvTimeoutError::Timeout), "it waits");
    }

    /// Ends it by the end of its input.
    fn finish(self) -> Ended {
        drop(self.commands);
        self.running.finish()
    }
}

fn terminate(running: &Running) {
    let pid = rustix::process::Pid::from_child(&running.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
}

fn python() -> [&'static str; 3] {
    [programs::PYTHON, "-c", SCRIPT]
}

fn call() -> HttpCall {
    HttpCall::get((addresses::POD_V4, addresses::WEB_PORT), "/")
}

fn answered_by(pod: &Pod, beginning: &str) -> bool {
    (pod.sandbox.client_http(&call())).is_ok_and(|answer| answer.text().contains(beginning))
}

#[test]
fn a_program_goes_on_reading_and_connecting_after_a_cut() {
    let pod = Pod::up("cut");
    let far = Far::start(&pod);
    let mut program = Debuggee::start(&mut far.exec(&[], &python()));
    for line in [
        "s = call()",
        "f = open('/data/hello.txt')",
        "g = os.open('/data', os.O_RDONLY)",
    ] {
        assert_eq!(program.ask(line), "done");
    }
    assert_eq!(
        program.ask("u = socket.socket(type=socket.SOCK_DGRAM)"),
        "done"
    );
    assert_eq!(program.ask("u.connect(('10.77.2.2', 7000))"), "None");
    assert_eq!(program.ask("udp(u, 'before')"), "before");
    assert_eq!(program.ask("echo(s, 'before')"), "before");
    assert_eq!(program.ask("os.chdir('/data')"), "None");
    assert!(
        program
            .ask("read('hello.txt')")
            .starts_with("hello from a file")
    );

    far.between.cut();
    far.wait_for_state("reconnecting");
    assert_eq!(program.ask("echo(s, 'after')"), "error ECONNRESET");
    std::fs::write(pod.path("/data/hello.txt"), "changed meanwhile").expect("written");
    std::fs::write(pod.path("/data/new.txt"), "new").expect("written");
    program.tell("read('/data/new.txt')");
    program.is_silent(Duration::from_millis(400));
    far.let_through();
    assert_eq!(program.answer(), "new");
    far.wait_for_state("running");
    assert_eq!(program.ask("read('/data/hello.txt')"), "changed meanwhile");
    assert_eq!(program.ask("(f.seek(0), f.read())[1]"), "changed meanwhile");
    assert_eq!(program.ask("read('hello.txt')"), "changed meanwhile");
    assert_eq!(program.ask("'new.txt' in os.listdir(g)"), "True");

    far.between.cut();
    program.tell("echo(call(), 'while it is cut')");
    program.is_silent(Duration::from_millis(400));
    far.let_through();
    assert_eq!(program.answer(), "while it is cut");
    far.wait_for_state("running");
    let first = program.ask("udp(u, 'again')");
    let again = |program: &mut Debuggee| program.ask("udp(u, 'again')") == "again";
    assert!(
        first == "again" || again(&mut program),
        "UDP goes on, but for a datagram: {first}"
    );

    let ended = program.finish();
    assert!(ended.status.success(), "{ended:?}");
    let whole = [
        "preparing",
        "ready",
        "running",
        "reconnecting",
        "running",
        "reconnecting",
    ];
    assert_eq!(
        far.states(),
        [&whole[..], &["running", "draining", "ended"]].concat()
    );
    let cut = far
        .events("session")
        .into_iter()
        .find(|event| event["state"] == "reconnecting");
    assert!(cut.is_some_and(|event| !event["reason"].as_str().unwrap().is_empty()));
    assert_eq!(ended.stderr.matches("out of reach").count(), 2, "{ended:?}");
    assert_eq!(
        ended.stderr.matches("in reach again").count(),
        2,
        "{ended:?}"
    );
    far.assert_over();
}

#[test]
fn a_stolen_port_is_the_pods_during_the_cut_and_the_programs_after_it() {
    let pod = Pod::up("cut-port");
    let far = Far::start(&pod);
    let mut command = far.exec(&["--steal"], &programs::named("c").argv);
    let (running, _) = Running::start(command.args(["serve", "8080", "1000"]), "listening on");
    assert!(answered_by(&pod, "local "));
    far.between.cut();
    wait_until("the pod answers", Duration::from_secs(1), || {
        answered_by(&pod, "pod: shop-")
    });
    far.wait_for_state("reconnecting");
    far.let_through();
    wait_until("the program answers", Duration::from_secs(4), || {
        answered_by(&pod, "local ")
    });

    // The session is back before the agent has noticed that it was lost.
    let kept = far.between.cut_unnoticed();
    wait_until("it is lost", Duration::from_secs(2), || {
        far.states()
            .iter()
            .filter(|state| *state == "reconnecting")
            .count()
            == 2
    });
    far.wait_for_state("running");
    wait_until("the program answers", Duration::from_secs(2), || {
        answered_by(&pod, "local ")
    });
    drop(kept);
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        answered_by(&pod, "local "),
        "the old links' end changes nothing"
    );
    let taken = far.events("listen");
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert!(
        taken.iter().all(|event| event["mode"] == "steal"),
        "{taken:?}"
    );
    terminate(&running);
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(128 + 15), "{ended:?}");
    assert!(answered_by(&pod, "pod: shop-"));
    far.assert_over();
}

#[test]
fn a_cut_for_longer_than_the_time_ends_the_session_with_its_reason() {
    let pod = Pod::up("cut-long");
    let far = Far::start(&pod);
    let mut program = Debuggee::start(&mut far.exec(&[], &python()));
    program.tell("read('/data/hello.txt')");
    assert!(program.answer().starts_with("hello"));
    let began = Instant::now();
    far.between.cut();
    program.tell("read('/data/other.txt')");
    let ended = program.running.finish();
    let took = began.elapsed();
    assert!(
        (GRACE / 2..GRACE + Duration::from_secs(1)).contains(&took),
        "{took:?}"
    );
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(ended.stderr.contains("the program was ended"), "{ended:?}");
    let states = far.states();
    assert_eq!(
        states[3..],
        ["reconnecting", "draining", "ended"],
        "{states:?}"
    );
    far.assert_over();
}

/// How long an end takes that is asked for while the link is lost.
fn ends_while_reconnecting(name: &str, end: impl FnOnce(Debuggee) -> Ended) -> Ended {
    let pod = Pod::up(name);
    let far = Far::start(&pod);
    let program = Debuggee::start(&mut far.exec(&[], &python()));
    far.between.cut();
    far.wait_for_state("reconnecting");
    let began = Instant::now();
    let ended = end(program);
    assert!(began.elapsed() < Duration::from_millis(1200), "{ended:?}");
    far.assert_over();
    ended
}

#[test]
fn a_signal_ends_a_program_at_once_that_waits_for_the_pod() {
    let ended = ends_while_reconnecting("cut-signal", |mut program| {
        program.tell("read('/data/hello.txt')");
        program.is_silent(Duration::from_millis(200));
        terminate(&program.running);
        program.finish()
    });
    assert_eq!(ended.status.code(), Some(128 + 15), "{ended:?}");
}

#[test]
fn a_program_that_ends_by_itself_ends_its_session_at_once() {
    let ended = ends_while_reconnecting("cut-end", Debuggee::finish);
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn another_agent_at_the_endpoint_is_refused() {
    let pod = Pod::up("cut-other");
    let far = Far::start(&pod);
    let (mut other, address, _) = start_agent(&pod, &pod.runtime().join("other-key"));
    let mut program = Debuggee::start(&mut far.exec(&[], &python()));
    assert_eq!(program.ask("1 + 1"), "2");
    let began = Instant::now();
    far.between.cut();
    far.between.through(address);
    let ended = program.running.finish();
    assert!(began.elapsed() < Duration::from_secs(2), "{ended:?}");
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(ended.stderr.contains("refused"), "{ended:?}");
    other.kill().expect("killed");
    other.wait().expect("waited");
    far.assert_over();
}

/// `mirrord-server` with this pod's runtime folder, to its end.
fn server(pod: &Pod, arguments: &[&str]) -> Ended {
    let mut command = Command::new(product::server());
    finish(
        command
            .env("XDG_RUNTIME_DIR", pod.runtime())
            .current_dir(pod.runtime())
            .args(arguments),
    )
}

fn json(ended: &Ended) -> Value {
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn a_session_of_an_editor_comes_back_and_can_be_stopped_meanwhile() {
    let pod = Pod::up("cut-session");
    let target = pod.target();
    let prepare = [
        "session",
        "prepare",
        "--target",
        &target,
        "--keep-agent-ms",
        "5000",
    ];
    let prepared = json(&server(&pod, &prepare));
    let id = prepared["sessionId"].as_str().expect("an id").to_owned();
    let socket = PathBuf::from(prepared["folder"].as_str().expect("a folder")).join("agent");
    let away = socket.with_file_name("agent-away");
    let row = || json(&server(&pod, &["session", "list", "--json"]))[0].clone();
    let cut = || {
        // It seeks each of its links by itself.
        let file_servers = processes(&pod, "@file-server");
        wait_until(
            "the file server's links stand",
            Duration::from_secs(4),
            || {
                let links = file_servers
                    .iter()
                    .map(|pid| unix_links(*pid, "/agent").len());
                links.sum::<usize>() == 2
            },
        );
        std::fs::rename(&socket, &away).expect("moved");
        let pid = row()["pid"].as_i64().expect("a pid") as i32;
        // Once one is cut the session may close the other before it is looked at.
        assert_ne!(cut_unix_links(pid, "/agent"), 0, "control and streams");
        let links: usize = file_servers
            .iter()
            .map(|pid| cut_unix_links(*pid, "/agent"))
            .sum();
        assert_eq!(links, 2, "names and content");
        wait_until("it is lost", Duration::from_secs(2), || {
            row()["state"]["state"] == "reconnecting"
        });
    };
    let agent = || json(&server(&pod, &["session", "ask", &id, "\"agentStatus\""]));

    cut();
    assert!(
        !row()["state"]["reason"]
            .as_str()
            .expect("a reason")
            .is_empty()
    );
    assert_eq!(agent()["agent"]["phase"], "reconnecting", "{}", agent());
    std::fs::rename(&away, &socket).expect("moved back");
    wait_until("it is back", Duration::from_secs(4), || {
        row()["state"]["state"] == "ready"
    });
    assert!(row()["state"]["expiresAt"].is_string(), "{}", row());
    assert_eq!(agent()["agent"]["reconnects"], 1, "{}", agent());

    cut();
    let began = Instant::now();
    let stopped = server(&pod, &["session", "stop", &id]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(began.elapsed() < Duration::from_millis(1500), "{stopped:?}");
    // An agent out of reach is not kept warm.
    nothing_left(&pod);
}
