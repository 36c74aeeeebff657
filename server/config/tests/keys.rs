//! Every key of mirrord's public documentation, with a value that it takes: accepted without an
//! error, and explained wherever it is not served. And what wrong values are told.

use std::collections::HashMap;
use std::path::Path;

use mirrord_config::{
    Code, EffectiveValue, Flags, Reading, Severity, Surroundings, effective, effective_at,
    group::Status, read_in, schema,
};
use serde_json::{Value, json};

fn reading(value: &Value) -> Reading {
    let text = serde_json::to_string_pretty(value).unwrap();
    let surroundings = Surroundings {
        env: HashMap::new(),
        git_branch: &|| None,
    };
    let text = Some((Path::new("mirrord.json"), text.as_str()));
    read_in(text, None, &Flags::default(), &surroundings)
}

/// `{"a": {"b": value}}`
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |value, key| {
        Value::Object([(key.to_owned(), value)].into_iter().collect())
    })
}

/// Key, a value, and how it is answered: served, or by which code.
fn table() -> Vec<(&'static str, Value, Option<Code>)> {
    use Code::{Deprecated, NoEffect, NotYet, OperatorOnly};
    let mut table = vec![
        ("accept_invalid_certificates", json!(true), None),
        ("api", json!(true), Some(NoEffect)),
        ("baggage", json!("a=b"), Some(NotYet)),
        ("ci.output_dir", json!("/tmp/x"), Some(OperatorOnly)),
        ("feature.copy_target", json!(true), Some(OperatorOnly)),
        (
            "feature.copy_target.scale_down",
            json!(true),
            Some(OperatorOnly),
        ),
        (
            "feature.copy_target.exclude_containers",
            json!(["a"]),
            Some(OperatorOnly),
        ),
        (
            "feature.db_branches",
            json!([{ "type": "mysql" }]),
            Some(OperatorOnly),
        ),
        ("feature.env", json!(false), None),
        ("feature.env.env_file", json!(".env"), None),
        ("feature.env.exclude", json!("A;B_*"), None),
        ("feature.env.include", json!(["A", "B_*"]), None),
        ("feature.env.load_from_process", json!(true), None),
        ("feature.env.mapping", json!({ ".+_TIMEOUT": "1000" }), None),
        ("feature.env.override", json!({ "A": "b" }), None),
        ("feature.env.unset", json!(["A"]), None),
        ("feature.fs", json!("localwithoverrides"), None),
        ("feature.fs", json!(false), None),
        ("feature.fs.mode", json!("write"), None),
        ("feature.fs.local", json!(["^/a"]), None),
        ("feature.fs.mapping", json!({ "^/a": "/b" }), None),
        ("feature.fs.not_found", json!("^/a$"), None),
        ("feature.fs.read_only", json!(["^/a"]), None),
        ("feature.fs.read_write", json!(["^/a"]), None),
        (
            "feature.fs.readonly_file_buffer",
            json!(128_000),
            Some(NoEffect),
        ),
        ("feature.hostname", json!(false), None),
        ("feature.magic.aws", json!(false), None),
        ("feature.magic.auto_mount", json!(true), Some(NotYet)),
        ("feature.magic.turbo", json!(true), Some(NoEffect)),
        ("feature.network", json!(false), None),
        ("feature.network.dns", json!(false), None),
        ("feature.network.dns.enabled", json!(true), None),
        ("feature.network.incoming", json!("steal"), None),
        (
            "feature.network.incoming.https_delivery",
            json!({ "protocol": "tcp" }),
            Some(Deprecated),
        ),
        (
            "feature.network.incoming.tls_delivery",
            json!({ "protocol": "tls", "server_name": "a.b" }),
            Some(NotYet),
        ),
        (
            "feature.network.incoming.ignore_localhost",
            json!(true),
            None,
        ),
        ("feature.network.incoming.ignore_ports", json!([9999]), None),
        (
            "feature.network.incoming.listen_ports",
            json!([[80, 4480]]),
            None,
        ),
        ("feature.network.incoming.mode", json!("off"), None),
        (
            "feature.network.incoming.on_concurrent_steal",
            json!("abort"),
            Some(OperatorOnly),
        ),
        (
            "feature.network.incoming.port_mapping",
            json!([[9333, 80]]),
            None,
        ),
        ("feature.network.incoming.ports", json!([80, 8080]), None),
        ("feature.network.ipv6", json!(true), None),
        ("feature.network.outgoing", json!(true), None),
        (
            "feature.network.outgoing.filter",
            json!({ "remote": ["tcp://1.1.1.0/24:1337", "1.1.5.0/24", ":53", "[2800::]:1"] }),
            None,
        ),
        (
            "feature.network.outgoing.ignore_localhost",
            json!(true),
            None,
        ),
        ("feature.network.outgoing.tcp", json!(false), None),
        ("feature.network.outgoing.udp", json!(false), None),
        (
            "feature.network.outgoing.unix_streams",
            json!(["^/var/run/x"]),
            None,
        ),
        ("feature.preview.image", json!("a:b"), Some(OperatorOnly)),
        (
            "feature.preview.ttl_mins",
            json!("infinite"),
            Some(OperatorOnly),
        ),
        ("feature.preview.ttl_secs", json!(60), Some(OperatorOnly)),
        (
            "feature.preview.config_mounts",
            json!([{ "mount_at": "/a", "type": "text", "payload": "b" }]),
            Some(OperatorOnly),
        ),
        (
            "feature.preview.idle.sleep_after_secs",
            json!(30),
            Some(OperatorOnly),
        ),
        (
            "feature.preview.labels.include",
            json!("a"),
            Some(OperatorOnly),
        ),
        (
            "feature.split_queues",
            json!({ "q": { "queue_type": "SQS" } }),
            Some(OperatorOnly),
        ),
        ("key", json!("me"), None),
        ("kube_context", json!("x"), None),
        ("kubeconfig", json!("~/x"), None),
        ("multi_cluster", json!(true), Some(OperatorOnly)),
        ("operator", json!(true), Some(OperatorOnly)),
        ("profile", json!("x"), Some(NotYet)),
        ("sip_binaries", json!("bash"), Some(NoEffect)),
        ("skip_build_tools", json!(true), None),
        ("skip_extra_build_tools", json!(["x"]), None),
        ("skip_processes", json!(["bash", "node"]), None),
        ("skip_sip", json!("x"), Some(NoEffect)),
        (
            "startup_retry",
            json!({ "min_ms": 500, "max_ms": 5000, "max_retries": 2 }),
            Some(NotYet),
        ),
        ("target.path", json!("process/1"), None),
        ("telemetry", json!(true), Some(NoEffect)),
        ("traceparent", json!("00-a-b-01"), Some(NotYet)),
        ("use_proxy", json!(true), Some(NotYet)),
    ];
    table.push(("target", json!("targetless"), None));
    for target in [
        "pod/a",
        "pod/a/container/b",
        "deployment/a",
        "rollout/a",
        "job/a",
        "cronjob/a",
        "statefulset/a",
        "service/a",
        "replicaset/a",
        "daemonset/a",
        "label/app=x,b=c",
    ] {
        table.push(("target", json!(target), None));
    }
    for kind in [
        "pod",
        "deployment",
        "rollout",
        "job",
        "cron_job",
        "stateful_set",
        "service",
        "replica_set",
    ] {
        table.push(("target.path", json!({ kind: "a", "container": "b" }), None));
    }
    table.push(("target.path", json!({ "labels": { "app": "x" } }), None));
    table
}

#[test]
fn every_documented_key_is_accepted_or_explained() {
    for (path, value, answer) in table() {
        let reading = reading(&at(path, value.clone()));
        let codes: Vec<Code> = reading
            .problems
            .iter()
            .map(|problem| problem.code)
            .collect();
        assert!(reading.is_ok(), "{path} = {value}: {:?}", reading.problems);
        match answer {
            None => assert_eq!(codes, [], "{path} = {value}"),
            Some(code) => assert!(codes.contains(&code), "{path} = {value}: {codes:?}"),
        }
    }
}

/// A value of each type, for keys that are recognised and no more.
fn sample(schema: &Value) -> Value {
    let form = match schema.get("anyOf").and_then(Value::as_array) {
        Some(forms) => &forms[0],
        None => schema,
    };
    if let Some(words) = form.get("enum").and_then(Value::as_array) {
        return words[0].clone();
    }
    match form.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(true),
        Some("integer") => json!(1),
        Some("array") => json!([sample(&form["items"])]),
        Some("object") => {
            let properties = form.get("properties").and_then(Value::as_object);
            let first = properties.and_then(|properties| properties.iter().next());
            first.map_or(
                json!({ "a": "b" }),
                |(key, schema)| json!({ key: sample(schema) }),
            )
        }
        Some("string") if form.get("format").is_some() => json!("127.0.0.1"),
        _ => json!("x"),
    }
}

#[test]
fn every_key_that_is_not_served_is_explained_and_checked() {
    fn visit(keys: &[mirrord_config::group::KeyInfo], above: &str, count: &mut usize) {
        for key in keys {
            let path = format!("{above}{}", key.name);
            assert!(key.doc.len() > 4, "{path} has no documentation");
            match &key.children {
                Some(children) => visit(children, &format!("{path}."), count),
                None if key.status != Status::Served => {
                    let value = sample(&key.schema);
                    let good = reading(&at(&path, value.clone()));
                    assert!(good.is_ok(), "{path} = {value}: {:?}", good.problems);
                    assert!(
                        !good.problems.is_empty(),
                        "{path} = {value} passes in silence"
                    );
                    // Everything but a free form refuses a number below zero.
                    let bad = reading(&at(&path, json!(-1)));
                    assert!(!bad.is_ok(), "{path} takes -1");
                    *count += 1;
                }
                None => {}
            }
        }
    }
    let mut count = 0;
    visit(schema::keys(), "", &mut count);
    assert!(count > 90, "only {count} keys");
}

/// Filters of every kind, each with the code of its trouble.
#[test]
fn wrong_values_are_told_before_a_run() {
    let http = "feature.network.incoming.http_filter";
    for (path, value, code) in [
        (http, json!({ "header_filter": "(" }), Code::BadPattern),
        (http, json!({ "path_filter": "" }), Code::Missing),
        (http, json!({ "method_filter": "GE T" }), Code::BadFilter),
        (http, json!({ "header_filter_jq": ". |" }), Code::BadFilter),
        (
            http,
            json!({ "body_filter": { "body": "json", "query": "$.a[", "matches": "x" } }),
            Code::BadFilter,
        ),
        (
            http,
            json!({ "body_filter": { "body": "xml", "query": "$.a", "matches": "x" } }),
            Code::UnknownValue,
        ),
        (
            http,
            json!({ "body_filter": { "body": "json", "query": "$.a" } }),
            Code::Missing,
        ),
        (http, json!({ "all_of": [] }), Code::Missing),
        (
            http,
            json!({ "all_of": [{ "header": "[" }] }),
            Code::BadPattern,
        ),
        (
            http,
            json!({ "any_of": [{ "heeder": "x" }] }),
            Code::UnknownKey,
        ),
        (
            http,
            json!({ "any_of": [{ "header": "x", "path": "y" }] }),
            Code::BadFilter,
        ),
        (
            http,
            json!({ "header_filter": "x", "path_filter": "y" }),
            Code::Conflict,
        ),
        (http, json!({ "filter": "x" }), Code::Deprecated),
        (
            "feature.network.outgoing.filter",
            json!({ "remote": ["tcp:/x"] }),
            Code::BadFilter,
        ),
        (
            "feature.network.incoming.ports",
            json!([80, 65536]),
            Code::OutOfRange,
        ),
        (
            "feature.network.incoming.ports",
            json!(["80"]),
            Code::WrongType,
        ),
        (
            "feature.network.incoming.port_mapping",
            json!([[1, 2], [1, 3]]),
            Code::Conflict,
        ),
        ("feature.fs.local", json!(["["]), Code::BadPattern),
        (
            "feature.fs",
            json!({ "local": "^/a", "read_only": "^/a" }),
            Code::Conflict,
        ),
        (
            "feature.fs",
            json!({ "mode": "local", "read_only": "^/a" }),
            Code::NoEffect,
        ),
        ("feature.fs.mode", json!("raed"), Code::UnknownValue),
        ("target", json!("deploymnt/a"), Code::BadTarget),
        ("target", json!("pod/My_Pod"), Code::BadTarget),
        ("target", json!("label/app"), Code::BadTarget),
        (
            "target",
            json!({ "path": "process/1", "namespace": "x" }),
            Code::NoEffect,
        ),
        ("agent.startup_timeout", json!("60s"), Code::WrongType),
        ("agent.ttl", json!(70_000), Code::OutOfRange),
        (
            "agent.image_pull_policy",
            json!("Alway"),
            Code::UnknownValue,
        ),
        ("external_proxy.host_ip", json!("here"), Code::WrongType),
        (
            "startup_retry",
            json!({ "min_ms": 2, "max_ms": 1 }),
            Code::Conflict,
        ),
        ("experimental.sip_utils", json!(true), Code::Deprecated),
        ("pause", json!(true), Code::Deprecated),
    ] {
        let reading = reading(&at(path, value.clone()));
        let codes: Vec<Code> = reading
            .problems
            .iter()
            .map(|problem| problem.code)
            .collect();
        assert!(
            codes.contains(&code),
            "{path} = {value}: {:?}",
            reading.problems
        );
        for problem in &reading.problems {
            assert!(problem.place.is_some(), "{path} = {value}: {problem}");
        }
    }
}

#[test]
fn good_filters_of_requests_pass() {
    for filter in [
        json!({ "header_filter": "^User-Agent: (?!kube-probe)" }),
        json!({ "header_filter_jq": "test(\"^a\")" }),
        json!({ "body_filter": { "body": "json", "query": "$.books[?(typeof(@) == 'number')]", "matches": "4$" } }),
        json!({ "all_of": [{ "path": "^/a" }, { "method": "post" }, { "query": "." },
            { "body": "json", "query": "$.library.books[*]", "matches": "^\\d{3,5}$" }] }),
    ] {
        let reading = reading(&at("feature.network.incoming.http_filter", filter.clone()));
        assert!(reading.is_ok(), "{filter}: {:?}", reading.problems);
    }
}

#[test]
fn fixes_mend_what_they_are_for() {
    for (name, text, mended) in [
        (
            "a.json",
            r#"{"feature": {"fs": {"read_onyl": "x"}}}"#,
            r#"{"feature": {"fs": {"read_only": "x"}}}"#,
        ),
        ("a.yaml", "feature:\n  fs: raed\n", "feature:\n  fs: read\n"),
        (
            "a.toml",
            "target = 'deploymnt/x'\n",
            "target = 'deployment/x'\n",
        ),
        (
            "a.yaml",
            "feature:\n  hostname: 'yes'\n",
            "feature:\n  hostname: true\n",
        ),
        (
            "a.json",
            r#"{"feature": {"fs": {"local": [5]}}}"#,
            r#"{"feature": {"fs": {"local": ["5"]}}}"#,
        ),
        (
            "a.toml",
            "[feature.network.incoming]\nports = ['80']\n",
            "[feature.network.incoming]\nports = [80]\n",
        ),
        (
            "a.json",
            r#"{"feature": {"network": {"incoming": {"https_delivery": {"protocol": "tcp"}}}}}"#,
            r#"{"feature": {"network": {"incoming": {"tls_delivery": {"protocol": "tcp"}}}}}"#,
        ),
    ] {
        let surroundings = Surroundings {
            env: HashMap::new(),
            git_branch: &|| None,
        };
        let reading = read_in(
            Some((Path::new(name), text)),
            None,
            &Flags::default(),
            &surroundings,
        );
        let fix = reading
            .problems
            .iter()
            .find_map(|problem| problem.fix.as_ref());
        let fix = fix.unwrap_or_else(|| panic!("{text}: {:?}", reading.problems));
        assert_eq!(mirrord_config::TextEdit::apply(text, &fix.edits), mended);
    }
}

#[test]
fn each_effective_value_tells_its_origin_and_hides_secrets() {
    let text = "target: process/7\nfeature:\n  env:\n    override:\n      API_TOKEN: abc\n      USER: '{{ get_env(name=\"WHO\") }}'\n  fs:\n    local: [^/a, ^/b]\nagent:\n  ttl: 5\n";
    let env = [("WHO", "me"), ("MIRRORD_FILE_MODE", "write")];
    let surroundings = Surroundings {
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        git_branch: &|| None,
    };
    let flags = Flags {
        steal: true,
        ..Flags::default()
    };
    let reading = read_in(
        Some((Path::new("m.yaml"), text)),
        None,
        &flags,
        &surroundings,
    );
    let values = effective(&reading.config, &reading.unserved);
    let find = |path: &str| -> &EffectiveValue {
        let found = values.iter().find(|value| value.path.join(".") == path);
        found.unwrap_or_else(|| panic!("{path}"))
    };
    for (path, value, origin) in [
        ("target.path", json!("process/7"), "m.yaml:1:9"),
        (
            "feature.env.override.API_TOKEN",
            json!("***"),
            "m.yaml:5:18",
        ),
        (
            "feature.env.override.USER",
            json!("me"),
            "m.yaml:6:13 (template)",
        ),
        ("feature.fs.local.1", json!("^/b"), "m.yaml:8:18"),
        ("feature.fs.mode", json!("write"), "$MIRRORD_FILE_MODE"),
        ("feature.network.incoming.mode", json!("steal"), "--steal"),
        ("feature.hostname", json!(true), "the default"),
        ("agent.ttl", json!(5), "m.yaml:10:8"),
    ] {
        let found = find(path);
        assert_eq!(found.value, value, "{path}");
        assert_eq!(found.origin.to_string(), origin, "{path}");
    }
    assert!(find("feature.env.override").redacted);
    let notes = reading
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    assert_eq!(notes.count(), 0, "{:?}", reading.problems);
}

#[test]
fn the_value_of_one_key_is_that_among_all() {
    let reading = reading(&json!({
        "target": "sandbox/x",
        "agent": { "ttl": 5 },
        "feature": { "fs": { "local": ["a", "b"] }, "env": { "override": { "A": "b" } } },
    }));
    let values = effective(&reading.config, &reading.unserved);
    let of_keys = values.iter().filter(|value| {
        let path: Vec<&str> = value.path.iter().map(String::as_str).collect();
        schema::find(&path).is_some()
    });
    let mut seen = 0;
    for value in of_keys {
        let path: Vec<&str> = value.path.iter().map(String::as_str).collect();
        let found = effective_at(&reading.config, &reading.unserved, &path);
        assert_eq!(found.as_ref(), Some(value));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} keys");
    let unknown = effective_at(&reading.config, &reading.unserved, &["feature", "x"]);
    assert_eq!(unknown, None);
}
