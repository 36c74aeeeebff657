//! No text, however odd, makes reading a configuration panic, and every place it tells is one of
//! the text.

use std::collections::HashMap;
use std::path::Path;

use mirrord_config::{Flags, Surroundings, from_text};
use proptest::prelude::*;

/// Pieces that configurations are made of, right and wrong.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\t",
    "  ",
    "- ",
    "= ",
    "# ",
    "//",
    "/*",
    "&a ",
    "*a",
    "!!x ",
    "|",
    ">",
    "---\n",
    "\\",
    "\\u12",
    "\\ud800",
    "ä",
    "€",
    "😀",
    "\u{feff}",
    "\u{F8F0}",
    "\u{F8F1}",
    "\0",
    "{{ key }}",
    "{{ git_branch }}",
    "{%- if true %}",
    "{% if true %}",
    "{% endif %}",
    "{% raw %}",
    "{% for n in range(end=3) %}",
    "{% endfor %}",
    "{{",
    "}}",
    "{#",
    "#}",
    "feature",
    "\"feature\"",
    "\"fs\"",
    "\"mode\"",
    "\"write\"",
    "target",
    "\"target\"",
    "\"pod/a\"",
    "{\"pod\": \"a\"}",
    "\"local\": [\"(\"]",
    "[feature]\n",
    "[feature.fs]\n",
    "mapping",
    "true",
    "null",
    "1",
    "99999999999999999999",
    "1.5",
    "1979-05-27",
    "\"network\": {\"incoming\": {\"port_mapping\": [[1, 2], [1]]}}",
    "feature: {fs: {local: '['}}",
    "\"env\": {\"mapping\": {\"(?<\": \"\"}}",
    "\"outgoing\": {\"filter\": {\"local\": \"a/b\"}}",
];

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn check(name: &str, text: &str) -> Result<(), TestCaseError> {
    let surroundings = Surroundings {
        env: HashMap::new(),
        git_branch: &|| None,
    };
    let read = from_text(
        Some((Path::new(name), text)),
        &Flags::default(),
        &surroundings,
    );
    let problems = match read {
        Ok((_, warnings)) => warnings,
        Err(errors) => {
            prop_assert!(!errors.0.is_empty());
            errors.0
        }
    };
    for problem in problems {
        prop_assert!(!problem.to_string().is_empty());
        if let Some(place) = problem.place {
            let part = place.file.text.get(place.span.clone());
            prop_assert!(
                part.is_some(),
                "{name} {text:?} {:?}: {}",
                place.span,
                problem.message
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn odd_texts_are_answered_with_places_in_them(text in texts()) {
        for name in ["a.json", "a.yaml", "a.toml"] {
            check(name, &text)?;
        }
    }
}
