//! The order of sources, the filters, and the documented examples.

use super::*;
use crate::kinds::{Many, Pairs};
use crate::setting::Setting;

fn env(variables: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
    variables
        .iter()
        .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
        .collect()
}

fn many(texts: &[&str]) -> Many<String> {
    Many(
        texts
            .iter()
            .map(|text| Setting::default((*text).to_owned()))
            .collect(),
    )
}

fn pairs(texts: &[(&str, &str)]) -> Pairs {
    let setting = |text: &str| Setting::default(text.to_owned());
    Pairs(
        texts
            .iter()
            .map(|(name, value)| (setting(name), setting(value)))
            .collect(),
    )
}

fn shown(merged: &Merged) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let show = |variable: &Variable| {
        format!(
            "{}={} [{}]",
            text(&variable.name),
            text(&variable.value),
            variable.rule
        )
    };
    merged.variables.iter().map(show).collect()
}

#[test]
fn the_target_wins_but_for_what_belongs_to_the_machine() {
    let merged = merge(
        &env(&[("PATH", "/here"), ("A", "local"), ("B", "local")]),
        &env(&[
            ("PATH", "/there"),
            ("C", "remote"),
            ("A", "remote"),
            ("RUST_LOG", "x"),
        ]),
        &[],
        &EnvConfig::default(),
        &[],
    );
    assert_eq!(
        shown(&merged),
        [
            "PATH=/here [env (local)]",
            "A=remote [env]",
            "B=local [env (local)]",
            "C=remote [env]"
        ]
    );
    let left_out: Vec<_> = merged
        .left_out
        .iter()
        .map(|(_, rule)| rule.as_str())
        .collect();
    assert_eq!(
        left_out,
        [
            "env.exclude (default) PATH",
            "env.exclude (default) RUST_LOG"
        ]
    );
}

#[test]
fn the_order_is_remote_file_mapping_override_unset() {
    let config = EnvConfig {
        overrides: Setting::default(pairs(&[("D", "override"), ("C", "override")])),
        mapping: Setting::default(pairs(&[("^(B|C)$", "mapped"), (".", "second")])),
        unset: Setting::default(many(&["gone", "D2"])),
        ..EnvConfig::default()
    };
    let merged = merge(
        &env(&[("Gone", "1"), ("L", "local"), ("AWS_PROFILE", "me")]),
        &env(&[
            ("A", "r"),
            ("B", "r"),
            ("C", "r"),
            ("GONE", "r"),
            ("D2", "r"),
        ]),
        &[("A".into(), "file".into()), ("L".into(), "file".into())],
        &config,
        &[("AWS_PROFILE", "magic.aws")],
    );
    assert_eq!(
        shown(&merged),
        [
            "L=second [env.mapping .]",
            "A=second [env.mapping .]",
            "B=mapped [env.mapping ^(B|C)$]",
            "C=override [env.override C]",
            "D=override [env.override D]",
        ]
    );
    let removed: Vec<_> = merged
        .removed
        .iter()
        .map(|(_, rule)| rule.as_str())
        .collect();
    assert_eq!(
        removed,
        [
            "env.unset gone",
            "magic.aws",
            "env.unset gone",
            "env.unset D2"
        ]
    );
}

#[test]
fn include_and_exclude_take_wildcards_and_lists() {
    let remote = env(&[
        ("FOO", "1"),
        ("BAR_STOOL", "1"),
        ("FOOBAR_TEST", "1"),
        ("PATH", "/r"),
    ]);
    let taken = |include: Option<&[&str]>, exclude: Option<&[&str]>| {
        let config = EnvConfig {
            include: Setting::default(include.map(many)),
            exclude: Setting::default(exclude.map(many)),
            ..EnvConfig::default()
        };
        let merged = merge(&[], &remote, &[], &config, &[]);
        let names = merged.variables.into_iter().map(|variable| variable.name);
        names
            .map(|name| String::from_utf8(name).unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(taken(None, None), "FOO BAR_STOOL FOOBAR_TEST");
    assert_eq!(taken(Some(&["FOO;FOOBAR_*"]), None), "FOO FOOBAR_TEST");
    assert_eq!(taken(Some(&["F?O", "PATH"]), None), "FOO PATH");
    assert_eq!(taken(Some(&["*"]), None), "FOO BAR_STOOL FOOBAR_TEST");
    assert_eq!(taken(None, Some(&["FOO", "BAR"])), "BAR_STOOL FOOBAR_TEST");
    assert_eq!(taken(None, Some(&["*"])), "");
}

#[test]
fn documented_mappings_change_values() {
    // The example of mirrord's documentation.
    let config = EnvConfig {
        mapping: Setting::default(pairs(&[
            (".+_TIMEOUT", "10000"),
            ("LOG_.+_VERBOSITY", "debug"),
            (r"(\w+)_(\d+)", "magic-value"),
            (r"^(?!NO)X$", "look-around"),
        ])),
        ..EnvConfig::default()
    };
    let remote = env(&[
        ("CONNECTION_TIMEOUT", "500"),
        ("LOG_FILE_VERBOSITY", "info"),
        ("DATA_1234", "common-value"),
        ("X", "x"),
        ("OTHER", "o"),
    ]);
    let merged = merge(&[], &remote, &[], &config, &[]);
    let values: Vec<_> = merged
        .variables
        .iter()
        .map(|variable| &variable.value[..])
        .collect();
    assert_eq!(
        values,
        [
            &b"10000"[..],
            b"debug",
            b"magic-value",
            b"look-around",
            b"o"
        ]
    );
}

#[test]
fn bytes_that_are_not_text_pass_through() {
    let remote = vec![(b"N\xff".to_vec(), b"v\xfe".to_vec())];
    let merged = merge(&[], &remote, &[], &EnvConfig::default(), &[]);
    assert_eq!(merged.variables[0].value, b"v\xfe");
    assert!(matches(b"N?", b"N\xff") && matches(b"N?", "Nä".as_bytes()));
}
