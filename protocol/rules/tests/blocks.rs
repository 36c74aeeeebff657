//! Blocks that are damaged, patterns that are wrong or too large, and the automata against a
//! plain evaluation of the same patterns.

use mirrord_rules::{
    Access, AlignedBlock, BlockError, FsMode, FsSource, OutgoingSource, PathPlace, RuleSource,
    Rules, Side, check, compile,
};
use proptest::prelude::*;
use regex::bytes::RegexBuilder;

fn source(fs: FsSource) -> RuleSource {
    RuleSource {
        fs,
        ..RuleSource::default()
    }
}

#[test]
fn a_damaged_block_is_refused_and_never_panics() {
    let block = compile(&RuleSource::default()).unwrap();
    let open = |bytes: &[u8]| AlignedBlock::new(bytes).rules().map(|_| ());
    assert_eq!(open(&block), Ok(()));
    assert_eq!(open(b"").unwrap_err(), BlockError::NotRules);
    assert_eq!(
        open(&block[..block.len() - 1]).unwrap_err(),
        BlockError::Cut
    );

    let mut shifted = vec![0];
    shifted.extend(&block);
    let aligned = AlignedBlock::new(&shifted);
    let error = Rules::from_bytes(&aligned.as_bytes()[1..]).unwrap_err();
    assert_eq!(error, BlockError::Unaligned);

    // Each word of the header and the automaton's first words, turned over: an error or rules
    // that still decide something, never a panic.
    for at in (0..block.len().min(2000)).step_by(4) {
        let mut damaged = block.clone();
        damaged[at..at + 4]
            .iter_mut()
            .for_each(|byte| *byte = !*byte);
        let damaged = AlignedBlock::new(&damaged);
        if let Ok(rules) = damaged.rules() {
            let _ = rules.path(b"/usr/lib/x", Access::Read).rule.to_string();
            let _ = rules.outgoing(mirrord_rules::Proto::Tcp, ([1, 2, 3, 4], 80).into());
            let _ = rules.incoming(([0, 0, 0, 0], 80).into());
        }
    }
}

#[test]
fn every_wrong_pattern_is_named_with_its_place() {
    let source = RuleSource {
        fs: FsSource {
            read_only: vec!["^/ok".into(), "^/bad(".into()],
            mapping: vec![("[".into(), "x".into())],
            ..FsSource::default()
        },
        outgoing: OutgoingSource {
            filter: Some((Side::Local, vec!["tcp://x:99999".into()])),
            unix_streams: vec!["(?=x)".into()],
            ..OutgoingSource::default()
        },
        ..RuleSource::default()
    };
    let mut found: Vec<_> = check(&source)
        .into_iter()
        .map(|error| (error.list, error.index, error.range))
        .collect();
    found.sort_by_key(|error| error.0);
    assert_eq!(
        found,
        [
            ("feature.fs.mapping", 0, Some(0..1)),
            ("feature.fs.read_only", 1, Some(5..6)),
            ("feature.network.outgoing.filter.local", 0, None),
            ("feature.network.outgoing.unix_streams", 0, Some(0..3)),
        ]
    );
    let error = compile(&source).unwrap_err().to_string();
    assert!(
        error.contains("`tcp://x:99999`") && error.contains("`99999`"),
        "{error}"
    );
}

#[test]
fn a_pattern_that_needs_too_much_memory_is_named() {
    let fs = FsSource {
        read_only: vec!["^/ok".into(), r"\w{40}.{400}\w{40}".into()],
        ..FsSource::default()
    };
    let error = compile(&source(fs)).unwrap_err();
    assert_eq!((error.list, error.index), ("feature.fs.read_only", 1));
    assert!(error.reason.contains("memory"), "{error}");
}

#[test]
fn many_patterns_that_multiply_each_other_still_compile() {
    // Each `.*` doubles the states of an automaton that holds all of them.
    let fs = FsSource {
        read_write: (0..14)
            .map(|number| format!("/dir{number}/.*/x{number}.*y"))
            .collect(),
        local: vec!["^/dir".into()],
        ..FsSource::default()
    };
    let block = AlignedBlock::new(&compile(&source(fs)).unwrap());
    let rules = block.rules().unwrap();
    let place = |path: &str| rules.path(path.as_bytes(), Access::Read).place;
    assert_eq!(
        place("/dir0/dir13/a/x13/y"),
        PathPlace::Remote { writable: true }
    );
    assert_eq!(place("/dir0/dir13/a/x12/y"), PathPlace::Local);
}

/// What the lists mean, written down as plainly as possible.
fn plain(fs: &FsSource, path: &[u8], access: Access) -> (PathPlace, Option<String>) {
    let found = |patterns: &[String]| {
        patterns.iter().position(|pattern| {
            RegexBuilder::new(pattern)
                .case_insensitive(true)
                .build()
                .unwrap()
                .is_match(path)
        })
    };
    let rule = |list: &str, patterns: &[String], index: usize| {
        Some(format!("fs.{list} {}", patterns[index]))
    };
    if let Some(index) = found(&fs.not_found) {
        (PathPlace::NotFound, rule("not_found", &fs.not_found, index))
    } else if let Some(index) = found(&fs.read_write) {
        (
            PathPlace::Remote { writable: true },
            rule("read_write", &fs.read_write, index),
        )
    } else if let Some(index) = found(&fs.read_only) {
        let place = match access {
            Access::Read => PathPlace::Remote { writable: false },
            Access::Write => PathPlace::Local,
        };
        (place, rule("read_only", &fs.read_only, index))
    } else if let Some(index) = found(&fs.local) {
        (PathPlace::Local, rule("local", &fs.local, index))
    } else {
        // A default rule or the mode; its text is compared elsewhere.
        (PathPlace::Mapped, None)
    }
}

fn pattern() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "^/a",
        "a$",
        "/b/",
        "^/a/b(/|$)",
        ".+b",
        "a.*b",
        r"\.a$",
        "A",
        "(a|b)/",
        "^/$",
        "b?a+$",
        r"(?-u:\b)b(?-u:\b)",
        "[^a]/b",
        "",
        "^/.{2,4}$",
        "é",
        r"\w/\d",
        "(?-i:B)",
        r"(?s-u:.)b",
    ])
    .prop_map(str::to_owned)
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"/aAbB.1\xc3\xa9\xff_".to_vec());
    prop::collection::vec(byte, 0..12).prop_map(|mut rest| {
        rest.insert(0, b'/');
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_automata_decide_as_the_lists_say(
        not_found in prop::collection::vec(pattern(), 0..3),
        read_write in prop::collection::vec(pattern(), 0..3),
        read_only in prop::collection::vec(pattern(), 0..3),
        local in prop::collection::vec(pattern(), 0..3),
        paths in prop::collection::vec(path(), 40),
    ) {
        let fs = FsSource {
            mode: FsMode::Write, not_found, read_write, read_only, local, mapping: Vec::new(),
        };
        let block = AlignedBlock::new(&compile(&source(fs.clone())).unwrap());
        let rules = block.rules().unwrap();
        for path in paths {
            for access in [Access::Read, Access::Write] {
                let decision = rules.path(&path, access);
                let (place, rule) = plain(&fs, &path, access);
                match rule {
                    Some(rule) => {
                        prop_assert_eq!((decision.place, decision.rule.to_string()), (place, rule));
                    }
                    None => {
                        let rule = decision.rule.to_string();
                        prop_assert!(
                            rule.contains("(default)") || rule.contains("fs.mode"),
                            "{:?} {}", path, rule
                        );
                    }
                }
            }
        }
    }
}
