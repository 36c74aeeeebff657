//! What is shown when a configuration is wrong.

use std::path::Path;

use mirrord_config::{Flags, from_text};

use self::common::surroundings;

mod common;

/// Everything said about a configuration, errors first.
fn said(name: &str, text: &str, env: &[(&str, &str)]) -> String {
    let surroundings = surroundings(env);
    match from_text(
        Some((Path::new(name), text)),
        &Flags::default(),
        &surroundings,
    ) {
        Ok((_, warnings)) => warnings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(errors) => errors.to_string(),
    }
}

#[track_caller]
fn shows(name: &str, text: &str, expected: &str) {
    let said = said(name, text, &[]);
    assert_eq!(said, expected.trim_start_matches('\n'), "\n{said}\n");
}

#[test]
fn unknown_keys_are_pointed_at_all_at_once_with_the_nearest_known_one() {
    let text = r#"{
  "feature": {
    "fs": { "mode": "read", "read_onyl": ["x"] },
    "network": { "incomming": "steal", "fs": "write" }
  },
  "zzzzzz": 1
}"#;
    shows(
        ".mirrord/mirrord.json",
        text,
        r#"
.mirrord/mirrord.json:3:29: error: unknown key `read_onyl` in feature.fs
  |
3 |     "fs": { "mode": "read", "read_onyl": ["x"] },
  |                             ^^^^^^^^^^^
  = help: did you mean `read_only`?
.mirrord/mirrord.json:4:18: error: unknown key `incomming` in feature.network
  |
4 |     "network": { "incomming": "steal", "fs": "write" }
  |                  ^^^^^^^^^^^
  = help: did you mean `incoming`?
.mirrord/mirrord.json:4:40: error: unknown key `fs` in feature.network
  |
4 |     "network": { "incomming": "steal", "fs": "write" }
  |                                        ^^^^
  = help: did you mean `feature.fs`?
.mirrord/mirrord.json:6:3: error: unknown key `zzzzzz` in the configuration
  |
6 |   "zzzzzz": 1
  |   ^^^^^^^^
  = help: known keys here: key, skip_processes, skip_build_tools, skip_extra_build_tools, kubeconfig, kube_context, accept_invalid_certificates, target, feature, agent, profile, use_proxy, startup_retry, operator, multi_cluster, ci, container, external_proxy, internal_proxy, api, telemetry, sip_binaries, skip_sip, experimental, traceparent, baggage"#,
    );
}

#[test]
fn wrong_kinds_of_values_say_what_is_expected() {
    let text = "feature:\n  fs:\n    mode: reed\n    local: [5, x]\n  hostname: 'yes'\n  \
                network:\n    incoming:\n      ports: [80, 70000]\n      \
                port_mapping: [[1, 2], [1, 3], [4]]\n    outgoing: 7\n";
    shows(
        "mirrord.yaml",
        text,
        r#"
mirrord.yaml:3:11: error: feature.fs.mode must be one of `local`, `localwithoverrides`, `read`, `write`
  |
3 |     mode: reed
  |           ^^^^
  = help: did you mean `read`?
mirrord.yaml:4:13: error: feature.fs.local must be text, not a number
  |
4 |     local: [5, x]
  |             ^
  = help: put it in quotation marks
mirrord.yaml:5:13: error: feature.hostname must be `true` or `false`, not text
  |
5 |   hostname: 'yes'
  |             ^^^^^
mirrord.yaml:8:19: error: feature.network.incoming.ports must be a port (a number from 0 to 65535), not 70000
  |
8 |       ports: [80, 70000]
  |                   ^^^^^
mirrord.yaml:9:31: error: feature.network.incoming.port_mapping: this port stands on the left twice
  |
9 |       port_mapping: [[1, 2], [1, 3], [4]]
  |                               ^
mirrord.yaml:9:38: error: feature.network.incoming.port_mapping must be a list of pairs of ports, as `[[9333, 80]]`, not a list
  |
9 |       port_mapping: [[1, 2], [1, 3], [4]]
  |                                      ^^^
mirrord.yaml:10:15: error: feature.network.outgoing must be an object, or `true` or `false`, not a number
   |
10 |     outgoing: 7
   |               ^"#,
    );
}

#[test]
fn bad_patterns_are_underlined_inside_their_text() {
    let text = r#"
[feature.fs]
read_only = ["^/ok", "^/bad(x"]
mapping = { "[" = "x" }

[feature.env]
mapping = { "(" = "x" }

[feature.network.outgoing]
filter = { local = ["tcp://1.2.3.4/99"] }
"#;
    shows(
        "mirrord.toml",
        text,
        r#"
mirrord.toml:3:28: error: feature.fs.read_only: bad regular expression: unclosed group
  |
3 | read_only = ["^/ok", "^/bad(x"]
  |                            ^
mirrord.toml:4:14: error: feature.fs.mapping: bad regular expression: unclosed character class
  |
4 | mapping = { "[" = "x" }
  |              ^
mirrord.toml:7:14: error: feature.env.mapping: bad regular expression `(`: Opening parenthesis without closing parenthesis
  |
7 | mapping = { "(" = "x" }
  |              ^
mirrord.toml:10:21: error: feature.network.outgoing.filter.local: `/99` is not a prefix length (0 to 32); write [protocol://][name|address|subnet/bits][:port], as `tcp://10.0.0.0/8:5432`, `example.com`, `[2001:db8::1]:443` or `:53`
   |
10 | filter = { local = ["tcp://1.2.3.4/99"] }
   |                     ^^^^^^^^^^^^^^^^^^"#,
    );
}

#[test]
fn text_that_is_not_of_its_language_is_pointed_at() {
    shows(
        "a.json",
        "{\n  \"feature\": {\n    \"fs\": \"read\"\n    \"env\": true\n  }\n}",
        r#"
a.json:3:17: error: this is not JSON: Expected comma
  |
3 |     "fs": "read"
  |                 ^"#,
    );
    let yaml = said("a.yml", "feature:\n  fs: [read\n", &[]);
    assert!(yaml.starts_with("a.yml:"), "{yaml}");
    assert!(yaml.contains(": error: this is not YAML: "), "{yaml}");
    let toml = said("a.toml", "[feature]\nfs = \n", &[]);
    assert!(
        toml.starts_with("a.toml:2:") && toml.contains(": error: this is not TOML: "),
        "{toml}"
    );
    assert!(said("a.ini", "x", &[]).contains("name it .json, .yaml, .yml or .toml"));
}

#[test]
fn what_is_not_served_is_said_and_never_silent() {
    let text = r#"{
  "target": "pod/bear",
  "operator": true,
  "telemetry": false,
  "agent": { "ttl": 30, "ttll": 1 },
  "feature": { "copy_target": { "enabled": true } }
}"#;
    let said_of = said("m.json", text, &[]);
    assert!(
        said_of.starts_with("m.json:5:25: error: unknown key `ttll` in agent"),
        "{said_of}"
    );
    assert!(said_of.contains("did you mean `ttl`?"), "{said_of}");
    let fixed = text.replace("\"ttll\": 1", "\"metrics\": \"0.0.0.0:9000\"");
    shows(
        "m.json",
        &fixed,
        r#"
m.json:3:3: warning: operator: only mirrord's paid operator serves this: sessions here need no operator
  |
3 |   "operator": true,
  |   ^^^^^^^^^^
m.json:5:25: warning: agent.metrics: not yet: the agent offers no metrics
  |
5 |   "agent": { "ttl": 30, "metrics": "0.0.0.0:9000" },
  |                         ^^^^^^^^^
m.json:6:16: warning: feature.copy_target: only mirrord's paid operator serves this: it copies the target; steal with an `http_filter` to leave the target to others
  |
6 |   "feature": { "copy_target": { "enabled": true } }
  |                ^^^^^^^^^^^^^"#,
    );
}

#[test]
fn keys_that_exclude_each_other_are_errors() {
    let both = said(
        "a.json",
        r#"{"feature": {"env": {"include": "A", "exclude": "B"}}}"#,
        &[],
    );
    assert!(
        both.contains("feature.env.include and feature.env.exclude"),
        "{both}"
    );
    let ports = r#"{"feature": {"network": {"incoming": {"ports": [1], "ignore_ports": [2]}}}}"#;
    assert!(said("a.json", ports, &[]).contains(".ignore_ports cannot both be given"));
    let empty = r#"{"feature": {"network": {"outgoing": {"filter": {"local": []}}}}}"#;
    assert!(said("a.json", empty, &[]).contains("has an empty list"));
    let two =
        r#"{"feature": {"network": {"outgoing": {"filter": {"local": "a", "remote": "b"}}}}}"#;
    assert!(said("a.json", two, &[]).contains("needs either `local` or `remote`"));
    let steal = r#"{"target": "targetless", "feature": {"network": {"incoming": "steal"}}}"#;
    assert!(said("a.json", steal, &[]).contains("nothing can be stolen without a target"));
    let twice = r#"{"feature": {}, "feature": {}}"#;
    assert!(said("a.json", twice, &[]).contains("key `feature` stands here twice"));
}

#[test]
fn wrong_environment_variables_are_named() {
    let env = [
        ("MIRRORD_FILE_MODE", "reed"),
        ("MIRRORD_TCP_OUTGOING", "1"),
        ("MIRRORD_IMPERSONATED_TARGET", "bear"),
        ("MIRRORD_FILE_LOCAL_PATTERN", "ok;(bad"),
    ];
    let said = said("a.json", "{}", &env);
    for part in [
        "MIRRORD_FILE_MODE=`reed` (for feature.fs.mode) must be one of `local`",
        "MIRRORD_TCP_OUTGOING=`1` (for feature.network.outgoing.tcp) must be `true` or `false`",
        "MIRRORD_IMPERSONATED_TARGET=`bear` (for target.path) must be a target",
        "feature.fs.local `(bad` (from $MIRRORD_FILE_LOCAL_PATTERN): bad regular expression",
    ] {
        assert!(said.contains(part), "{part}\n\n{said}");
    }
}

#[test]
fn problems_in_templates_lead_to_what_was_written() {
    let text =
        "{\n  \"feature\": {\n    \"fs\": \"{{ get_env(name='MODE') }}\",\n    \"fss\": 1\n  }\n}";
    let said_of = said("a.json", text, &[("MODE", "reed")]);
    assert!(
        said_of.contains("a.json:3:11: error: feature.fs must be"),
        "{said_of}"
    );
    assert!(
        said_of.contains("3 |     \"fs\": \"{{ get_env(name='MODE') }}\","),
        "{said_of}"
    );
    assert!(
        said_of.contains("a.json:4:5: error: unknown key"),
        "{said_of}"
    );
    let unset = said("a.json", text, &[]);
    assert!(
        unset.contains("`MODE` is not set") && unset.contains("a.json:3:12: error: "),
        "{unset}"
    );

    let key = "{\n  \"key\": \"a-{{ git_branch }}\"\n}";
    let said_of = said("a.json", key, &[]);
    assert!(
        said_of.starts_with("a.json:2:13: error: ") && said_of.contains("MIRRORD_BRANCH_NAME"),
        "{said_of}"
    );

    let trimmed = "{ {%- if true %} \"fss\": 1 {%- endif %} }";
    let said_of = said("a.json", trimmed, &[]);
    assert!(
        said_of.contains("a.json (rendered):1:3: error: unknown key"),
        "{said_of}"
    );
}

#[test]
fn variables_that_ask_for_what_is_not_served_are_told() {
    let env = [
        ("MIRRORD_AGENT_JSON_LOG", "true"),
        ("MIRRORD_TELEMETRY", "false"),
        ("MIRRORD_OPERATOR_ENABLE", "true"),
        ("MIRRORD_OPERATOR_ON_CONCURRENT_STEAL", "abort"),
    ];
    let said = said("a.json", "{}", &env);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "warning: environment variable MIRRORD_OPERATOR_ON_CONCURRENT_STEAL (for \
             feature.network.incoming.on_concurrent_steal): only mirrord's paid operator serves \
             this: it knows of other users' sessions",
            "warning: environment variable MIRRORD_AGENT_JSON_LOG (for agent.json_log): not yet: \
             its log is text",
            "warning: environment variable MIRRORD_OPERATOR_ENABLE (for operator): only mirrord's \
             paid operator serves this: sessions here need no operator",
        ]
    );
}

#[test]
fn wrong_target_objects_are_pointed_at_where_they_are_wrong() {
    for (target, part, message) in [
        (
            r#"{"pod": "a", "containr": "b"}"#,
            "\"containr\"",
            "`containr` is not a kind of target",
        ),
        (
            r#"{"path": {"pod": 5}}"#,
            "5",
            "`pod` of a target must be text",
        ),
        (
            r#"{"cron_job": ""}"#,
            "\"\"",
            "`cron_job` of a target is empty",
        ),
        (r#"{"pod": "a", "job": "b"}"#, "\"job\"", "this is another"),
        (r#"{"labels": {"a": 1}}"#, "1", "label `a` must be text"),
        (
            r#"{"path": {"container": "x"}}"#,
            r#"{"container": "x"}"#,
            "needs a kind",
        ),
        (r#""pdo/x""#, "\"pdo/x\"", "`pdo/x` is not a target"),
    ] {
        let said = said("a.json", &format!("{{\"target\": {target}}}"), &[]);
        let lines: Vec<&str> = said.lines().collect();
        let start = lines[3].find('^').unwrap();
        assert_eq!(&lines[2][start..lines[3].len()], part, "{said}");
        assert!(lines[0].contains(message), "{said}");
    }
}

#[test]
fn http_filters_never_pass_in_silence() {
    let with = |mode: &str| {
        let text = format!(
            r#"{{"feature": {{"network": {{"incoming": {{"mode": "{mode}",
               "http_filter": {{"path_filter": "^/x"}}}}}}}}}}"#
        );
        said("a.json", &text, &[])
    };
    assert!(with("steal").contains("mirrored instead of stolen"));
    assert!(with("mirror").contains("every request is mirrored"));
    assert!(with("off").contains("has no effect"));
}

#[test]
fn settings_that_are_not_followed_yet_are_told() {
    let text = r#"{"skip_build_tools": false, "feature": {"network": {
        "dns": {"filter": {"local": [":53", "example.com"]}},
        "outgoing": {"filter": {"local": ["10.0.0.0/8", "example.com:80"]}}
    }}}"#;
    let said = said("a.json", text, &[]);
    for part in [
        "a.json:1:22: warning: skip_build_tools: not yet",
        "a.json:2:38: warning: feature.network.dns.filter: `:53` names no host",
    ] {
        assert!(said.contains(part), "{part}\n\n{said}");
    }
    assert!(!said.contains("outgoing.filter"), "{said}");
}
