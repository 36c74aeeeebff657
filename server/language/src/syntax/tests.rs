//! Trees of whole and of broken texts, shown as one line each.

use expect_test::{Expect, expect};
use mirrord_config::Format::{self, Json, Toml, Yaml};

use super::{Node, NodeKind, parse};

fn shown(node: &Node) -> String {
    match &node.kind {
        NodeKind::Missing => "?".to_owned(),
        NodeKind::Scalar(scalar) => format!("{:?}", scalar.text),
        NodeKind::List(items, _) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        NodeKind::Map(entries, _) => {
            let entries = entries
                .iter()
                .map(|entry| format!("{}: {}", entry.key.text, shown(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn check(format: Format, text: &str, expected: Expect) {
    expected.assert_eq(&shown(&parse(text, format).root));
}

#[test]
fn whole_texts_are_what_they_say() {
    check(
        Json,
        r#"{"a": {"b": [1, "x\n"]}, // why
            "c": true,}"#,
        expect![[r#"{a: {b: ["1", "x\n"]}, c: "true"}"#]],
    );
    check(
        Yaml,
        "# first\na:\n  b: [1, 'it''s'] # why\n  l:\n  - x: 1\n    y: 2\n  - z\nc: |\n  one\n  two\nd: http://x#y\n",
        expect![[
            r#"{a: {b: ["1", "it's"], l: [{x: "1", y: "2"}, "z"]}, c: "one\ntwo", d: "http://x#y"}"#
        ]],
    );
    check(
        Toml,
        "a.b = [1, # one\n 'x']\n[c]\nd.e = {f = 1, g.h = \"\"\"\nx\"\"\"}\n[[c.l]]\nx = 1\n[[c.l]]\nx = 2\n[c.z]\n",
        expect![[
            r#"{a: {b: ["1", "x"]}, c: {d: {e: {f: "1", g: {h: "x"}}}, l: [{x: "1"}, {x: "2"}], z: {}}}"#
        ]],
    );
}

#[test]
fn broken_json_keeps_what_is_there() {
    check(Json, r#"{"a": {"b"#, expect!["{a: {b: ?}}"]);
    check(
        Json,
        "{\"a\": {\n  \"b\": \n  \"c\": [true\n}, \"d\": 1}",
        expect![[r#"{a: {b: ?, c: ["true"]}, d: "1"}"#]],
    );
    check(
        Json,
        "{\"a\": 1 \"b\": 2 ] : }",
        expect![[r#"{a: "1", b: "2"}"#]],
    );
    check(Json, "{a: b", expect![[r#"{a: "b"}"#]]);
}

#[test]
fn broken_yaml_keeps_what_is_there() {
    check(
        Yaml,
        "a:\n  b\n  c: 1\nd",
        expect![[r#"{a: {b: ?, c: "1"}, d: ?}"#]],
    );
    check(
        Yaml,
        "a:\n  b: \"x\n  c: 1\n",
        expect![[r#"{a: {b: "x", c: "1"}}"#]],
    );
    check(
        Yaml,
        "  a: 1\nb: 2\n    c: 3\n- d\n",
        expect![[r#"{a: "1", b: "2", c: "3"}"#]],
    );
    check(Yaml, "a:\n-\n- b:\n  -", expect!["{a: [?, {b: [?]}]}"]);
}

#[test]
fn broken_toml_keeps_what_is_there() {
    check(
        Toml,
        "[a.\nb = \n= 5\nc = \"x\n[d\ne",
        expect![[r#"{a: {: {b: ?, c: "x"}}, d: {e: ?}}"#]],
    );
}

#[test]
fn deep_brackets_do_not_overrun_the_stack() {
    for text in [
        "[".repeat(100_000),
        "{a:".repeat(50_000),
        "- ".repeat(100_000),
        "! ".repeat(100_000),
    ] {
        for format in [Json, Yaml, Toml] {
            parse(&text, format);
        }
    }
}
