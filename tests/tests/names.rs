//! Filters by name: a host in `network.outgoing.filter` stands for what it resolves to.

use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

/// The service that only the pod reaches, by the name that the pod knows it by.
const NAME: &str = "orders.shop.svc.cluster.local";
const ADDRESS: &str = "10.77.2.2";
/// Another name of its IPv4 address.
const OTHER: &str = "orders-v4.shop.svc.cluster.local";
const ADDRESS6: &str = "fd77:2::2";

/// Runs a script of Python with a filter, and gives what it printed and the outgoing events.
fn python(pod: &Pod, filter: &str, script: &str) -> (run::Ended, Vec<serde_json::Value>) {
    let network = format!(r#"{{"outgoing": {{"filter": {filter}}}}}"#);
    let (ended, mut events) = python_with(pod, &network, script);
    events.retain(|event| event["kind"] == "outgoing");
    (ended, events)
}

/// Runs a script of Python with settings of the network, and gives what it printed and all events.
fn python_with(pod: &Pod, network: &str, script: &str) -> (run::Ended, Vec<serde_json::Value>) {
    let config = pod.runtime().join("mirrord.json");
    let text = format!(r#"{{"feature": {{"network": {network}}}}}"#);
    std::fs::write(&config, text).unwrap();
    let events = pod.runtime().join("events.jsonl");
    let options = [
        "--config",
        config.to_str().unwrap(),
        "--events",
        events.to_str().unwrap(),
    ];
    let command = [programs::PYTHON, "-c", script];
    let ended = run::finish(&mut run::exec(pod, &options, &command));
    let events = std::fs::read_to_string(&events).unwrap_or_default();
    let events = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .collect();
    (ended, events)
}

fn went<'a>(events: &'a [serde_json::Value], to: &str) -> (&'a str, &'a str) {
    let event = events.iter().find(|event| event["to"] == to);
    let event = event.unwrap_or_else(|| panic!("nothing about {to}: {events:?}"));
    (
        event["place"].as_str().unwrap(),
        event["rule"].as_str().unwrap(),
    )
}

#[test]
fn a_name_for_the_pod_takes_its_addresses_there_and_no_others() {
    let pod = Pod::up("named-remote");
    let script = "import socket\n\
        print(socket.create_connection(('orders.shop.svc.cluster.local', 80), 10).getpeername()[0])\n\
        s = socket.socket(); s.settimeout(2)\n\
        print(s.connect_ex(('127.0.0.1', 9)))\n";
    let filter = format!(r#"{{"remote": ["{NAME}:80"]}}"#);
    let (ended, events) = python(&pod, &filter, script);
    assert_eq!(
        ended.stdout,
        format!("{ADDRESS6}\n{}\n", refused()),
        "{ended:?}"
    );
    let rule = format!("network.outgoing.filter.remote {NAME}:80");
    let (place, why) = went(&events, &format!("[{ADDRESS6}]:80"));
    assert_eq!((place, why), ("remote", rule.as_str()));
    let (place, why) = went(&events, "127.0.0.1:9");
    assert_eq!(
        (place, why),
        ("local", "network.outgoing.filter.remote (no match)")
    );
}

#[test]
fn a_name_for_this_machine_keeps_its_addresses_here() {
    let pod = Pod::up("named-local");
    let script = format!(
        "import socket\n\
         s = socket.socket(); s.settimeout(0.3)\n\
         s.connect_ex(('{ADDRESS}', 80))\n"
    );
    let filter = format!(r#"{{"local": ["{NAME}"]}}"#);
    let (ended, events) = python(&pod, &filter, &script);
    assert!(ended.status.success(), "{ended:?}");
    let rule = format!("network.outgoing.filter.local {NAME}");
    let (place, why) = went(&events, &format!("{ADDRESS}:80"));
    assert_eq!((place, why), ("local", rule.as_str()));
}

/// Looks names up: `(the resolver's answer)` by the C library, `udp` and `tcp` by hand.
const LOOK_UP: &str = r#"
import socket, struct
def libc(name):
    try:
        return sorted({a[4][0] for a in socket.getaddrinfo(name, 80)})
    except socket.gaierror:
        return 'unknown'
def by_hand(kind, name):
    server = [l.split()[1] for l in open('/etc/resolv.conf') if l.startswith('nameserver')][0]
    labels = b''.join(bytes([len(l)]) + l.encode() for l in name.split('.'))
    question = struct.pack('>6H', 7, 0x100, 1, 0, 0, 0) + labels + b'\0' + struct.pack('>2H', 1, 1)
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    s = socket.socket(family, kind); s.settimeout(10); s.connect((server, 53))
    if kind == socket.SOCK_STREAM:
        s.sendall(struct.pack('>H', len(question)) + question)
        f = s.makefile('rb'); answer = f.read(struct.unpack('>H', f.read(2))[0])
    else:
        s.send(question); answer = s.recv(4096)
    assert answer[:2] == question[:2]
    code, count = answer[3] & 15, struct.unpack('>H', answer[6:8])[0]
    return code, [socket.inet_ntoa(answer[-4:])] if count else []
def udp(name): return by_hand(socket.SOCK_DGRAM, name)
def tcp(name): return by_hand(socket.SOCK_STREAM, name)
"#;

/// Where each look-up of a name was answered, and why.
fn looked_up(events: &[serde_json::Value], name: &str) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = events
        .iter()
        .filter(|event| event["kind"] == "name" && event["name"] == name)
        .map(|event| (text(&event["place"]), text(&event["rule"])))
        .collect();
    found.dedup();
    found
}

#[test]
fn names_listed_for_this_machine_are_resolved_here_and_others_in_the_pod() {
    let pod = Pod::up("dns-local");
    let script = format!(
        "{LOOK_UP}
print(libc('orders'), libc('{NAME}'), libc('{OTHER}'))
print(udp('localhost'), tcp('localhost'))
print(udp('localhost.shop.svc.cluster.local'), tcp('{OTHER}'))
"
    );
    let network = r#"{"dns": {"filter": {"local": ["orders", "localhost:80"]}}}"#;
    let (ended, events) = python_with(&pod, network, &script);
    let here = "(0, ['127.0.0.1'])";
    let expected =
        format!("unknown unknown ['{ADDRESS}']\n{here} {here}\n{here} (0, ['{ADDRESS}'])\n");
    assert_eq!(ended.stdout, expected, "{ended:?}");
    assert!(!ended.stderr.contains("not yet"), "{ended:?}");
    let decided = |place: &str, rule: &str| vec![(place.to_owned(), rule.to_owned())];
    assert_eq!(
        looked_up(&events, NAME),
        decided("local", "network.dns.filter.local orders")
    );
    assert_eq!(
        looked_up(&events, OTHER),
        decided("remote", "network.dns.filter.local (no match)")
    );
}

#[test]
fn names_listed_for_the_pod_are_the_only_ones_that_are_resolved_there() {
    let pod = Pod::up("dns-remote");
    let script = format!(
        "{LOOK_UP}
print(libc('orders'), libc('{OTHER}'))
print(udp('localhost'), tcp('localhost'))
"
    );
    let network = r#"{"dns": {"filter": {"remote": ["orders"]}}}"#;
    let (ended, events) = python_with(&pod, network, &script);
    let here = "(0, ['127.0.0.1'])";
    let expected = format!("['{ADDRESS}', '{ADDRESS6}'] unknown\n{here} {here}\n");
    assert_eq!(ended.stdout, expected, "{ended:?}");
    let decided = |place: &str, rule: &str| vec![(place.to_owned(), rule.to_owned())];
    assert_eq!(
        looked_up(&events, NAME),
        decided("remote", "network.dns.filter.remote orders")
    );
    assert_eq!(
        looked_up(&events, "localhost"),
        decided("local", "network.dns.filter.remote (no match)")
    );
}

/// `ECONNREFUSED`, as Python prints it.
fn refused() -> i32 {
    rustix::io::Errno::CONNREFUSED.raw_os_error()
}
