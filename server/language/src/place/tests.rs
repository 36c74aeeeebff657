//! Where a cursor (`|`) is, in all three languages.

use expect_test::{Expect, expect};
use mirrord_config::Format::{self, Json, Toml, Yaml};

use super::{Place, Role};
use crate::syntax::{Step, parse};

fn check(format: Format, marked: &str, expected: Expect) {
    let at = marked.find('|').expect("a cursor");
    let text = marked.replacen('|', "", 1);
    let shown = match Place::of(&parse(&text, format), &text, format, at) {
        None => "nowhere".to_owned(),
        Some(place) => {
            let path: String = place
                .path
                .iter()
                .map(|step| match step {
                    Step::Key(key) => format!("/{key}"),
                    Step::Index(index) => format!("/{index}"),
                })
                .collect();
            let role = match &place.role {
                Role::Key { others, separated } => {
                    let colon = if *separated { ":" } else { "" };
                    format!("key{colon} besides {others:?}")
                }
                Role::Header => "header".to_owned(),
                Role::Value { or_key: true } => "value or key".to_owned(),
                Role::Value { or_key: false } => "value".to_owned(),
            };
            format!("{role} at {path:?} `{}`", &text[place.span])
        }
    };
    expected.assert_eq(&shown);
}

#[test]
fn in_json() {
    check(Json, "|", expect![[r#"value at "" ``"#]]);
    check(Json, "{|}", expect![[r#"key besides [] at "" ``"#]]);
    check(
        Json,
        r#"{"a": {"b|""#,
        expect![[r#"key besides [] at "/a" `"b"`"#]],
    );
    check(
        Json,
        r#"{"a": {"b": |}}"#,
        expect![[r#"value at "/a/b" ``"#]],
    );
    check(
        Json,
        r#"{"a": "x|y", "b": 1}"#,
        expect![[r#"value at "/a" `"xy"`"#]],
    );
    check(
        Json,
        "{\"a\": [1, |], \"b\": 1}",
        expect![[r#"value at "/a/1" ``"#]],
    );
    check(
        Json,
        "{\"a\": true\n  |\n}",
        expect![[r#"key besides ["a"] at "" ``"#]],
    );
    check(
        Json,
        "{\"a\": \n|\n \"b\": 1}",
        expect![[r#"value at "/a" ``"#]],
    );
    check(
        Json,
        "{\"|a\": {}, \"b\": 1}",
        expect![[r#"key: besides ["b"] at "" `"a"`"#]],
    );
    check(Json, "{ // no |\n}", expect!["nowhere"]);
    check(
        Json,
        "{\"a\": {}|}",
        expect![[r#"key besides ["a"] at "" ``"#]],
    );
}

#[test]
fn in_yaml() {
    check(Yaml, "|", expect![[r#"key besides [] at "" ``"#]]);
    check(Yaml, "a|", expect![[r#"value or key at "" `a`"#]]);
    check(Yaml, "a:\n  |", expect![[r#"value or key at "/a" ``"#]]);
    check(Yaml, "a:\n|", expect![[r#"key besides ["a"] at "" ``"#]]);
    check(
        Yaml,
        "a:\n  b|\n  c: 1",
        expect![[r#"key besides ["c"] at "/a" `b`"#]],
    );
    check(
        Yaml,
        "a:\n  |\n  c: 1\n",
        expect![[r#"key besides ["c"] at "/a" ``"#]],
    );
    check(
        Yaml,
        "a:\n  c: 1\n  |\nb: 2\n",
        expect![[r#"key besides ["c"] at "/a" ``"#]],
    );
    check(Yaml, "a: |\nb: 1\n", expect![[r#"value at "/a" ``"#]]);
    check(Yaml, "a:|\nb: 1\n", expect![[r#"value at "/a" ``"#]]);
    check(
        Yaml,
        "a: tr|ue # why\n",
        expect![[r#"value at "/a" `true`"#]],
    );
    check(
        Yaml,
        "a:\n  - |\n",
        expect![[r#"value or key at "/a/0" ``"#]],
    );
    check(
        Yaml,
        "a:\n  - x|\n  - y",
        expect![[r#"value or key at "/a/0" `x`"#]],
    );
    check(
        Yaml,
        "a:\n- x: 1\n  |",
        expect![[r#"key besides ["x"] at "/a/0" ``"#]],
    );
    check(Yaml, "a: {b: |}\n", expect![[r#"value at "/a/b" ``"#]]);
    check(Yaml, "a: # no |\n", expect!["nowhere"]);
}

#[test]
fn in_toml() {
    check(Toml, "|", expect![[r#"key besides [] at "" ``"#]]);
    check(Toml, "[a.b|]", expect![[r#"header at "/a" `b`"#]]);
    check(Toml, "[|", expect![[r#"header at "" ``"#]]);
    check(
        Toml,
        "[a]\nb = 1\n|\n[c]\nd = 1\n",
        expect![[r#"key besides ["b"] at "/a" ``"#]],
    );
    check(
        Toml,
        "[a]\nb.c|\nb.d = 1\n",
        expect![[r#"key besides ["d"] at "/a/b" `c`"#]],
    );
    check(Toml, "[a]\nb = |\n", expect![[r#"value at "/a/b" ``"#]]);
    check(Toml, "a = {b = |}\n", expect![[r#"value at "/a/b" ``"#]]);
    check(Toml, "a = [1, |]\n", expect![[r#"value at "/a/1" ``"#]]);
    check(
        Toml,
        "[[a.b]]\nc = \"x|\"\n",
        expect![[r#"value at "/a/b/0/c" `"x"`"#]],
    );
}
