//! Layout before and after.

use expect_test::{Expect, expect};
use mirrord_config::Format::{self, Json, Toml, Yaml};

use crate::{Document, Encoding};

fn check(format: Format, text: &str, expected: Expect) {
    let open = |text: &str| {
        let uri = "file:///w/.mirrord/mirrord.json".parse().unwrap();
        Document::new(
            uri,
            "mirrord".into(),
            format,
            Encoding::Utf16,
            text.to_owned(),
        )
    };
    let mut document = open(text);
    let mut formatted = text.to_owned();
    for edit in document.format_edits() {
        formatted.replace_range(document.span(edit.range), &edit.new_text);
    }
    expected.assert_eq(&formatted);
    document = open(&formatted);
    assert_eq!(
        document.format_edits(),
        [],
        "formatting again changes nothing"
    );
}

#[test]
fn json_keeps_its_comments() {
    check(
        Json,
        "{\"a\":1, // why\n\n\n   \"b\" : [1,2 ],\"c\":{\n\"d\":true}}",
        expect![[r#"
            {
              "a": 1, // why
              "b": [1, 2],
              "c": {
                "d": true
              }
            }
        "#]],
    );
}

#[test]
fn yaml_keeps_its_comments() {
    check(
        Yaml,
        "# first\na:   1   # why\n\n\n\nb:\n    - x\n    -   y\nc: {d: 'it',e: [1,2]}\n",
        expect![[r##"
            # first
            a: 1 # why

            b:
              - x
              - y
            c: { d: "it", e: [1, 2] }
        "##]],
    );
}

#[test]
fn toml_gets_its_spaces_right_and_nothing_else() {
    check(
        Toml,
        "\n# first\na=1   # why  \n\n\n\n  [ b.c ]\n  # inside\n  d . e   =  [ 1,\n   2 ] \n\n[f]   \ng = \"\"\"\n  as it is  \n\"\"\"",
        expect![[r##"
            # first
            a = 1 # why

            [ b.c ]
            # inside
            d.e = [ 1,
               2 ]

            [f]
            g = """
              as it is  
            """
        "##]],
    );
}

#[test]
fn broken_texts_stay_as_they_are() {
    for (format, text) in [
        (Json, "{ \"a\" : "),
        (Yaml, "a: [1\nb:   2"),
        (Toml, "a   = "),
    ] {
        let uri = "file:///w/mirrord.json".parse().unwrap();
        let document = Document::new(uri, "m".into(), format, Encoding::Utf16, text.into());
        assert_eq!(document.format_edits(), []);
    }
}
