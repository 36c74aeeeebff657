//! One configuration in every language.

use expect_test::{Expect, expect};
use mirrord_config::Format::{self, Json, Toml, Yaml};

use crate::{Document, Encoding};

fn convert(from: Format, to: Format, text: &str) -> Result<String, String> {
    let uri = "file:///w/.mirrord/mirrord.json".parse().unwrap();
    let document = Document::new(uri, "m".into(), from, Encoding::Utf16, text.to_owned());
    let converted = document.convert(to)?;
    Ok(match converted.lost_comments {
        0 => converted.text,
        lost => format!("{}({lost} lost)", converted.text),
    })
}

fn check(from: Format, to: Format, text: &str, expected: Expect) {
    expected.assert_eq(&convert(from, to, text).unwrap());
}

const JSON: &str = r#"{
  // What to run in.
  "target": "pod/api", // the first
  "feature": {
    "env": null,
    "network": {"incoming": {"port_mapping": [[80, 8080]], "mode": "steal"}},
    "fs": {
      "local": [
        "^/tmp", // scratch
        "a: b"
      ],
      "mapping": {"^/a.b": "yes"}
    }
  }
  // The end.
}"#;

const YAML: &str = "# What to run in.\ntarget: pod/api # the first\nfeature:\n  # both\n  fs:\n    local:\n      - ^/tmp # scratch\n    mode: local\n";

const TOML: &str = "# What to run in.\ntarget = 'pod/api' # the first\n\n# both\n[feature.fs]\nlocal = [\n  '^/tmp', # scratch\n]\n";

#[test]
fn json_becomes_yaml_and_toml() {
    check(
        Json,
        Yaml,
        JSON,
        expect![[r##"
            # What to run in.
            target: pod/api # the first
            feature:
              env: null
              network:
                incoming:
                  port_mapping:
                    - [80, 8080]
                  mode: steal
              fs:
                local:
                  - ^/tmp # scratch
                  - "a: b"
                mapping:
                  ^/a.b: "yes"
            # The end.
        "##]],
    );
    check(
        Json,
        Toml,
        JSON,
        expect![[r##"
            # What to run in.
            target = "pod/api" # the first

            [feature.network.incoming]
            port_mapping = [[80, 8080]]
            mode = "steal"

            [feature.fs]
            local = [
              "^/tmp", # scratch
              "a: b",
            ]

            [feature.fs.mapping]
            "^/a.b" = "yes"
            # The end.
        "##]],
    );
}

#[test]
fn yaml_becomes_json_and_toml() {
    check(
        Yaml,
        Json,
        YAML,
        expect![[r#"
        {
          "target": "pod/api",
          "feature": {
            "fs": {
              "local": ["^/tmp"],
              "mode": "local"
            }
          }
        }
        (4 lost)"#]],
    );
    check(
        Yaml,
        Toml,
        YAML,
        expect![[r##"
        # What to run in.
        target = "pod/api" # the first

        # both
        [feature.fs]
        local = [
          "^/tmp", # scratch
        ]
        mode = "local"
    "##]],
    );
}

#[test]
fn toml_becomes_json_and_yaml() {
    check(
        Toml,
        Json,
        TOML,
        expect![[r#"
        {
          "target": "pod/api",
          "feature": {
            "fs": {
              "local": ["^/tmp"]
            }
          }
        }
        (4 lost)"#]],
    );
    check(
        Toml,
        Yaml,
        TOML,
        expect![[r#"
            # What to run in.
            target: pod/api # the first
            # both
            feature:
              fs:
                local:
                  - ^/tmp # scratch
        "#]],
    );
}

#[test]
fn what_cannot_be_converted_says_why() {
    for text in ["{\"a\": ", "{\"a\": \"{% if true %}x{% endif %}\"}"] {
        assert!(convert(Json, Yaml, text).is_err(), "{text}");
    }
}
