//! What configurations mean, and where their values come from.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use mirrord_config::config::fs::FsMode;
use mirrord_config::config::incoming::IncomingMode;
use mirrord_config::setting::Origin;
use mirrord_config::{Config, Flags, Surroundings, from_text, load_in};
use mirrord_rules::{Access, Machine, PathPlace, Proto, RuleSource, Side};

fn surroundings(env: &[(&str, &str)]) -> Surroundings<'static> {
    let env: HashMap<String, String> = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Surroundings {
        env,
        git_branch: &|| Some("my-branch".to_owned()),
    }
}

fn read_with(name: &str, text: &str, flags: &Flags, env: &[(&str, &str)]) -> Config {
    match from_text(Some((Path::new(name), text)), flags, &surroundings(env)) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    }
}

fn read(name: &str, text: &str) -> Config {
    read_with(name, text, &Flags::default(), &[])
}

#[test]
fn without_configuration_nothing_is_disrupted() {
    let (config, warnings) = from_text(None, &Flags::default(), &surroundings(&[])).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(
        config.feature.network.incoming.mode.value.0,
        IncomingMode::Mirror
    );
    assert_eq!(config.feature.fs.mode.value, FsMode::Read);
    assert!(!config.may_write() && config.hostname() && config.target_name().is_none());
    assert_eq!(config.feature.fs.mode.origin, Origin::Default);
    let rules = RuleSource::default();
    let mut source = config.rule_source(&Machine::default());
    source.fs.mapping.clear();
    assert_eq!(source, rules);
}

/// The same configuration in three languages.
const THREE: [(&str, &str); 3] = [
    (
        "a.json",
        r#"{
  "accept_invalid_certificates": false,
  "target": { "path": "pod/test-service-abcdefg-abcd", "namespace": "default" },
  "agent": { "log_level": "info", "image_pull_secrets": [{"name": "testsecret"}], "ttl": 60 },
  "feature": {
    "env": true,
    "fs": "write",
    "network": {
      "dns": false,
      "incoming": { "mode": "steal", "port_mapping": [[7777, 8888]], "ignore_ports": [9999] },
      "outgoing": { "tcp": true, "udp": false }
    }
  }
}"#,
    ),
    (
        "a.toml",
        r#"accept_invalid_certificates = false
[target]
path = "pod/test-service-abcdefg-abcd"
namespace = "default"
[agent]
log_level = "info"
image_pull_secrets = [{name = "testsecret"}]
ttl = 60
[feature]
env = true
fs = "write"
[feature.network]
dns = false
[feature.network.incoming]
mode = "steal"
port_mapping = [[7777, 8888]]
ignore_ports = [9999]
[feature.network.outgoing]
tcp = true
udp = false
"#,
    ),
    (
        "a.yaml",
        r#"accept_invalid_certificates: false
target:
  path: "pod/test-service-abcdefg-abcd"
  namespace: "default"
agent:
  log_level: "info"
  image_pull_secrets:
    - name: "testsecret"
  ttl: 60
feature:
  env: true
  fs: "write"
  network:
    dns: false
    incoming:
      mode: steal
      port_mapping: [[7777, 8888]]
      ignore_ports: [9999]
    outgoing:
      tcp: true
      udp: false
"#,
    ),
];

#[test]
fn three_languages_mean_the_same() {
    let sources: Vec<RuleSource> = THREE
        .iter()
        .map(|(name, text)| {
            let config = read(name, text);
            assert_eq!(
                config.target_name().as_deref(),
                Some("pod/test-service-abcdefg-abcd")
            );
            assert_eq!(config.target.namespace.value.as_deref(), Some("default"));
            let Origin::File(place) = &config.feature.fs.mode.origin else {
                panic!("{name}: {:?}", config.feature.fs.mode.origin)
            };
            assert_eq!(&place.file.text[place.span.clone()], "\"write\"", "{name}");
            config.rule_source(&Machine::default())
        })
        .collect();
    assert_eq!(sources[0].fs.mode, mirrord_rules::FsMode::Write);
    assert_eq!(sources[0].incoming.port_mapping, [(7777, 8888)]);
    assert!(!sources[0].outgoing.udp && !sources[0].dns.enabled);
    assert_eq!(sources[0], sources[1]);
    assert_eq!(sources[0], sources[2]);
}

#[test]
fn the_complete_documented_example_is_understood() {
    // From mirrord's documentation, but for the trailing comma that it has there by mistake.
    let text = r#"{
  "accept_invalid_certificates": false, "skip_processes": "ide-debugger",
  "target": { "path": "pod/bear-pod", "namespace": "default" },
  "agent": {
    "log_level": "info", "json_log": false, "labels": { "user": "meow" },
    "annotations": { "cats.io/inject": "enabled" }, "namespace": "default",
    "image": "ghcr.io/metalbear-co/mirrord:latest", "image_pull_policy": "IfNotPresent",
    "image_pull_secrets": [ { "name": "secret" } ], "ttl": 30, "ephemeral": false,
    "communication_timeout": 30, "startup_timeout": 360, "flush_connections": true,
    "metrics": "0.0.0.0:9000"
  },
  "feature": {
    "env": {
      "include": "DATABASE_USER;PUBLIC_ENV",
      "override": { "DATABASE_CONNECTION": "db://localhost:7777/my-db", "LOCAL_BEAR": "panda" },
      "mapping": { ".+_TIMEOUT": "1000" }
    },
    "fs": {
      "mode": "write", "read_write": ".+\\.json" ,
      "read_only": [ ".+\\.yaml", ".+important-file\\.txt" ], "local": [ ".+\\.js", ".+\\.mjs" ]
    },
    "network": {
      "incoming": {
        "mode": "steal",
        "http_filter": { "header_filter": "^baggage: .*mirrord-session={{ key }}.*$" },
        "port_mapping": [[ 7777, 8888 ]], "ignore_localhost": false, "ignore_ports": [9999, 10000]
      },
      "outgoing": {
        "tcp": true, "udp": true,
        "filter": { "local": ["tcp://1.1.1.0/24:1337", "1.1.5.0/24", "google.com", ":53"] },
        "ignore_localhost": false, "unix_streams": "bear.+"
      },
      "dns": { "enabled": true, "filter": { "local": ["1.1.1.0/24:1337", "1.1.5.0/24"] } }
    },
    "copy_target": { "scale_down": false }
  },
  "operator": true, "kubeconfig": "~/.kube/config", "sip_binaries": "bash", "telemetry": true,
  "kube_context": "my-cluster", "key": "{{ git_branch }}"
}"#;
    let config = read("mirrord.json", text);
    assert_eq!(config.key.value.as_deref(), Some("my-branch"));
    assert!(matches!(config.key.origin, Origin::Template(_)));
    let filter = &config.feature.network.incoming.http_filter.header_filter;
    assert_eq!(
        filter.value.as_deref().unwrap(),
        "^baggage: .*mirrord-session=my-branch.*$"
    );
    assert!(
        config
            .skipped_programs()
            .contains(&"ide-debugger".to_owned())
    );
    assert!(config.skipped_programs().contains(&"cargo".to_owned()));

    // Names that are called from here are resolved here.
    let dns = config.rule_source(&Machine::default()).dns.filter.unwrap();
    assert_eq!(dns.0, Side::Local);
    assert!(dns.1.contains(&"google.com".to_owned()));
    let block = config.compiled_rules_for(&Machine::default()).unwrap();
    let rules = block.rules().unwrap();
    assert_eq!(
        rules.path(b"/etc/x.json", Access::Write).place,
        PathPlace::Remote { writable: true }
    );
    assert_eq!(
        rules.outgoing(Proto::Udp, ([8, 8, 8, 8], 53).into()).place,
        Side::Local
    );
    // Until HTTP filters are served, what they cover is not stolen.
    let incoming = rules.incoming(([0, 0, 0, 0], 80).into());
    assert_eq!(incoming.mode, mirrord_rules::IncomingMode::Mirror);
}

#[test]
fn short_forms_mean_what_the_documentation_says() {
    let incoming = |text: &str| {
        read(
            "a.json",
            &format!(r#"{{"feature": {{"network": {text}}}}}"#),
        )
        .feature
        .network
        .incoming
        .mode
        .value
        .0
    };
    assert_eq!(incoming(r#"{"incoming": "steal"}"#), IncomingMode::Steal);
    assert_eq!(incoming(r#"{"incoming": true}"#), IncomingMode::Mirror);
    assert_eq!(incoming(r#"{"incoming": false}"#), IncomingMode::Off);
    assert_eq!(incoming(r#"{"incoming": null}"#), IncomingMode::Mirror);
    assert_eq!(incoming("true"), IncomingMode::Mirror);
    assert_eq!(incoming("false"), IncomingMode::Off);

    let fs = |text: &str| {
        read("a.json", &format!(r#"{{"feature": {{"fs": {text}}}}}"#))
            .feature
            .fs
            .mode
            .value
    };
    assert_eq!(fs("true"), FsMode::Read);
    assert_eq!(fs("false"), FsMode::Local);
    assert_eq!(fs(r#""localwithoverrides""#), FsMode::LocalWithOverrides);

    let off = read("a.json", r#"{"feature": {"network": false, "env": false}}"#);
    assert!(!off.feature.network.outgoing.tcp.value && !off.feature.network.dns.enabled.value);
    let merged = off
        .environment(&[], &[(b"A".to_vec(), b"1".to_vec())])
        .unwrap();
    assert!(merged.variables.is_empty());

    let object = r#"{"deployment": "x", "container": "y"}"#;
    for target in [object.to_owned(), format!(r#"{{"path": {object}}}"#)] {
        let config = read("a.json", &format!(r#"{{"target": {target}}}"#));
        assert_eq!(
            config.target_name().as_deref(),
            Some("deployment/x/container/y")
        );
    }
    let labels = read(
        "a.json",
        r#"{"target": {"labels": {"app": "x", "b": "c"}}}"#,
    );
    assert_eq!(labels.target_name().as_deref(), Some("label/app=x,b=c"));
}

#[test]
fn the_environment_overrules_the_file_and_flags_overrule_both() {
    let text =
        r#"{"target": "process/1", "feature": {"fs": "write", "network": {"incoming": "mirror"}}}"#;
    let env = [
        ("MIRRORD_FILE_MODE", "localwithoverrides"),
        ("MIRRORD_AGENT_TCP_STEAL_TRAFFIC", "true"),
        ("MIRRORD_IMPERSONATED_TARGET", "sandbox/a"),
        ("MIRRORD_FILE_READ_WRITE_PATTERN", "a;b"),
    ];
    let config = read_with("a.json", text, &Flags::default(), &env);
    assert_eq!(config.feature.fs.mode.value, FsMode::LocalWithOverrides);
    assert_eq!(
        config.feature.fs.mode.origin.to_string(),
        "$MIRRORD_FILE_MODE"
    );
    assert_eq!(config.feature.fs.read_write.value.values(), ["a", "b"]);
    assert_eq!(
        config.feature.network.incoming.mode.value.0,
        IncomingMode::Steal
    );
    assert_eq!(config.target_name().as_deref(), Some("sandbox/a"));

    let flags = Flags {
        target: Some("process/7".into()),
        mirror: true,
        ..Flags::default()
    };
    let config = read_with("a.json", text, &flags, &env);
    assert_eq!(config.target_name().as_deref(), Some("process/7"));
    assert_eq!(
        config.feature.network.incoming.mode.value.0,
        IncomingMode::Mirror
    );
    assert_eq!(
        config.feature.network.incoming.mode.origin.to_string(),
        "--mirror"
    );

    for (env, mode) in [
        (&[("MIRRORD_FILE_OPS", "true")][..], FsMode::Write),
        (
            &[
                ("MIRRORD_FILE_OPS", "false"),
                ("MIRRORD_FILE_RO_OPS", "true"),
            ],
            FsMode::Read,
        ),
        (&[("MIRRORD_FILE_RO_OPS", "false")], FsMode::Local),
    ] {
        assert_eq!(
            read_with("a.json", "{}", &Flags::default(), env)
                .feature
                .fs
                .mode
                .value,
            mode
        );
    }
}

#[test]
fn each_value_tells_its_line_and_column() {
    let config = read(
        "conf/a.toml",
        "[feature.fs]\nlocal = [\n  \"^/a\",\n  \"^/b\",\n]\n",
    );
    let places: Vec<String> = config
        .feature
        .fs
        .local
        .value
        .0
        .iter()
        .map(|one| one.origin.to_string())
        .collect();
    assert_eq!(places, ["conf/a.toml:3:3", "conf/a.toml:4:3"]);
}

#[test]
fn files_are_found_by_name_and_several_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let load = |env: &[(&str, &str)]| {
        load_in(None, folder.path(), &Flags::default(), &surroundings(env)).unwrap()
    };
    assert_eq!(load(&[]).file, None);
    let inside = folder.path().join(".mirrord");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("other.json"), "nonsense").unwrap();
    fs::write(
        inside.join("mirrord.json"),
        r#"{"feature": {"fs": "write"}}"#,
    )
    .unwrap();
    let loaded = load(&[]);
    assert_eq!(loaded.config.feature.fs.mode.value, FsMode::Write);
    assert!(loaded.warnings.is_empty());

    fs::write(inside.join("a.mirrord.yaml"), "feature:\n  fs: local\n").unwrap();
    let loaded = load(&[]);
    assert_eq!(loaded.config.feature.fs.mode.value, FsMode::Local);
    let warning = loaded.warnings[0].to_string();
    assert!(
        warning.contains("a.mirrord.yaml is used, and not"),
        "{warning}"
    );

    let whole = fs::read(inside.join("a.mirrord.yaml")).unwrap();
    fs::write(inside.join("a.mirrord.yaml"), "feature:\n  fss: local\n").unwrap();
    let errors = load_in(None, folder.path(), &Flags::default(), &surroundings(&[]))
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("a.mirrord.yaml:2:3: error: ") && errors.contains("is used, and not"),
        "{errors}"
    );
    fs::write(inside.join("a.mirrord.yaml"), whole).unwrap();

    let named = inside.join("mirrord.json");
    let loaded = load(&[("MIRRORD_CONFIG_FILE", named.to_str().unwrap())]);
    assert_eq!(loaded.config.feature.fs.mode.value, FsMode::Write);

    let missing = folder.path().join("none.json");
    let error = load_in(
        Some(&missing),
        folder.path(),
        &Flags::default(),
        &surroundings(&[]),
    );
    assert!(error.unwrap_err().to_string().contains("none.json"));
}

#[test]
fn variables_of_a_file_are_merged_and_a_bad_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vars.env");
    fs::write(&file, "# comment\nA=file\nB=\"two words\"\n").unwrap();
    let text = format!(
        r#"{{"feature": {{"env": {{"env_file": "{}"}}}}}}"#,
        file.display()
    );
    let remote = [
        (b"A".to_vec(), b"remote".to_vec()),
        (b"C".to_vec(), b"remote".to_vec()),
    ];
    let merged = read("a.json", &text)
        .merge_environment(&[], &remote)
        .unwrap();
    let shown: Vec<String> = merged
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        })
        .collect();
    assert_eq!(shown, ["A=file", "C=remote", "B=two words"]);

    fs::remove_file(&file).unwrap();
    let error = read("a.json", &text)
        .merge_environment(&[], &remote)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("vars.env") && error.contains("a.json:1:"),
        "{error}"
    );
}

#[test]
fn aws_credentials_of_the_developer_are_hidden_unless_wanted() {
    let machine = Machine {
        home: Some(b"/home/me".to_vec()),
        ..Machine::default()
    };
    let place = |text: &str| {
        let block = read("a.json", text).compiled_rules_for(&machine).unwrap();
        block
            .rules()
            .unwrap()
            .path(b"/home/me/.aws/credentials", Access::Read)
            .place
    };
    assert_eq!(place("{}"), PathPlace::Mapped);
    assert_eq!(
        place(r#"{"feature": {"magic": {"aws": false}}}"#),
        PathPlace::Local
    );
}

#[test]
fn a_wrong_file_of_variables_is_told_before_anything_starts_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    fs::write(
        &file,
        r#"{"feature": {"env": {"env_file": "vars.env"}, "fss": 1}}"#,
    )
    .unwrap();
    let load = || {
        load_in(
            Some(&file),
            folder.path(),
            &Flags::default(),
            &surroundings(&[]),
        )
    };
    let errors = load().unwrap_err().to_string();
    assert!(
        errors.contains("a.json:1:34: error: feature.env.env_file: could not read"),
        "{errors}"
    );
    assert!(
        errors.contains("a.json:1:47: error: unknown key `fss`"),
        "{errors}"
    );

    fs::write(&file, r#"{"feature": {"env": {"env_file": "vars.env"}}}"#).unwrap();
    fs::write(folder.path().join("vars.env"), "# ä\nA=1\nB = = \"x\nC=2\n").unwrap();
    let errors = load().unwrap_err().to_string();
    assert!(errors.contains("vars.env:3:"), "{errors}");

    fs::write(folder.path().join("vars.env"), "A='1 2'\nexport B=${A}3\n").unwrap();
    let merged = load().unwrap().config.merge_environment(&[], &[]).unwrap();
    assert_eq!(
        merged,
        [
            (b"A".to_vec(), b"1 2".to_vec()),
            (b"B".to_vec(), b"1 23".to_vec())
        ]
    );
}
