use std::path::Path;

use clap::Parser;
use mirrord_config::{Reading, Surroundings, effective_at, read_in};
use serde_json::{Value, json};

use crate::cli::{Cli, Command};

/// What `exec` reads with these flags, this environment and this file.
fn reading(flags: &[&str], env: &[(&str, &str)], file: &Value) -> Reading {
    let arguments = ["mirrord-server", "exec"]
        .into_iter()
        .chain(flags.iter().copied());
    let cli = Cli::try_parse_from(arguments.chain(["--", "true"]));
    let cli = cli.unwrap_or_else(|error| panic!("{flags:?}: {error}"));
    let Some(Command::Exec(exec)) = cli.command else {
        panic!("{flags:?} is no exec");
    };
    let branch = || None;
    let surroundings = Surroundings {
        env: env
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        git_branch: &branch,
    };
    let text = file.to_string();
    let source = Some((Path::new("mirrord.json"), text.as_str()));
    read_in(source, None, &exec.flags(), &surroundings)
}

/// A key's value and where it comes from.
fn at(reading: &Reading, key: &str) -> (Value, String) {
    let path: Vec<&str> = key.split('.').collect();
    let value = effective_at(&reading.config, &reading.unserved, &path);
    let value = value.unwrap_or_else(|| panic!("{key} has no value"));
    (value.value, value.origin.to_string())
}

#[test]
fn each_flag_beats_the_environment_which_beats_the_file() {
    let outgoing =
        json!({ "feature": { "network": { "outgoing": { "tcp": true, "udp": true } } } });
    let dns = json!({ "feature": { "network": { "dns": { "enabled": true } } } });
    let env = |key: &str| json!({ "feature": { "env": { key: ["FILE"] } } });
    let fs = json!({ "feature": { "fs": "local" } });
    let incoming = json!({ "feature": { "network": { "incoming": "off" } } });
    let (tcp, udp) = (
        "feature.network.outgoing.tcp",
        "feature.network.outgoing.udp",
    );
    let (exclude, include) = ("feature.env.exclude", "feature.env.include");
    type Row<'a> = (
        &'a [&'a str],
        &'a str,
        Option<(&'a str, &'a str)>,
        Value,
        Value,
    );
    let table: Vec<Row<'_>> = vec![
        (
            &["--fs-mode", "write"],
            "feature.fs.mode",
            Some(("MIRRORD_FILE_MODE", "read")),
            fs,
            json!("write"),
        ),
        (
            &["--override-env-vars-exclude", "A;B"],
            exclude,
            Some(("MIRRORD_OVERRIDE_ENV_VARS_EXCLUDE", "E")),
            env("exclude"),
            json!(["A", "B"]),
        ),
        (&["-x", "A"], exclude, None, env("exclude"), json!(["A"])),
        (
            &["--override-env-vars-to-exclude", "A"],
            exclude,
            None,
            env("exclude"),
            json!(["A"]),
        ),
        (
            &["--override-env-vars-include", "A"],
            include,
            Some(("MIRRORD_OVERRIDE_ENV_VARS_INCLUDE", "E")),
            env("include"),
            json!(["A"]),
        ),
        (&["-s", "A"], include, None, env("include"), json!(["A"])),
        (
            &["--override-env-vars-to-include", "A"],
            include,
            None,
            env("include"),
            json!(["A"]),
        ),
        (
            &["--no-remote-env"],
            exclude,
            None,
            env("exclude"),
            json!(["*"]),
        ),
        (
            &["--no-outgoing"],
            tcp,
            Some(("MIRRORD_TCP_OUTGOING", "true")),
            outgoing.clone(),
            json!(false),
        ),
        (
            &["--no-outgoing"],
            udp,
            Some(("MIRRORD_UDP_OUTGOING", "true")),
            outgoing.clone(),
            json!(false),
        ),
        (
            &["--no-tcp-outgoing"],
            tcp,
            None,
            outgoing.clone(),
            json!(false),
        ),
        (&["--no-udp-outgoing"], udp, None, outgoing, json!(false)),
        (
            &["--no-remote-dns"],
            "feature.network.dns.enabled",
            Some(("MIRRORD_REMOTE_DNS", "true")),
            dns,
            json!(false),
        ),
        (
            &["--steal"],
            "feature.network.incoming.mode",
            Some(("MIRRORD_AGENT_TCP_STEAL_TRAFFIC", "false")),
            incoming.clone(),
            json!("steal"),
        ),
        (
            &["--mirror"],
            "feature.network.incoming.mode",
            None,
            incoming,
            json!("mirror"),
        ),
        (
            &["--skip-processes", "a;b"],
            "skip_processes",
            Some(("MIRRORD_SKIP_PROCESSES", "c")),
            json!({ "skip_processes": ["d"] }),
            json!(["a", "b"]),
        ),
        (
            &["--key", "a"],
            "key",
            Some(("MIRRORD_KEY", "c")),
            json!({ "key": "d" }),
            json!("a"),
        ),
        (
            &["-t", "process/1"],
            "target.path",
            Some(("MIRRORD_IMPERSONATED_TARGET", "process/2")),
            json!({ "target": "process/3" }),
            json!("process/1"),
        ),
    ];
    for (flags, key, variable, file, wanted) in table {
        let variables: Vec<_> = variable.into_iter().collect();
        let (value, origin) = at(&reading(flags, &variables, &file), key);
        assert_eq!(value, wanted, "{flags:?}");
        assert!(
            origin.starts_with("--"),
            "{flags:?}: {key} is from {origin}"
        );
        if let Some((name, _)) = variable {
            let (_, origin) = at(&reading(&[], &variables, &file), key);
            assert_eq!(origin, format!("${name}"), "{key}");
        }
        let (_, origin) = at(&reading(&[], &[], &file), key);
        assert!(origin.starts_with("mirrord.json"), "{key} is from {origin}");
        let (_, origin) = at(&reading(&[], &[], &json!({})), key);
        assert_eq!(origin, "the default", "{key}");
    }
}

#[test]
fn flags_about_a_cluster_stand_for_their_keys() {
    for (flags, key, value) in [
        (
            &["--agent-namespace", "a"][..],
            "agent.namespace",
            json!("a"),
        ),
        (&["-a", "a"], "agent.namespace", json!("a")),
        (
            &["--agent-log-level", "debug"],
            "agent.log_level",
            json!("debug"),
        ),
        (&["-l", "debug"], "agent.log_level", json!("debug")),
        (&["--agent-image", "a"], "agent.image", json!("a")),
        (&["-i", "a"], "agent.image", json!("a")),
        (&["--agent-ttl", "30"], "agent.ttl", json!(30)),
        (
            &["--agent-startup-timeout", "30"],
            "agent.startup_timeout",
            json!(30),
        ),
        (&["--ephemeral-container"], "agent.ephemeral", json!(true)),
        (&["-e"], "agent.ephemeral", json!(true)),
    ] {
        let reading = reading(flags, &[], &json!({}));
        assert!(
            reading.problems.is_empty(),
            "{flags:?}: {:?}",
            reading.problems
        );
        let (found, origin) = at(&reading, key);
        assert_eq!(found, value, "{flags:?}");
        assert!(origin.starts_with("--"), "{flags:?}: {origin}");
    }
    let namespace = reading(&["-n", "shop"], &[], &json!({}));
    assert_eq!(at(&namespace, "target.namespace").0, "shop");
    let access = reading(&["--context", "a", "-c"], &[], &json!({}));
    assert!(access.problems.is_empty(), "{:?}", access.problems);
    assert_eq!(at(&access, "kube_context").0, "a");
    assert_eq!(at(&access, "accept_invalid_certificates").0, true);
}

#[test]
fn wrong_values_name_their_flag_and_unknown_flags_the_nearest() {
    let wrong = reading(&["--fs-mode", "reed"], &[], &json!({}));
    assert!(!wrong.is_ok());
    let told = wrong.problems[0].to_string();
    assert!(
        told.contains("--fs-mode") && told.contains("read"),
        "{told}"
    );
    for (flag, nearest) in [
        ("--fs-mod", "--fs-mode"),
        ("--no-outgoin", "--no-outgoing"),
        ("--no-remote-dn", "--no-remote-dns"),
        ("--stael", "--steal"),
    ] {
        let parsed = Cli::try_parse_from(["mirrord-server", "exec", flag, "--", "true"]);
        let told = parsed.expect_err(flag).to_string();
        assert!(told.contains(nearest), "{told}");
    }
}
