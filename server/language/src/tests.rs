//! The smaller features: diagnostics, hover, lenses, hints, outline, folding.

use std::collections::HashMap;

use expect_test::{Expect, expect};
use ls_types::{HoverContents, InlayHintLabel, Range};
use mirrord_config::Format::{self, Json, Toml, Yaml};
use mirrord_config::Surroundings;

use crate::{Document, Encoding, Live, LiveTarget, NotLive};

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

fn surroundings(variables: &[(&str, &str)]) -> Surroundings<'static> {
    let pairs = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Surroundings {
        env: pairs.collect::<HashMap<_, _>>(),
        git_branch: &|| Some("main".to_owned()),
    }
}

fn shown(range: Range) -> String {
    let (start, end) = (range.start, range.end);
    format!(
        "{}:{}-{}:{}",
        start.line, start.character, end.line, end.character
    )
}

#[test]
fn diagnostics_stand_where_the_fault_is() {
    let cases = [
        (
            Json,
            "{\"feature\": {\"😀\": 1, \"fs\": {\"mode\": \"rad\"}}}",
        ),
        (Yaml, "feature:\n  fs:\n    local: ['[']\n"),
        (Toml, "[feature.network.incoming]\nmode = 5\n"),
        (Json, "{\"a\": }"),
    ];
    let mut lines = String::new();
    for (format, text) in cases {
        for diagnostic in open(format, text).diagnostics(&surroundings(&[])) {
            let message = diagnostic.message.lines().next().unwrap_or("").to_owned();
            lines.push_str(&format!("{} {message}\n", shown(diagnostic.range)));
        }
    }
    expect![[r#"
        0:13-0:17 unknown key `😀` in feature
        0:37-0:42 feature.fs.mode must be one of `local`, `localwithoverrides`, `read`, `write`
        2:13-2:14 feature.fs.local: bad regular expression: unclosed character class
        1:7-1:8 feature.network.incoming.mode must be one of `mirror`, `steal`, `off`
        0:6-0:7 this is not JSON: Unexpected close brace
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_hover_says_what_a_key_means() {
    let hover = |format, marked: &str| {
        let at = marked.find('¦').unwrap();
        let document = open(format, &marked.replacen('¦', "", 1));
        match document
            .hover(document.position(at), &NotLive, &surroundings(&[]))?
            .contents
        {
            HoverContents::Markup(markup) => Some(markup.value),
            other => panic!("{other:?}"),
        }
    };
    for (format, text) in [
        (Json, "{\"feature\": {\"fs\": {\"mo¦de\": \"read\""),
        (Yaml, "feature:\n  fs:\n    mode: re¦ad\n  x"),
        (Toml, "[feature.fs]\nmode¦ = "),
    ] {
        let text = hover(format, text).unwrap();
        assert!(text.starts_with("**feature.fs.mode**"), "{text}");
        assert!(text.contains("- `localwithoverrides`: "), "{text}");
        assert!(text.contains("Default: `\"read\"`"), "{text}");
    }
    let set = hover(Yaml, "feature:\n  fs:\n    mo¦de: write\n").unwrap();
    assert!(set.ends_with("Now: `\"write\"`, from line 3"), "{set}");
    let default = hover(Yaml, "feature:\n  hostname¦:\n").unwrap();
    assert!(default.ends_with("Now: `true`, the default"), "{default}");
    let own = hover(Yaml, "feature:\n  env:\n    override:\n      MY¦: x").unwrap();
    assert!(
        own.starts_with("**feature.env.override**") && own.contains("`MY` is"),
        "{own}"
    );
    let branch = hover(Yaml, "key: \"¦{{ git_branch }}-x\"\n").unwrap();
    assert!(branch.ends_with("`{{ git_branch }}` is `main`"), "{branch}");
    let table = hover(Toml, "[feature.f¦s]\n").unwrap();
    assert!(table.starts_with("**feature.fs**"), "{table}");
    assert_eq!(hover(Json, "{\"fea¦tur\": 1}"), None);
}

struct Pods;

impl Live for Pods {
    fn targets(&self, _: Option<&str>) -> Vec<LiveTarget> {
        vec![LiveTarget {
            path: "deployment/api".to_owned(),
            detail: Some("3 pods".to_owned()),
        }]
    }
}

#[test]
fn hints_show_templates_and_pods_but_no_secrets() {
    let text = "target: deployment/api\nkey: \"{{ git_branch }}-x\"\nfeature:\n  env:\n    override:\n      A: \"{{ get_env(name='HOME') }}\"\n      B: \"{{ get_env(name='DB_PASSWORD') }}\"\n";
    let document = open(Yaml, text);
    let whole = document.range(&(0..text.len()));
    let around = surroundings(&[("HOME", "/home/me"), ("DB_PASSWORD", "hunter2")]);
    let hints: Vec<String> = document
        .inlay_hints(whole, &Pods, &around)
        .into_iter()
        .map(|hint| match hint.label {
            InlayHintLabel::String(label) => {
                format!("{}:{} {label}", hint.position.line, hint.position.character)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    expect![[r#"
        0:22 3 pods
        1:22 = main
        5:36 = /home/me
        6:43 = •••"#]]
    .assert_eq(&hints.join("\n"));
    let first_line = Range::new(document.position(0), document.position(5));
    assert!(
        document
            .inlay_hints(first_line, &NotLive, &around)
            .is_empty()
    );
}

#[test]
fn lenses_stand_over_the_target() {
    let lenses = |format, text| {
        let lenses = open(format, text).code_lenses();
        let titles: Vec<String> = lenses
            .iter()
            .map(|lens| {
                format!(
                    "{} {}",
                    lens.range.start.line,
                    lens.command.as_ref().unwrap().title
                )
            })
            .collect();
        titles.join(", ")
    };
    assert_eq!(
        lenses(Yaml, "# x\n"),
        "0 Debug, 0 Run, 0 Pick target…, 0 Set active"
    );
    let with = "2 Debug, 2 Run, 2 Change target…, 2 Set active, 2 Test connection";
    assert_eq!(lenses(Json, "{\n\n\"target\": \"pod/x\"}"), with);
    assert_eq!(lenses(Toml, "\n\n[target]\npath = 'pod/x'\n"), with);
}

#[test]
fn a_chosen_target_is_written_where_it_belongs() {
    let set = |format, text: &str| {
        let document = open(format, text);
        let mut text = text.to_owned();
        for edit in document.set_target("pod/y") {
            text.replace_range(document.span(edit.range), &edit.new_text);
        }
        text
    };
    for (format, text, expected) in [
        (Json, "", "{\n  \"target\": \"pod/y\"\n}\n"),
        (Json, "{}", "{\n  \"target\": \"pod/y\"\n}"),
        (
            Json,
            "{\n  \"feature\": {}\n}",
            "{\n  \"target\": \"pod/y\",\n  \"feature\": {}\n}",
        ),
        (
            Json,
            "{\"target\": \"pod/x\" /* why */}",
            "{\"target\": \"pod/y\" /* why */}",
        ),
        (
            Json,
            "{\"target\": {\"namespace\": \"n\"}}",
            "{\"target\": {\"path\": \"pod/y\", \"namespace\": \"n\"}}",
        ),
        (
            Json,
            "{\"target\": {\"path\": {\"pod\": \"x\"}}}",
            "{\"target\": {\"path\": \"pod/y\"}}",
        ),
        (
            Yaml,
            "target: # why\nfeature: {}\n",
            "target: pod/y # why\nfeature: {}\n",
        ),
        (Yaml, "target: pod/x # why\n", "target: pod/y # why\n"),
        (
            Yaml,
            "target:\n  namespace: n\n",
            "target:\n  path: pod/y\n  namespace: n\n",
        ),
        (Yaml, "feature: {}\n", "target: pod/y\nfeature: {}\n"),
        (
            Toml,
            "[target]\nnamespace = 'n'\n",
            "[target]\npath = \"pod/y\"\nnamespace = 'n'\n",
        ),
        (Toml, "[feature]\n", "target = \"pod/y\"\n[feature]\n"),
        (Toml, "target = 'pod/x'\n", "target = \"pod/y\"\n"),
    ] {
        assert_eq!(set(format, text), expected, "{text}");
    }
}

fn outline(format: Format, text: &str, expected: Expect) {
    fn add(symbols: &[ls_types::DocumentSymbol], indent: usize, lines: &mut String) {
        for symbol in symbols {
            let detail = symbol.detail.as_deref().unwrap_or("");
            lines.push_str(&format!("{}{} {detail}", " ".repeat(indent), symbol.name));
            lines.push_str(&format!(" {}\n", shown(symbol.range)));
            add(symbol.children.as_deref().unwrap_or(&[]), indent + 2, lines);
        }
    }
    let document = open(format, text);
    let mut lines = String::new();
    add(&document.symbols(), 0, &mut lines);
    for fold in document.folding() {
        lines.push_str(&format!("fold {}-{}\n", fold.start_line, fold.end_line));
    }
    expected.assert_eq(&lines);
}

#[test]
fn the_outline_and_the_folds_follow_the_keys() {
    outline(
        Json,
        "{\n  // one\n  // two\n  \"a\": {\n    \"b\": [\n      1\n    ]\n  },\n  \"c\": true\n}\n",
        expect![[r#"
            a  3:2-7:3
              b 1 elements 4:4-6:5
            c true 8:2-8:11
            fold 0-8
            fold 1-2
            fold 3-6
            fold 4-5
        "#]],
    );
    outline(
        Yaml,
        "# one\n# two\na:\n  b:\n    - 1\n    - 2\nc: true\n",
        expect![[r#"
            a  2:0-5:7
              b 2 elements 3:2-5:7
            c true 6:0-6:7
            fold 0-1
            fold 2-5
            fold 3-5
        "#]],
    );
    outline(
        Toml,
        "[a.b]\nc = 1\n\n[a.d]\ne = [\n 1,\n]\n",
        expect![[r#"
            a  0:0-6:1
              b  0:0-1:5
                c 1 1:0-1:5
              d  3:0-6:1
                e 1 elements 4:0-6:1
            fold 0-1
            fold 3-6
            fold 4-5
        "#]],
    );
}
