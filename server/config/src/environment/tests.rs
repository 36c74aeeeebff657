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

proptest::proptest! {
    /// What a program that somebody else started makes of its environment is what `merge` makes.
    #[test]
    fn changes_made_by_the_layer_give_the_merged_environment(
        local in pairs_of("[A-Da-d]{1,2}"),
        remote in pairs_of("[A-Da-d]{1,2}"),
        file in pairs_of("[A-D]{1,2}"),
        overridden in pairs_of("[A-D]{1,2}"),
        mapped in pairs_of("[A-D]{1,2}"),
        unset in proptest::collection::vec("[A-Da-d]{1,2}", 0..4),
        exclude in proptest::collection::vec("[A-D*]{1,2}", 0..2),
    ) {
        let bytes = |pairs: &[(String, String)]| -> Vec<(Bytes, Bytes)> {
            pairs.iter().map(|(n, v)| (n.as_bytes().into(), v.as_bytes().into())).collect()
        };
        let texts = |texts: &[(String, String)]| {
            let all: Vec<_> = texts.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            pairs(&all)
        };
        let list = |names: &[String]| many(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let config = EnvConfig {
            overrides: Setting::default(texts(&overridden)),
            mapping: Setting::default(texts(&mapped)),
            unset: Setting::default(list(&unset)),
            exclude: Setting::default(Some(list(&exclude))),
            ..EnvConfig::default()
        };
        let more = [("bb", "more")];
        let (local, remote) = (bytes(&local), bytes(&remote));
        let merged = merge(&local, &remote, &file, &config, &more);
        let Changes { set, unset } = changes(&remote, &file, &config, &more);

        let mut block = Vec::new();
        for name in &unset {
            block.extend([b"-", name.as_bytes(), b"\0"].concat());
        }
        for variable in &set {
            block.extend([b"=", &variable.name[..], b"=", &variable.value, b"\0"].concat());
        }
        let entry = |(name, value): &(Bytes, Bytes)| [name, &b"="[..], value].concat();
        let own: Vec<_> = local.iter().map(entry).collect();
        let mut applied = Vec::new();
        mirrord_filter::environment::Changes::new(&block)
            .apply(own.iter().map(Vec::as_slice), |entry| applied.push(entry.to_vec()));
        let wanted: Vec<_> = merged
            .variables
            .into_iter()
            .map(|variable| entry(&(variable.name, variable.value)))
            .collect();
        proptest::prop_assert_eq!(applied, wanted);
    }
}

fn pairs_of(
    names: &'static str,
) -> impl proptest::strategy::Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((names, "[a-z=]{0,3}"), 0..6)
}
