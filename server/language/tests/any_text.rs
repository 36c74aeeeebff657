//! Whatever stands in a file and wherever the cursor is, every feature answers; and a text that was
//! edited piece by piece is the text that one edit would have made.

use std::collections::HashMap;

use ls_types::{Position, Range, TextDocumentContentChangeEvent};
use mirrord_config::{Format, Surroundings};
use mirrord_language::{Abilities, Document, Encoding, NotLive};
use proptest::prelude::*;

fn open(format: Format, encoding: Encoding, text: &str) -> Document {
    let extension = match format {
        Format::Json => "json",
        Format::Yaml => "yaml",
        Format::Toml => "toml",
    };
    let path = format!("/w/.mirrord/mirrord.{extension}");
    let uri = format!("file://{path}").parse().unwrap();
    Document::new(uri, path.into(), format, encoding, text.to_owned())
}

/// Asks for everything at a position.
fn ask(document: &Document, position: Position) {
    let around = Surroundings {
        env: HashMap::new(),
        git_branch: &|| None,
    };
    let whole = document.range(&(0..document.text().len()));
    document.diagnostics(&around);
    for snippets in [true, false] {
        document.completion(position, &NotLive, Abilities { snippets });
    }
    document.hover(position, &NotLive, &around);
    document.code_actions(whole, &around);
    document.code_lenses();
    document.inlay_hints(whole, &NotLive, &around);
    document.symbols();
    document.folding();
    document.format_edits();
    document.set_target("pod/x");
}

const STARTS: &[(Format, &str)] = &[
    (
        Format::Json,
        "{\n  // why\n  \"target\": \"pod/x\",\n  \"feature\": {\"fs\": {\"mode\": \"read\", \"local\": [\"a\", 1]}}\n}\n",
    ),
    (
        Format::Yaml,
        "# why\ntarget: {pod: x}\nfeature:\n  fs:\n    local:\n      - a\n      - |\n        b\n  network: &x\n    incoming: 'steal'\n",
    ),
    (
        Format::Toml,
        "target = 'pod/x' # why\n[feature.fs]\nlocal = [\n  'a',\n]\n[[l]]\nx.y = {z = \"\"\"\n1\"\"\"}\n",
    ),
];

/// What is typed: pieces that mean something, and anything.
fn pieces() -> impl Strategy<Value = String> {
    let pieces: Vec<&str> = vec![
        "", "{", "}", "[", "]", "[[", "]]", ",", ":", ": ", "=", "\"", "'", "\"\"\"", "\n", "\r\n",
        "\r", "  ", "\t", "- ", "#", " # x", "//", "/*", "*/", "|", ">", "&a ", "!t ", "---",
        "{{ x }}", "{%", "😀", "ä", "\u{feff}", "\u{0}", "\\", ".", "feature", "target", "fs:\n",
        "\"mode\"",
    ];
    prop_oneof![
        proptest::sample::select(pieces).prop_map(str::to_owned),
        ".{0,8}"
    ]
}

fn edits() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    prop::collection::vec((0..400usize, 0..12usize, pieces()), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_edit_makes_any_feature_fail(
        start in 0..STARTS.len(),
        edits in edits(),
        cursor in 0..400usize,
        encoding in prop_oneof![Just(Encoding::Utf8), Just(Encoding::Utf16), Just(Encoding::Utf32)],
    ) {
        let (format, text) = STARTS[start];
        let mut document = open(format, encoding, text);
        let mut whole = text.to_owned();
        for (at, length, new) in edits {
            let range = Range::new(document.position(at), document.position(at + length));
            let (from, to) = (document.byte(range.start), document.byte(range.end));
            whole.replace_range(from..to, &new);
            document.apply(vec![TextDocumentContentChangeEvent {
                range: Some(range),
                range_length: None,
                text: new,
            }]);
            prop_assert_eq!(document.text(), &whole);
            let fresh = open(format, encoding, &whole);
            prop_assert_eq!(document.symbols(), fresh.symbols());
        }
        ask(&document, document.position(cursor));
    }

    #[test]
    fn no_text_makes_any_feature_fail(text in "\\PC{0,60}", format in 0..3usize, cursor in 0..80usize) {
        let format = [Format::Json, Format::Yaml, Format::Toml][format];
        let document = open(format, Encoding::Utf16, &text);
        ask(&document, document.position(cursor));
    }

    #[test]
    fn positions_lead_back_to_their_bytes(text in "[a😀ä\r\n]{0,40}", at in 0..100usize) {
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            let document = open(Format::Json, encoding, &text);
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            // Between a carriage return and its line feed there is no position.
            if !text[..at].ends_with('\r') || !text[at..].starts_with('\n') {
                prop_assert_eq!(document.byte(document.position(at)), at);
            }
        }
    }
}

#[test]
fn a_space_that_is_none_in_the_language_is_plain_text() {
    for format in [Format::Json, Format::Yaml, Format::Toml] {
        let document = open(format, Encoding::Utf8, "a=\u{85}");
        ask(&document, document.position(2));
    }
}
