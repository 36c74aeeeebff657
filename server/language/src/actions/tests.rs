//! What can be done about a text, and the text once it was done.

use std::collections::HashMap;

use expect_test::{Expect, expect};
use ls_types::{CodeAction, DocumentChangeOperation, DocumentChanges, Range, ResourceOp};
use mirrord_config::Format::{self, Json, Toml, Yaml};
use mirrord_config::Surroundings;

use crate::{Document, Encoding};

fn open(format: Format, text: &str) -> Document {
    let extension = match format {
        Json => "json",
        Yaml => "yaml",
        Toml => "toml",
    };
    let path = format!("/w/.mirrord/mirrord.{extension}");
    let uri = format!("file://{path}").parse().unwrap();
    Document::new(uri, path.into(), format, Encoding::Utf16, text.to_owned())
}

fn actions(document: &Document, at: usize) -> Vec<CodeAction> {
    let position = document.position(at);
    let around = Surroundings {
        env: HashMap::new(),
        git_branch: &|| None,
    };
    document.code_actions(Range::new(position, position), &around)
}

/// The text after the action with this title.
fn done(format: Format, text: &str, at: &str, title: &str, expected: Expect) {
    let document = open(format, text);
    let offered = actions(&document, text.find(at).expect("a place"));
    let titles: Vec<&str> = offered.iter().map(|action| action.title.as_str()).collect();
    let action = offered.iter().find(|action| action.title == title);
    let action = action.unwrap_or_else(|| panic!("{titles:?}"));
    let changes = action
        .edit
        .as_ref()
        .and_then(|edit| edit.changes.as_ref())
        .unwrap();
    let mut edits: Vec<_> = changes[document.uri()].clone();
    edits.sort_by_key(|edit| edit.range.start);
    let mut text = text.to_owned();
    for edit in edits.iter().rev() {
        text.replace_range(document.span(edit.range), &edit.new_text);
    }
    expected.assert_eq(&text);
}

#[test]
fn a_misplaced_key_gets_its_parent() {
    let json = "{\n  \"fs\": {\n    \"mode\": \"read\"\n  }\n}\n";
    done(
        Json,
        json,
        "\"fs\"",
        "Move to `feature.fs`",
        expect![[r#"
        {
          "feature": {
            "fs": {
              "mode": "read"
            }
          }
        }
    "#]],
    );
    let yaml = "incoming:\n  mode: steal\ntarget: x\n";
    done(
        Yaml,
        yaml,
        "incoming",
        "Move to `feature.network.incoming`",
        expect![[r#"
            feature:
              network:
                incoming:
                  mode: steal
            target: x
        "#]],
    );
    let toml = "[fs]\nmode = \"read\"\n[fs.mapping]\na = \"b\"\n";
    done(
        Toml,
        toml,
        "fs",
        "Move to `feature.fs`",
        expect![[r#"
        [feature.fs]
        mode = "read"
        [feature.fs.mapping]
        a = "b"
    "#]],
    );
    done(
        Toml,
        "incoming.mode = \"steal\"\n",
        "incoming",
        "Move to `feature.network.incoming`",
        expect![[r#"
            feature.network.incoming.mode = "steal"
        "#]],
    );
}

#[test]
fn a_misplaced_key_joins_the_parent_that_is_there() {
    let json = "{\n  \"fs\": \"read\",\n  \"feature\": {\n    \"env\": true\n  }\n}\n";
    done(
        Json,
        json,
        "\"fs\"",
        "Move to `feature.fs`",
        expect![[r#"
        {
          "feature": {
            "env": true,
            "fs": "read"
          }
        }
    "#]],
    );
    let json = "{\n  \"feature\": {\n    \"env\": true\n  },\n  \"fs\": \"read\"\n}\n";
    done(
        Json,
        json,
        "\"fs\"",
        "Move to `feature.fs`",
        expect![[r#"
        {
          "feature": {
            "env": true,
            "fs": "read"
          }
        }
    "#]],
    );
    let yaml = "feature:\n  env: true\nincoming:\n  mode: steal\n";
    done(
        Yaml,
        yaml,
        "incoming",
        "Move to `feature.network.incoming`",
        expect![[r#"
            feature:
              env: true
              network:
                incoming:
                  mode: steal
        "#]],
    );
}

#[test]
fn a_key_that_could_go_anywhere_stays() {
    let document = open(Yaml, "mode: read\n");
    let titles: Vec<String> = actions(&document, 0)
        .into_iter()
        .map(|action| action.title)
        .collect();
    assert_eq!(titles, ["Convert to JSON", "Convert to TOML"]);
}

#[test]
fn a_converted_file_takes_the_place_of_the_old_one() {
    let document = open(Json, "{\"target\": \"pod/x\"} // why");
    let offered = actions(&document, 0);
    let yaml = offered
        .iter()
        .find(|action| action.title == "Convert to YAML")
        .unwrap();
    let Some(DocumentChanges::Operations(steps)) = &yaml.edit.as_ref().unwrap().document_changes
    else {
        panic!("{yaml:?}");
    };
    let shown: Vec<String> = steps
        .iter()
        .map(|step| match step {
            DocumentChangeOperation::Op(ResourceOp::Create(create)) => {
                format!("create {}", create.uri.as_str())
            }
            DocumentChangeOperation::Op(ResourceOp::Delete(delete)) => {
                format!("delete {}", delete.uri.as_str())
            }
            DocumentChangeOperation::Edit(edit) => format!("{:?}", edit.edits),
            other => format!("{other:?}"),
        })
        .collect();
    assert!(
        shown[0] == "create file:///w/.mirrord/mirrord.yaml",
        "{shown:?}"
    );
    assert!(
        shown[1].contains("target: pod/x") && shown[1].contains("# why"),
        "{shown:?}"
    );
    assert!(
        shown[2] == "delete file:///w/.mirrord/mirrord.json",
        "{shown:?}"
    );

    let broken = open(Json, "{\"a\": ");
    let offered = actions(&broken, 0);
    assert!(
        offered.iter().all(|action| action.disabled.is_some()),
        "{offered:?}"
    );
}

#[test]
fn a_mistyped_or_old_key_gets_its_name() {
    let json = "{\"feature\": {\"fs\": {\"red_only\": [\"a\"]}}}";
    done(
        Json,
        json,
        "red",
        "Replace by `read_only`",
        expect![[r#"{"feature": {"fs": {"read_only": ["a"]}}}"#]],
    );
    let yaml =
        "feature:\n  network:\n    incoming:\n      https_delivery:\n        protocol: tcp\n";
    done(
        Yaml,
        yaml,
        "https",
        "Replace by `tls_delivery`",
        expect![[r#"
            feature:
              network:
                incoming:
                  tls_delivery:
                    protocol: tcp
        "#]],
    );
    let toml = "[feature.fs]\nmode = \"red\"\n";
    done(
        Toml,
        toml,
        "red",
        "Replace by `read`",
        expect![[r#"
        [feature.fs]
        mode = "read"
    "#]],
    );
}
