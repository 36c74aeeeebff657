//! Filters by name: a host in `network.outgoing.filter` stands for what it resolves to.

use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

/// The service that only the pod reaches, by the name that the pod knows it by.
const NAME: &str = "orders.shop.svc.cluster.local";
const ADDRESS: &str = "10.77.2.2";
const ADDRESS6: &str = "fd77:2::2";

/// Runs a script of Python with a filter, and gives what it printed and the outgoing events.
fn python(pod: &Pod, filter: &str, script: &str) -> (run::Ended, Vec<serde_json::Value>) {
    let config = pod.runtime().join("mirrord.json");
    let text = format!(r#"{{"feature": {{"network": {{"outgoing": {{"filter": {filter}}}}}}}}}"#);
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
        .filter(|event| event["kind"] == "outgoing")
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

/// `ECONNREFUSED`, as Python prints it.
fn refused() -> i32 {
    rustix::io::Errno::CONNREFUSED.raw_os_error()
}
