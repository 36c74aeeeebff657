//! Look-ups through the pod's search list: one round trip each, with the answers and the questions
//! of a program inside the pod.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mirrord_sandbox::{Place, SandboxSpec};
use mirrord_tests::differences::assert_same;
use mirrord_tests::pod::Pod;
use mirrord_tests::run::Running;
use mirrord_tests::{product, programs, run};
use serde_json::json;

/// The name server of these tests: an address of the service.
const SERVER: &str = "10.77.2.2";
const A: u16 = 1;
const AAAA: u16 = 28;

/// A pod with a name server that does as told and writes down what it is asked.
struct Stage {
    pod: Pod,
    _server: Running,
    zone: PathBuf,
    log: PathBuf,
    // Behind the pod, which looks into its own folder at the end.
    _folder: tempfile::TempDir,
}

impl Stage {
    fn set(name: &str, zone: serde_json::Value) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (zone_file, log) = (file("zone"), file("log"));
        std::fs::write(&log, "").unwrap();
        let settings =
            format!("search x.test y.test z.test\nnameserver {SERVER}\noptions ndots:5\n");
        let pod = Pod::with(SandboxSpec::new(name).file("/etc/resolv.conf", settings));
        write_zone(&zone_file, &zone);
        let mut server = pod.sandbox.command(Place::Service, programs::PYTHON);
        server
            .arg(product::sources().join("programs/nameserver.py"))
            .arg(SERVER)
            .args([&zone_file, &log]);
        let (server, _) = Running::start(&mut server, "ready");
        Stage {
            pod,
            _server: server,
            zone: zone_file,
            log,
            _folder: folder,
        }
    }

    /// What the name server was asked since the last time.
    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        std::fs::write(&self.log, "").unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs a script of Python through us.
    fn python(&self, options: &[&str], script: &str) -> String {
        let command = [programs::PYTHON, "-c", script];
        let ended = run::finish(&mut run::exec(&self.pod, options, &command));
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout
    }
}

/// In one step, for the server reads it at any time.
fn write_zone(zone: &Path, content: &serde_json::Value) {
    let new = zone.with_extension("new");
    std::fs::write(&new, content.to_string()).unwrap();
    std::fs::rename(new, zone).unwrap();
}

fn lines(names: &[&str], kind: u16) -> Vec<String> {
    names.iter().map(|name| format!("{name} {kind}")).collect()
}

/// `ask(name, kind)` by hand on one socket: code, address and id of the answer as they should be.
const BY_HAND: &str = r#"
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(8); s.connect(('10.77.2.2', 53))
ids = iter(range(100, 200))
def question(name, kind=1):
    labels = b''.join(bytes([len(l)]) + l.encode() for l in name.split('.'))
    return struct.pack('>6H', next(ids), 0x100, 1, 0, 0, 0) + labels + b'\0' + struct.pack('>2H', kind, 1)
def ask(name, kind=1):
    asked = question(name, kind)
    s.send(asked); answer = s.recv(4096)
    assert answer[:2] == asked[:2] and answer[12:len(asked)] == asked[12:], (asked, answer)
    code, count = answer[3] & 15, struct.unpack('>H', answer[6:8])[0]
    return code, socket.inet_ntoa(answer[-4:]) if count else None
"#;

#[test]
fn the_rest_of_a_search_is_answered_before_it_is_asked() {
    let stage = Stage::set("ahead", json!({"names": {"db.z.test": ["10.0.0.7"]}}));
    // The program asks for the first name only, and the server hears the others: whoever goes on
    // to ask them needs the link no more.
    let script = format!("{BY_HAND}\nprint(ask('db.x.test'))\ntime.sleep(0.5)\n");
    let names = ["db.x.test", "db.y.test", "db.z.test"];
    assert_eq!(stage.python(&[], &script), "(3, None)\n");
    assert_eq!(stage.asked(), lines(&names, A));
    let script = format!(
        "{BY_HAND}
print(ask('db.x.test'))
time.sleep(0.2)
print(ask('Db.Y.test'))
print(ask('db.Z.test'))
time.sleep(0.2)
print(ask('db.Z.test'))
"
    );
    let printed = stage.python(&[], &script);
    let found = "(0, '10.0.0.7')\n";
    assert_eq!(printed, format!("(3, None)\n(3, None)\n{found}{found}"));
    // Each answer is given once, so the last question is asked by itself.
    let mut expected = lines(&names, A);
    expected.extend(lines(&["db.Z.test"], A));
    assert_eq!(stage.asked(), expected);
}

#[test]
fn resolvers_ask_what_they_ask_inside_the_pod_and_get_the_same() {
    let names = json!({
        "db.x.test": ["10.0.0.1", "fd00::1"],
        "db.team.z.test": ["10.0.0.2"],
        "six.y.test": ["fd00::3"],
        "alias.y.test": "db.team.z.test",
        "www.example.org": ["10.0.0.4", "fd00::4"],
    });
    let stage = Stage::set("ahead-same", json!({"names": names}));
    let asked_for = [
        "db",
        "db.team",
        "DB.Team",
        "six",
        "alias",
        "www.example.org",
        "www.example.org.",
        "db.x.test",
        "nobody",
        "a.b.c.d.e.nobody",
    ];
    for (program, command) in [
        ("c", "dns"),
        ("c-musl", "dns"),
        ("go-static", "dns"),
        ("python", "dns"),
        ("node", "dns"),
        ("node", "resolve"),
        ("java", "dns"),
    ] {
        let all: Vec<&str> = std::iter::once(command).chain(asked_for).collect();
        let program = programs::named(program);
        let inside = run::inside(&stage.pod, program, &all);
        let mut expected = stage.asked();
        let through_us = run::through_us(&stage.pod, &[], program, &all);
        let mut asked = stage.asked();
        assert_same(program.name, command, &inside.stdout, &through_us.stdout);
        // Parallel questions come in any order.
        expected.sort();
        asked.sort();
        assert_eq!(asked, expected, "{} {command}", program.name);
    }
}

#[test]
fn a_changed_record_is_seen_a_second_later() {
    let stage = Stage::set(
        "ahead-change",
        json!({"names": {"db.z.test": ["10.0.0.1"]}}),
    );
    let script = "import socket, time
print(socket.gethostbyname('db'), flush=True)
print(socket.gethostbyname('db'), flush=True)
time.sleep(3)
print(socket.gethostbyname('db'), flush=True)
";
    let command = [programs::PYTHON, "-c", script];
    let (running, _) = Running::start(&mut run::exec(&stage.pod, &[], &command), "10.0.0.1");
    // The second look-up is over soon after the first.
    std::thread::sleep(Duration::from_secs(1));
    write_zone(&stage.zone, &json!({"names": {"db.z.test": ["10.0.0.2"]}}));
    let ended = running.finish();
    assert_eq!(ended.stdout, "10.0.0.1\n10.0.0.2\n", "{ended:?}");
}

#[test]
fn what_is_lost_ahead_is_asked_by_itself_soon() {
    let zone = json!({"names": {"db.z.test": ["10.0.0.7"]}, "drop_first": ["db.y.test"]});
    let stage = Stage::set("ahead-lost", zone);
    let script = "import socket, time
began = time.monotonic()
print(socket.gethostbyname('db'), time.monotonic() - began < 3)
";
    // The C library alone would wait five seconds before it asks again.
    assert_eq!(stage.python(&[], script), "10.0.0.7 True\n");
    let names = ["db.x.test", "db.y.test", "db.y.test", "db.z.test"];
    assert_eq!(stage.asked(), lines(&names, A));
}

#[test]
fn a_name_that_stays_here_is_not_asked_ahead() {
    let stage = Stage::set(
        "ahead-filter",
        json!({"names": {"db.team.z.test": ["10.0.0.7"]}}),
    );
    let config = stage.pod.runtime().join("mirrord.json");
    let network = r#"{"dns": {"filter": {"local": ["db.team.y.test"]}}}"#;
    let text = format!(r#"{{"feature": {{"network": {network}}}}}"#);
    std::fs::write(&config, text).unwrap();
    let script = format!("{BY_HAND}\nprint(ask('db.team.x.test')); time.sleep(0.5)\n");
    let options = ["--config", config.to_str().unwrap()];
    assert_eq!(stage.python(&options, &script), "(3, None)\n");
    assert_eq!(stage.asked(), lines(&["db.team.x.test"], A));
    // Names before it are.
    std::fs::write(
        &config,
        r#"{"feature": {"network": {"dns": {"filter": {"local": ["db.team.z.test"]}}}}}"#,
    )
    .unwrap();
    assert_eq!(stage.python(&options, &script), "(3, None)\n");
    assert_eq!(
        stage.asked(),
        lines(&["db.team.x.test", "db.team.y.test"], A)
    );
}

#[test]
fn only_searches_for_addresses_at_the_pods_own_servers_are_looked_ahead() {
    let stage = Stage::set(
        "ahead-others",
        json!({"names": {"db.z.test": ["10.0.0.7"]}}),
    );
    let script = format!(
        "{BY_HAND}
print(ask('db.x.test', 15), ask('db.y.test'), ask('db'))
time.sleep(0.5)
"
    );
    assert_eq!(
        stage.python(&[], &script),
        "(3, None) (3, None) (3, None)\n"
    );
    let mut expected = lines(&["db.x.test"], 15);
    expected.extend(lines(&["db.y.test", "db"], A));
    assert_eq!(stage.asked(), expected);
    // Both families go through the list, each with its own questions.
    let script = format!("{BY_HAND}\nprint(ask('db.x.test', {AAAA}))\ntime.sleep(0.5)\n");
    assert_eq!(stage.python(&[], &script), "(3, None)\n");
    let names = ["db.x.test", "db.y.test", "db.z.test"];
    assert_eq!(stage.asked(), lines(&names, AAAA));
    // Another name server than those of the pod's resolv.conf.
    std::fs::write(
        stage.pod.path("/etc/resolv.conf"),
        "search x.test y.test z.test\nnameserver 10.77.2.53\noptions ndots:5\n",
    )
    .unwrap();
    let script = format!("{BY_HAND}\nprint(ask('db.x.test'))\ntime.sleep(0.5)\n");
    assert_eq!(stage.python(&[], &script), "(3, None)\n");
    assert_eq!(stage.asked(), lines(&["db.x.test"], A));
}
