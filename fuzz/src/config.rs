//! Any text, read and changed as a configuration in each language: every place that a problem
//! tells lies in its text, and a change gives what was wanted or an error.

use std::collections::HashMap;
use std::path::Path;

use mirrord_config::{Flags, Format, Surroundings, TextEdit, edit, effective, parse_tree, read_in};

/// Tries the bytes, if they are text.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let surroundings = Surroundings {
        env: HashMap::new(),
        git_branch: &|| None,
    };
    for (name, format) in [
        ("a.json", Format::Json),
        ("a.yaml", Format::Yaml),
        ("a.toml", Format::Toml),
    ] {
        let source = Some((Path::new(name), text));
        let reading = read_in(source, None, &Flags::default(), &surroundings);
        for problem in &reading.problems {
            assert!(!problem.to_string().is_empty());
            if let Some(place) = &problem.place {
                assert!(place.file.text.get(place.span.clone()).is_some());
            }
            if let (Some(fix), true) = (&problem.fix, problem.place.is_some()) {
                TextEdit::apply(text, &fix.edits);
            }
        }
        effective(&reading.config, &reading.unserved);
        let path = ["feature", "fs", "local"];
        if let Ok(edits) = edit::set(text, format, &path, "^/x".into()) {
            let edited = TextEdit::apply(text, &edits);
            let tree = parse_tree(&edited, format).expect("it can be read again");
            assert_eq!(tree.to_json()["feature"]["fs"]["local"], "^/x");
        }
    }
}
