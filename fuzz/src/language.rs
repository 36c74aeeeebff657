//! Any text, any cursor, any edit: every feature must answer, and the edited text must be the one
//! that the edit says.

use std::collections::HashMap;

use ls_types::{Range, TextDocumentContentChangeEvent};
use mirrord_config::{Format, Surroundings};
use mirrord_language::{Abilities, Document, Encoding, NotLive};

/// Bytes before the text: language and encoding, two cursors, the length of the inserted text.
const HEAD: usize = 6;

/// Tries them: the head, then what is inserted, then the document.
pub fn run(bytes: &[u8]) {
    let Some((head, texts)) = bytes.split_at_checked(HEAD) else {
        return;
    };
    let kind = head[0];
    let cursor = u16::from_le_bytes([head[1], head[2]]);
    let other = u16::from_le_bytes([head[3], head[4]]);
    let Ok(texts) = std::str::from_utf8(texts) else {
        return;
    };
    let (new, text) = texts.split_at(texts.floor_char_boundary(head[5].into()));
    let (format, path) = match kind % 3 {
        0 => (Format::Json, "/w/mirrord.json"),
        1 => (Format::Yaml, "/w/mirrord.yaml"),
        _ => (Format::Toml, "/w/mirrord.toml"),
    };
    let encoding = match kind / 3 % 3 {
        0 => Encoding::Utf16,
        1 => Encoding::Utf8,
        _ => Encoding::Utf32,
    };
    let uri = format!("file://{path}").parse().expect("a plain address");
    let mut document = Document::new(uri, path.into(), format, encoding, text.to_owned());
    let (first, second) = (cursor.min(other) as usize, cursor.max(other) as usize);
    let range = Range::new(document.position(first), document.position(second));
    let mut whole = text.to_owned();
    whole.replace_range(document.byte(range.start)..document.byte(range.end), new);
    document.apply(vec![TextDocumentContentChangeEvent {
        range: Some(range),
        range_length: None,
        text: new.to_owned(),
    }]);
    assert_eq!(document.text(), whole);

    let around = Surroundings {
        env: HashMap::new(),
        git_branch: &|| None,
    };
    let position = document.position(cursor as usize);
    let everything = document.range(&(0..whole.len()));
    document.diagnostics(&around);
    let abilities = Abilities {
        snippets: kind & 128 == 0,
    };
    document.completion(position, &NotLive, abilities);
    document.hover(position, &NotLive, &around);
    document.code_actions(everything, &around);
    document.code_lenses();
    document.inlay_hints(everything, &NotLive, &around);
    document.symbols();
    document.folding();
    document.format_edits();
    document.set_target("pod/x");
}
