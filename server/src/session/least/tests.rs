use super::*;
use mirrord_protocol::event::{EventKind, Place};

fn file(path: &str, writes: bool, place: Place) -> EventKind {
    EventKind::File {
        pid: 1,
        call: "openat".into(),
        path: path.into(),
        writes,
        place,
        rule: "fs.mode write".into(),
    }
}

fn called(protocol: &str, to: &str, rule: &str) -> EventKind {
    EventKind::Outgoing {
        pid: 1,
        protocol: protocol.into(),
        to: to.into(),
        place: Place::Remote,
        rule: rule.into(),
        errno: None,
    }
}

fn from(events: &[EventKind]) -> Least {
    let mut touched = Touched::default();
    events.iter().for_each(|event| touched.note(event));
    let basis = Basis {
        touched: Some(touched),
        source: RuleSource::default(),
        kept: Kept::default(),
        target: "sandbox/shop".into(),
    };
    least(basis).unwrap()
}

/// Keys that have a value.
fn values(least: &Least) -> Vec<(String, Json)> {
    let keys = least.keys.iter().filter(|key| !key.value.is_null());
    keys.map(|key| (key.path.join("."), key.value.clone()))
        .collect()
}

fn value(least: &Least, path: &str) -> Json {
    let found = values(least).into_iter().find(|(name, _)| name == path);
    found.map_or(Json::Null, |(_, value)| value)
}

#[test]
fn a_program_that_touches_nothing_needs_nothing() {
    let least = from(&[]);
    let off = json!(false);
    assert_eq!(
        values(&least),
        [
            ("target".into(), json!("sandbox/shop")),
            ("feature.fs.mode".into(), json!("local")),
            ("feature.network.outgoing.tcp".into(), off.clone()),
            ("feature.network.outgoing.udp".into(), off),
            ("feature.network.incoming.mode".into(), json!("off")),
        ]
    );
}

#[test]
fn read_changed_and_hidden_files_are_told_apart() {
    let least = from(&[
        file("/data/a.txt", false, Place::Remote),
        file("/data/a.txt", true, Place::Remote),
        file("/srv/b", false, Place::Remote),
        file("/root/.netrc", false, Place::NotFound),
        // By default in the pod already.
        file("/etc/hosts", false, Place::Remote),
    ]);
    assert_eq!(value(&least, "feature.fs.mode"), "localwithoverrides");
    assert_eq!(
        value(&least, "feature.fs.read_write"),
        json!([r"^/data/a\.txt$"])
    );
    assert_eq!(value(&least, "feature.fs.read_only"), json!(["^/srv/b$"]));
    assert_eq!(
        value(&least, "feature.fs.not_found"),
        json!([r"^/root/\.netrc$"])
    );
}

#[test]
fn many_files_of_a_folder_are_one_pattern_unless_it_would_take_too_much() {
    let mut events: Vec<EventKind> = ["a", "b", "c", "d", "e/f"]
        .iter()
        .map(|name| file(&format!("/data/{name}"), false, Place::Remote))
        .collect();
    let all = |least: &Least| value(least, "feature.fs.read_only");
    assert_eq!(all(&from(&events)), json!(["^/data(/|$)"]));
    // A folder's pattern would hide nothing here, but not let it be changed either.
    events.push(file("/data/own", false, Place::NotFound));
    let least = from(&events);
    assert_eq!(all(&least), json!(["^/data(/|$)"]));
    assert_eq!(
        value(&least, "feature.fs.not_found"),
        json!(["^/data/own$"])
    );
    let reasons = &least
        .keys
        .iter()
        .find(|key| key.path.ends_with(&["read_only".into()]));
    assert_eq!(reasons.unwrap().items, ["5 paths below /data"]);
}

#[test]
fn destinations_are_listed_and_name_servers_need_no_word() {
    let least = from(&[
        called("tcp", "10.0.0.5:5432", "network.outgoing"),
        called("udp", "10.0.0.2:53", "network.dns"),
        called("tcp", "[fd00::1]:443", "network.outgoing"),
        called(
            "tcp",
            "10.9.9.9:80",
            "network.outgoing.filter.remote orders",
        ),
    ]);
    let wanted = json!({ "remote": ["tcp://10.0.0.5:5432", "orders", "tcp://[fd00::1]:443"] });
    assert_eq!(value(&least, "feature.network.outgoing.filter"), wanted);
    assert_eq!(value(&least, "feature.network.outgoing.tcp"), Json::Null);
    let least = from(&[called("udp", "10.0.0.2:53", "network.dns")]);
    assert_eq!(value(&least, "feature.network.outgoing.udp"), false);
}

#[test]
fn ports_that_were_taken_are_listed_with_their_clients() {
    let listen = |port, mode: &str| EventKind::Listen {
        pid: 1,
        port,
        mode: mode.into(),
        rule: "network.incoming.mode steal".into(),
        detail: String::new(),
    };
    let came = EventKind::Incoming {
        port: 8080,
        mode: "steal".into(),
        client: "10.0.0.9:4000".parse().unwrap(),
        pod: None,
    };
    let least = from(&[listen(8080, "steal"), came, listen(9000, "off")]);
    assert_eq!(value(&least, "feature.network.incoming.mode"), "steal");
    assert_eq!(
        value(&least, "feature.network.incoming.ports"),
        json!([8080])
    );
    let ports = least
        .keys
        .iter()
        .find(|key| key.path.ends_with(&["ports".into()]));
    assert_eq!(
        ports.unwrap().items,
        ["listened on 8080; 1 connection came"]
    );
}

#[test]
fn secrets_of_the_configuration_stay_behind() {
    let text = r#"{ "feature": { "hostname": false, "env": { "override": {
        "DB_PASSWORD": "hunter2", "COLOUR": "green" } } } }"#;
    let branch = || None;
    let surroundings = mirrord_config::Surroundings {
        env: Default::default(),
        git_branch: &branch,
    };
    let path = std::path::Path::new("/x/mirrord.json");
    let flags = mirrord_config::Flags::default();
    let (config, _) = mirrord_config::from_text(Some((path, text)), &flags, &surroundings).unwrap();
    let kept = Kept::of(&LoadedConfig {
        config,
        warnings: Vec::new(),
        file: Some(path.into()),
        source: mirrord_config::Source::Explicit,
        why: String::new(),
        unserved: Vec::new(),
    });
    let told = format!("{kept:?}");
    assert!(!told.contains("hunter2"), "{told}");
    assert!(
        told.contains("green") && told.contains("hostname"),
        "{told}"
    );
    assert!(kept.keys.iter().all(|key| key.in_file));
    assert_eq!(kept.notes.len(), 1);
}
