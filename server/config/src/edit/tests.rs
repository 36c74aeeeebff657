//! Texts before and after changes.

use serde_json::json;

use super::*;

#[track_caller]
fn becomes(format: Format, text: &str, changes: &[(&[&str], Change)], expected: &str) {
    let edits = edit(text, format, changes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(TextEdit::apply(text, &edits), expected);
}

const LOCAL: &[&str] = &["feature", "fs", "local"];

#[test]
fn json_keeps_comments_and_commas() {
    let text = "{\n  // why\n  \"target\": \"pod/a\", // who\n  \"feature\": {\n    \"fs\": \"write\" // how\n  }\n}\n";
    let set = Change::Append(json!("^/a"));
    becomes(
        Format::Json,
        text,
        &[(LOCAL, set.clone())],
        "{\n  // why\n  \"target\": \"pod/a\", // who\n  \"feature\": {\n    \"fs\": {\n      \"local\": [\"^/a\"],\n      \"mode\": \"write\"\n    } // how\n  }\n}\n",
    );
    becomes(
        Format::Json,
        text,
        &[(&["feature", "env"], Change::Set(json!(false)))],
        "{\n  // why\n  \"target\": \"pod/a\", // who\n  \"feature\": {\n    \"fs\": \"write\", // how\n    \"env\": false\n  }\n}\n",
    );
    becomes(
        Format::Json,
        text,
        &[(&["feature", "fs"], Change::Remove)],
        "{\n  // why\n  \"target\": \"pod/a\" // who\n}\n",
    );
    becomes(
        Format::Json,
        "",
        &[(LOCAL, set)],
        "{\n  \"feature\": {\n    \"fs\": {\n      \"local\": [\"^/a\"]\n    }\n  }\n}\n",
    );
    becomes(
        Format::Json,
        "{ \"feature\": { \"fs\": { \"local\": [\"x\"] } } }",
        &[
            (LOCAL, Change::Append(json!("y"))),
            (LOCAL, Change::Append(json!("x"))),
        ],
        "{ \"feature\": { \"fs\": { \"local\": [\"x\", \"y\"] } } }",
    );
    becomes(
        Format::Json,
        "{\n  \"key\": \"a\",\n  \"operator\": true,\n}",
        &[(&["operator"], Change::Remove)],
        "{\n  \"key\": \"a\",\n}",
    );
}

#[test]
fn yaml_keeps_comments_and_blocks() {
    let text = "# why\ntarget: pod/a # who\nfeature:\n  fs:\n    local:\n      - ^/x # first\n    # then\n    mode: read\n\n# last\n";
    becomes(
        Format::Yaml,
        text,
        &[(LOCAL, Change::Append(json!("^/a.*$")))],
        "# why\ntarget: pod/a # who\nfeature:\n  fs:\n    local:\n      - ^/x # first\n      - \"^/a.*$\"\n    # then\n    mode: read\n\n# last\n",
    );
    becomes(
        Format::Yaml,
        text,
        &[(
            &["feature", "network", "incoming"],
            Change::Set(json!("steal")),
        )],
        "# why\ntarget: pod/a # who\nfeature:\n  fs:\n    local:\n      - ^/x # first\n    # then\n    mode: read\n  network:\n    incoming: steal\n\n# last\n",
    );
    becomes(
        Format::Yaml,
        text,
        &[(LOCAL, Change::Remove)],
        "# why\ntarget: pod/a # who\nfeature:\n  fs:\n    # then\n    mode: read\n\n# last\n",
    );
    becomes(
        Format::Yaml,
        "feature:\n  network:\n    incoming: steal # mine\n",
        &[(
            &["feature", "network", "incoming", "ports"],
            Change::Set(json!([80])),
        )],
        "feature:\n  network:\n    incoming:\n      mode: steal\n      ports: [80] # mine\n",
    );
    becomes(
        Format::Yaml,
        "feature:\n  fs:\n",
        &[(LOCAL, Change::Set(json!("x")))],
        "feature:\n  fs:\n    local: x\n",
    );
    becomes(
        Format::Yaml,
        "# only\n",
        &[(LOCAL, Change::Set(json!("yes")))],
        "# only\nfeature:\n  fs:\n    local: \"yes\"\n",
    );
    becomes(
        Format::Yaml,
        "feature: { fs: { local: [a] } }\n",
        &[(LOCAL, Change::Append(json!("b")))],
        "feature: { fs: { local: [a, \"b\"] } }\n",
    );
}

#[test]
fn toml_keeps_comments_and_tables() {
    let text = "# why\ntarget = \"pod/a\" # who\n\n[feature.fs]\nlocal = [\n  \"x\", # first\n]\n";
    becomes(
        Format::Toml,
        text,
        &[(
            &["feature", "network", "incoming"],
            Change::Set(json!("steal")),
        )],
        "# why\ntarget = \"pod/a\" # who\n\n[feature.fs]\nlocal = [\n  \"x\", # first\n]\n\n[feature.network]\nincoming = \"steal\"\n",
    );
    becomes(
        Format::Toml,
        text,
        &[(&["target"], Change::Set(json!("pod/b")))],
        "# why\ntarget = \"pod/b\" # who\n\n[feature.fs]\nlocal = [\n  \"x\", # first\n]\n",
    );
    becomes(
        Format::Toml,
        text,
        &[(LOCAL, Change::RemoveItem(json!("x")))],
        "# why\ntarget = \"pod/a\" # who\n\n[feature.fs]\nlocal = []\n",
    );
    becomes(
        Format::Toml,
        "[feature]\nfs = \"write\"\n",
        &[(LOCAL, Change::Append(json!("x")))],
        "[feature]\n\n[feature.fs]\nlocal = [\"x\"]\nmode = \"write\"\n",
    );
}

#[test]
fn what_cannot_be_changed_says_why() {
    let broken = set("{", Format::Json, LOCAL, json!("x")).unwrap_err();
    assert!(matches!(broken, EditError::Broken(_)), "{broken}");
    let other = set("{\"feature\": 5}", Format::Json, LOCAL, json!("x")).unwrap_err();
    assert_eq!(other, EditError::NotAnObject("feature".into()));
    let alias = "a: &x\n  fs: read\nfeature: *x\n";
    let aliased = set(alias, Format::Yaml, &["feature", "env"], json!(true));
    assert_eq!(aliased, Err(EditError::Style));
}

#[test]
fn new_files_are_read_without_a_word() {
    for format in [Format::Json, Format::Yaml, Format::Toml] {
        for target in [None, Some("sandbox/default")] {
            let text = template(format, target);
            let name = match format {
                Format::Json => "a.json",
                Format::Yaml => "a.yaml",
                Format::Toml => "a.toml",
            };
            let around = crate::Surroundings {
                env: Default::default(),
                git_branch: &|| None,
            };
            let path = std::path::Path::new(name);
            let reading = crate::read_in(Some((path, &text)), None, &Default::default(), &around);
            assert_eq!(reading.problems, [], "{text}");
            assert_eq!(reading.config.target_name().as_deref(), target);
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Whatever comes out is exactly what was wanted, or an error.
    #[test]
    fn changes_one_after_another_give_what_was_wanted(
        format in proptest::sample::select(vec![Format::Json, Format::Yaml, Format::Toml]),
        steps in proptest::collection::vec((0usize..6, 0usize..4, "[a-zA-Z:# ^{}\\[\\]'\"\\\\äé\n]{0,6}"), 1..8),
    ) {
        const PATHS: &[&[&str]] = &[
            &["key"], &["feature", "fs", "local"], &["feature", "env", "override", "A B"],
            &["feature", "network", "incoming", "ports"], &["target", "path"], &["feature", "hostname"],
        ];
        let mut text = template(format, Some("pod/x"));
        for (path, change, value) in steps {
            let change = match change {
                0 => Change::Set(json!(value)),
                1 => Change::Append(json!(value)),
                2 => Change::Remove,
                _ => Change::Set(json!([value, 5, true])),
            };
            let path = PATHS[path];
            let mut wanted = value_of(&text, format).unwrap();
            apply(&mut wanted, &mut Vec::new(), path, &change).unwrap();
            let edits = edit(&text, format, &[(path, change)]).unwrap();
            text = TextEdit::apply(&text, &edits);
            proptest::prop_assert_eq!(value_of(&text, format).unwrap(), wanted, "{}", text);
        }
    }
}
