//! What is offered at a cursor (`¦`), and what the text is once an offer was taken.

use expect_test::{Expect, expect};
use ls_types::{CompletionTextEdit, TextEdit};
use mirrord_config::Format::{self, Json, Toml, Yaml};

use super::Abilities;
use crate::syntax::line_start;
use crate::{Document, Encoding, Live, LivePort, LiveTarget, NotLive};

struct Cluster;

impl Live for Cluster {
    fn targets(&self, namespace: Option<&str>) -> Vec<LiveTarget> {
        let path = format!("pod/api-{}", namespace.unwrap_or("default"));
        vec![LiveTarget {
            path,
            detail: Some("ready".to_owned()),
        }]
    }

    fn namespaces(&self) -> Vec<String> {
        vec!["staging".to_owned()]
    }

    fn containers(&self, target: &str, _: Option<&str>) -> Vec<String> {
        vec![format!("of-{}", target.replace('/', "-"))]
    }

    fn ports(&self, _: &str, _: Option<&str>) -> Vec<LivePort> {
        vec![LivePort {
            port: 8080,
            detail: Some("http".to_owned()),
        }]
    }

    fn env_names(&self, _: &str, _: Option<&str>) -> Vec<String> {
        vec!["DB_HOST".to_owned()]
    }
}

fn open(marked: &str, format: Format) -> (Document, ls_types::Position) {
    let at = marked.find('¦').expect("a cursor");
    let text = marked.replacen('¦', "", 1);
    let uri = "file:///w/.mirrord/mirrord.json".parse().unwrap();
    let document = Document::new(uri, "mirrord".into(), format, Encoding::Utf16, text);
    let position = document.position(at);
    (document, position)
}

fn labels(format: Format, marked: &str, live: &dyn Live) -> String {
    let (document, position) = open(marked, format);
    let mut items = document
        .completion(position, live, Abilities { snippets: true })
        .items;
    items.sort_by(|left, right| left.sort_text.cmp(&right.sort_text));
    let labels: Vec<String> = items.into_iter().map(|item| item.label).collect();
    labels.join(" ")
}

/// The text after an offer was taken, as the client would do it.
fn taken(format: Format, marked: &str, label: &str, snippets: bool, expected: Expect) {
    let (document, position) = open(marked, format);
    let list = document.completion(position, &Cluster, Abilities { snippets });
    let item = list.items.into_iter().find(|item| item.label == label);
    let item = item.unwrap_or_else(|| panic!("`{label}` is not offered"));
    let mut edits: Vec<TextEdit> = item.additional_text_edits.unwrap_or_default();
    match item.text_edit {
        Some(CompletionTextEdit::Edit(edit)) => edits.push(edit),
        other => panic!("{other:?}"),
    }
    edits.sort_by_key(|edit| edit.range.start);
    let mut text = document.text().to_owned();
    for edit in edits.into_iter().rev() {
        let span = document.span(edit.range);
        // Lines are indented as the first one is (`adjustIndentation`).
        let line = &text[line_start(&text, span.start)..];
        let indent = &line[..line.len() - line.trim_start_matches(' ').len()];
        let new_text = edit.new_text.replace('\n', &format!("\n{indent}"));
        text.replace_range(span, &new_text);
    }
    expected.assert_eq(&text);
}

#[test]
fn keys_that_are_there_are_not_offered_again() {
    let text = "{\"feature\": {\"network\": {\"incoming\": {\"mode\": \"steal\", ¦}}}}";
    let offered = labels(Json, text, &NotLive);
    assert!(
        offered.contains("port_mapping") && offered.contains("http_filter"),
        "{offered}"
    );
    assert!(
        !offered.split(' ').any(|label| label == "mode"),
        "{offered}"
    );
}

#[test]
fn keys_that_do_something_come_first() {
    let offered = labels(Json, "{¦}", &NotLive);
    // By name among themselves.
    assert!(
        offered.starts_with("accept_invalid_certificates agent feature "),
        "{offered}"
    );
    let place = |key: &str| offered.split(' ').position(|label| label == key).unwrap();
    assert!(
        place("target") < place("profile") && place("profile") < place("operator"),
        "{offered}"
    );
    assert!(place("target") < place("$schema"), "{offered}");
}

#[test]
fn the_values_of_a_key_are_offered() {
    for (format, text) in [
        (Json, "{\"feature\": {\"fs\": {\"mode\": \"¦\"}}}"),
        (Json, "{\"feature\": {\"fs\": {\"mode\": \"¦"),
        (Yaml, "feature:\n  fs:\n    mode: ¦\n    local: []"),
        (Yaml, "feature: {fs: {mode: ¦"),
        (Toml, "[feature.fs]\nmode = ¦"),
        (Toml, "feature.fs = { mode = \"¦\" }"),
    ] {
        let offered = labels(format, text, &NotLive);
        assert_eq!(offered, "local localwithoverrides read write", "{text}");
    }
}

#[test]
fn templates_have_names_of_their_own() {
    let names = "git_branch key get_env";
    assert_eq!(labels(Json, "{\"key\": \"{{ gi¦ }}\"}", &NotLive), names);
    assert_eq!(labels(Yaml, "key: \"x-{{¦", &NotLive), names);
    assert_ne!(labels(Json, "{\"key\": \"{{ key }}\", ¦}", &NotLive), names);
    taken(
        Yaml,
        "key: \"{{ g¦ }}\"",
        "get_env",
        true,
        expect![[r#"key: "{{ get_env(name='$1') }}""#]],
    );
}

#[test]
fn live_values_are_offered_where_they_belong() {
    let offered = |format, text| labels(format, text, &Cluster);
    assert!(offered(Json, "{\"target\": \"¦\"}").starts_with("pod/api-default targetless"));
    assert!(
        offered(Yaml, "target:\n  namespace: staging\n  path: ¦").starts_with("pod/api-staging ")
    );
    assert_eq!(offered(Toml, "[target]\nnamespace = \"¦\""), "staging");
    assert_eq!(
        offered(
            Json,
            "{\"target\": {\"pod\": \"api\", \"container\": \"¦\"}}"
        ),
        "of-pod-api"
    );
    assert!(offered(Json, "{\"target\": {\"path\": {\"pod\": \"¦\"}}}").starts_with("api-default"));
    let ports = "target: pod/x\nfeature:\n  network:\n    incoming:\n      ports:\n        - ¦";
    assert!(offered(Yaml, ports).starts_with("8080"));
    let names = "{\"target\": \"pod/x\", \"feature\": {\"env\": {\"include\": [\"¦\"]}}}";
    assert_eq!(offered(Json, names), "DB_HOST");
    let names = "target: pod/x\nfeature:\n  env:\n    override:\n      ¦";
    assert_eq!(offered(Yaml, names), "DB_HOST");
}

#[test]
fn json_gets_its_quotes_and_commas() {
    taken(
        Json,
        "{\n  \"target\": \"x\"\n  ¦\n}",
        "feature",
        true,
        expect![[r#"
            {
              "target": "x",
              "feature": {
                $1
              }
            }"#]],
    );
    taken(
        Json,
        "{¦ \"target\": \"x\" }",
        "profile",
        true,
        expect![[r#"{"profile": "$1", "target": "x" }"#]],
    );
    taken(
        Json,
        "{\"feature\": {\"fs\": {\"mo¦\": \"read\"}}}",
        "mode",
        true,
        expect![[r#"{"feature": {"fs": {"mode": "read"}}}"#]],
    );
    taken(
        Json,
        "{\"feature\": {\"fs\": {\"mo¦",
        "mode",
        true,
        expect![[r#"{"feature": {"fs": {"mode": "${1|read,local,localwithoverrides,write|}""#]],
    );
    taken(
        Json,
        "{\"feature\": {\"fs\": {mo¦}}}",
        "mode",
        false,
        expect![[r#"{"feature": {"fs": {"mode": "read"}}}"#]],
    );
    taken(
        Json,
        "{\"feature\": {\"fs\": ¦ \"env\": true}}",
        "false",
        true,
        expect![[r#"{"feature": {"fs": false, "env": true}}"#]],
    );
    taken(
        Json,
        "{\"feature\": {\"fs\": {\"local\":¦}}}",
        "[…]",
        false,
        expect![[r#"{"feature": {"fs": {"local": []}}}"#]],
    );
    taken(
        Json,
        "{\"target\": \"sand¦\"}",
        "sandbox/",
        true,
        expect![[r#"{"target": "sandbox/"}"#]],
    );
    taken(
        Json,
        "{\"target\": \"pod/x\", \"feature\": {\"env\": {\"unset\": [\"A\" ¦]}}}",
        "DB_HOST",
        true,
        expect![[r#"{"target": "pod/x", "feature": {"env": {"unset": ["A", "DB_HOST"]}}}"#]],
    );
}

#[test]
fn yaml_gets_its_lines_and_spaces() {
    taken(
        Yaml,
        "fea¦",
        "feature",
        true,
        expect![[r#"
        feature:
          $1"#]],
    );
    taken(
        Yaml,
        "feature:\n  fs:\n    ¦\n    local: []\n",
        "mode",
        true,
        expect![[r#"
        feature:
          fs:
            mode: ${1|read,local,localwithoverrides,write|}
            local: []
    "#]],
    );
    taken(
        Yaml,
        "feature:\n  fs:¦\n",
        "true",
        true,
        expect![[r#"
        feature:
          fs: true
    "#]],
    );
    let flow = "feature:\n  network: {in¦}";
    taken(
        Yaml,
        flow,
        "incoming",
        false,
        expect![[r#"
        feature:
          network: {incoming: {}}"#]],
    );
    taken(
        Yaml,
        "feature:\n  fs:\n    ¦",
        "read_only",
        true,
        expect![[r#"
            feature:
              fs:
                read_only:
                  - $1"#]],
    );
    taken(
        Yaml,
        "target: \"¦\"\n",
        "pod/api-default",
        true,
        expect![[r#"
        target: "pod/api-default"
    "#]],
    );
    taken(
        Yaml,
        "feature: {network: {incoming: st¦}}\n",
        "steal",
        true,
        expect![[r#"
        feature: {network: {incoming: steal}}
    "#]],
    );
}

#[test]
fn toml_gets_its_headers_and_quotes() {
    taken(Toml, "¦", "[feature.fs]", true, expect!["[feature.fs]"]);
    taken(
        Toml,
        "[feature.ne¦]\n",
        "network.incoming",
        true,
        expect![[r#"
        [feature.network.incoming]
    "#]],
    );
    taken(
        Toml,
        "[feature.fs]\nmo¦\n",
        "mode",
        true,
        expect![[r#"
        [feature.fs]
        mode = "${1|read,local,localwithoverrides,write|}"
    "#]],
    );
    taken(
        Toml,
        "[feature.network]\ninc¦\n",
        "incoming",
        true,
        expect![[r#"
        [feature.network]
        incoming = { $1 }
    "#]],
    );
    taken(
        Toml,
        "[feature.fs]\nmode =¦\n",
        "write",
        true,
        expect![[r#"
        [feature.fs]
        mode = "write"
    "#]],
    );
    taken(
        Toml,
        "feature = { fs = { mode = \"read\" ¦ } }\n",
        "local",
        true,
        expect![[r#"
        feature = { fs = { mode = "read", local = ["$1"] } }
    "#]],
    );
}
