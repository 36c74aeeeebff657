//! What holds for every adapter: planned twice is planned once, the user's own settings stay,
//! what cannot be served is refused in words.

mod common;

use common::{
    LAUNCHER, LAYER, SOCKET, apply, dynamic, executable, fixed, injection, launch, other_injection,
    patched, planned,
};
use mirrord_editor_protocol::launch::{Decision, Launch};
use mirrord_launch::{CLibrary, Facts, FileType, Injection, plan, subject, table};
use proptest::prelude::*;
use serde_json::{Value, json};

fn by(raw: &Value, facts: &Facts, injection: &Injection) -> Value {
    let plan = plan(&launch(raw.clone()), facts, injection).expect("served");
    apply(raw, &plan)
}

/// One launch for each row that is served.
fn launches() -> Vec<Value> {
    [
        json!({"type": "node", "program": "/a.js", "env": {"A": "1", "LD_PRELOAD": "mine.so"}}),
        json!({"type": "node", "runtimeExecutable": "bun", "runtimeArgs": ["--inspect"]}),
        json!({"type": "debugpy", "program": "/a.py", "python": "/usr/bin/python3"}),
        json!({"type": "debugpy", "program": "/a.py", "python": ["py", "-X", "dev"]}),
        json!({"type": "go", "program": "/work", "dlvToolPath": "/go/bin/dlv"}),
        json!({"type": "go", "program": "/work"}),
        json!({"type": "java", "mainClass": "Main", "env": {"LD_PRELOAD": "a.so b.so"}}),
        json!({"type": "cppdbg", "program": "/a", "environment": [{"name": "A", "value": "1"}]}),
        json!({"type": "cppdbg", "program": "/a", "setupCommands": [{"text": "x"}]}),
        json!({"type": "gdb", "target": "/a", "autorun": ["x"]}),
        json!({"type": "run", "program": "/a", "args": ["x"]}),
        json!({"type": "run", "program": "/a b", "args": "x 'y z'"}),
        json!({"type": "run", "program": "docker",
               "args": ["run", "-e", "LD_PRELOAD=/x.so", "image", "cmd"]}),
        json!({"type": "run", "program": "podman", "args": ["run", "--rm", "image"]}),
        json!({"type": "task", "command": "/a"}),
        json!({"type": "php", "program": "/a.php"}),
    ]
    .into()
}

#[test]
fn a_launch_that_was_planned_before_stays_as_it_is() {
    for raw in launches() {
        for facts in [dynamic(), fixed()] {
            // Java is not static.
            if raw["type"] == "java" && facts == fixed() {
                continue;
            }
            let once = patched(&raw, &facts);
            assert_eq!(patched(&once, &facts), once, "{raw}");
        }
    }
}

#[test]
fn a_launch_that_was_planned_for_another_session_is_as_if_it_was_not() {
    for raw in launches() {
        for facts in [dynamic(), fixed()] {
            if raw["type"] == "java" && facts == fixed() {
                continue;
            }
            let stale = by(&raw, &facts, &other_injection());
            let fresh = patched(&raw, &facts);
            let again = patched(&stale, &facts);
            // A debugger or runtime that was not named is named afterwards; it is the same one.
            assert_eq!(again, fresh, "{raw} after {stale}");
        }
    }
}

#[test]
fn a_program_that_is_no_longer_static_loses_its_launcher() {
    for raw in launches() {
        if ["go", "java"].contains(&raw["type"].as_str().unwrap()) {
            continue;
        }
        let again = patched(&patched(&raw, &fixed()), &dynamic());
        let text = again.to_string();
        assert!(!text.contains("@launch"), "{text}");
    }
}

#[test]
fn the_file_that_matters_is_the_users_even_behind_a_launcher() {
    for (raw, expected) in [
        (json!({"type": "node", "program": "/a.js"}), Some("node")),
        (json!({"type": "run", "program": "/a"}), Some("/a")),
        (
            json!({"type": "debugpy", "python": ["/py", "-u"]}),
            Some("/py"),
        ),
        (json!({"type": "cppdbg", "program": "/a"}), Some("/a")),
        (json!({"type": "go", "program": "/a"}), None),
    ] {
        assert_eq!(subject(&launch(raw.clone())).as_deref(), expected);
        let patched = patched(&raw, &fixed());
        assert_eq!(subject(&launch(patched)).as_deref(), expected);
    }
}

#[test]
fn the_users_preload_stays_wherever_it_was_set() {
    let raw = json!({"type": "run", "program": "/a"});
    let mut facts = dynamic();
    facts.inherited_preload = Some("inherited.so".into());
    let preload = |raw: &Value, facts: &Facts| {
        patched(raw, facts)["env"]["LD_PRELOAD"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(preload(&raw, &facts), format!("{LAYER}:inherited.so"));
    facts.env_file.insert("LD_PRELOAD".into(), "file.so".into());
    assert_eq!(preload(&raw, &facts), format!("{LAYER}:file.so"));
    let raw = json!({"type": "run", "program": "/a", "env": {"LD_PRELOAD": "a.so b.so"}});
    assert_eq!(preload(&raw, &facts), format!("{LAYER}:a.so:b.so"));
}

#[test]
fn variables_are_taken_out_as_each_adapter_understands() {
    let mut injection = injection();
    injection.unset = vec!["GONE".into(), "NEVER".into()];
    let env = |raw: Value| by(&raw, &dynamic(), &injection)["env"].clone();
    // VS Code's `null` also takes out what the editor itself has.
    let node = env(json!({"type": "node", "program": "/a.js", "env": {"GONE": "1", "A": "1"}}));
    assert_eq!(
        (&node["GONE"], &node["NEVER"]),
        (&Value::Null, &Value::Null)
    );
    assert!(node.as_object().unwrap().contains_key("NEVER"));
    let python = env(json!({"type": "debugpy", "program": "/a.py", "env": {"GONE": "1"}}));
    assert!(!python.as_object().unwrap().contains_key("GONE"));
    let lldb = env(json!({"type": "lldb-dap", "program": "/a", "env": ["GONE=1", "A=1"]}));
    assert_eq!(lldb[0], "A=1");
    assert_eq!(lldb.as_array().unwrap().len(), 4);
}

#[test]
fn without_a_raw_configuration_the_neutral_fields_do() {
    let launch = Launch {
        program: Some("/work/app".into()),
        env: [("LD_PRELOAD".to_owned(), Some("mine.so".to_owned()))].into(),
        ..Launch::default()
    };
    let plan = plan(&launch, &fixed(), &injection()).unwrap();
    assert_eq!(plan.env.set["LD_PRELOAD"], format!("{LAYER}:mine.so"));
    assert_eq!(plan.argv.unwrap().prefix, [LAUNCHER, "@launch", SOCKET]);
    let patch = plan.patch.jetbrains.unwrap();
    assert_eq!(patch.exe.as_deref(), Some(LAUNCHER));
    assert_eq!(patch.prepend_args, ["@launch", SOCKET, "/work/app"]);
    assert_eq!(patch.env, plan.env.set);
    assert_eq!(plan.patch.vscode, None);
}

#[test]
fn goland_starts_delve_behind_the_launcher() {
    let launch = Launch {
        adapter: Some("delve".into()),
        runtime: Some("/ide/dlv".into()),
        args: ["--listen=127.0.0.1:41001", "exec", "./app"]
            .map(str::to_owned)
            .to_vec()
            .into(),
        ..Launch::default()
    };
    let plan = plan(&launch, &Facts::default(), &injection()).unwrap();
    assert_eq!(
        plan.patch.jetbrains.unwrap().prepend_args,
        ["@launch", SOCKET, "/ide/dlv"]
    );
    assert_eq!(plan.local.ports, [41001]);
}

#[test]
fn what_cannot_join_is_refused_in_words() {
    let setuid = {
        let mut facts = dynamic();
        facts.executable.as_mut().unwrap().setuid = true;
        facts
    };
    let arm = executable(FileType::OtherMachine("aarch64".into()));
    let musl = executable(FileType::Dynamic(CLibrary::Musl));
    for (raw, facts, words) in [
        (json!({"type": "run", "program": "/a"}), &setuid, "rights"),
        (json!({"type": "run", "program": "/a"}), &arm, "aarch64"),
        (json!({"type": "lldb", "program": "/a"}), &fixed(), "static"),
        (json!({"type": "lldb-dap", "program": "/a"}), &musl, "musl"),
        (json!({"type": "gdb", "program": "/a"}), &fixed(), "static"),
        (
            json!({"type": "cppdbg", "program": "/a", "MIMode": "lldb"}),
            &fixed(),
            "static",
        ),
        (
            json!({"type": "cppvsdbg", "program": "/a"}),
            &dynamic(),
            "Windows",
        ),
        (
            json!({"type": "run", "program": "sudo", "args": ["/a"]}),
            &dynamic(),
            "sudo",
        ),
        (
            json!({"type": "run", "program": "/usr/bin/kubectl"}),
            &dynamic(),
            "another machine",
        ),
        (
            json!({"type": "debugpy", "python": "docker://image/python"}),
            &dynamic(),
            "machine",
        ),
        (
            json!({"type": "docker", "platform": "node"}),
            &dynamic(),
            "Docker",
        ),
    ] {
        let refusal = plan(&launch(raw.clone()), facts, &injection()).unwrap_err();
        assert!(refusal.message.contains(words), "{raw}: {refusal}");
        assert!(!refusal.help.is_empty(), "{raw}");
    }
}

#[test]
fn who_debugs_what_no_launcher_reaches_is_told_what_to_do() {
    let go = {
        let mut facts = fixed();
        facts.executable.as_mut().unwrap().go = true;
        facts
    };
    let musl = executable(FileType::Dynamic(CLibrary::Musl));
    for (raw, facts, build, debugger) in [
        (json!({"type": "lldb"}), &fixed(), "dynamically", "cppdbg"),
        (json!({"type": "lldb-dap"}), &musl, "glibc", "cppdbg"),
        (json!({"type": "gdb"}), &fixed(), "dynamically", "cppdbg"),
        (json!({"type": "lldb"}), &go, "delve", "cppdbg"),
        (json!({"type": "coreclr"}), &fixed(), "", "PublishAot"),
        (json!({"type": "coreclr"}), &musl, "glibc", "linux-musl"),
    ] {
        let mut raw = raw;
        raw["program"] = "/a".into();
        let refusal = plan(&launch(raw.clone()), facts, &injection()).unwrap_err();
        for words in [build, debugger, "mirrord-server exec -- PROGRAM"] {
            assert!(refusal.help.contains(words), "{raw}: {}", refusal.help);
        }
    }
}

#[test]
fn a_container_is_given_the_session_or_refused_in_words() {
    let run = |program: &str, args: &[&str]| {
        let raw = json!({"type": "run", "program": program, "args": args});
        plan(&launch(raw.clone()), &Facts::default(), &injection()).map(|plan| apply(&raw, &plan))
    };
    let got = run(
        "/usr/bin/docker",
        &["--log-level", "info", "run", "--rm", "image", "cmd"],
    );
    let got = got.unwrap();
    let expected = json!([
        "--log-level",
        "info",
        "run",
        "-e",
        format!("LD_PRELOAD={LAYER}"),
        "-e",
        format!("MIRRORD_SUPERVISOR={SOCKET}"),
        "-e",
        "MIRRORD_LAUNCH_TOKEN=70cafe",
        "-v",
        format!("{LAYER}:{LAYER}:ro"),
        "-v",
        "/run/user/1000/mirrord/s1:/run/user/1000/mirrord/s1",
        "--network=host",
        "--rm",
        "image",
        "cmd",
    ]);
    assert_eq!(got["args"], expected);
    assert!(
        got.get("env").is_none(),
        "the engine's client does not join: {got}"
    );

    let user = run(
        "podman",
        &["run", "--env=LD_PRELOAD=/mine.so", "--net", "host", "image"],
    )
    .unwrap();
    assert!(
        user.to_string()
            .contains(&format!("--env=LD_PRELOAD={LAYER}:/mine.so")),
        "{user}"
    );

    for (program, args) in [
        ("docker", &["exec", "-it", "db", "sh"][..]),
        ("docker", &["compose", "up"]),
        ("docker-compose", &["up"]),
        ("docker", &["-H", "tcp://x", "run", "image"]),
        ("podman", &["run", "--network=bridge", "image"]),
        ("docker run --rm image", &[]),
    ] {
        let refusal = run(program, args).unwrap_err();
        assert!(!refusal.help.is_empty(), "{program} {args:?}: {refusal}");
    }
    let raw = json!({"type": "run", "program": "docker", "args": ["build", "."]});
    assert_eq!(planned(&raw, &Facts::default()).decision, Decision::Skip);
}

/// Any configuration whatever, with the fields that the table looks at filled with anything.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "@launch",
            "LD_PRELOAD=x",
            "docker run x",
            "-e",
            "run",
            "/a~b/c"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[A-Za-z/~_]{1,6}|name|value|text|port", inner, 0..5)
                .prop_map(|members| members
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
        ]
    })
}

fn any_launch() -> impl Strategy<Value = Value> {
    let types: Vec<&str> = table::adapters()
        .flat_map(|row| row.types.iter().copied().chain([row.name]))
        .collect();
    let fields = [
        "env",
        "environment",
        "program",
        "args",
        "runtimeExecutable",
        "runtimeArgs",
        "python",
        "setupCommands",
        "autorun",
        "dlvToolPath",
        "port",
        "target",
        "MIMode",
        "command",
    ];
    let members =
        prop::collection::hash_map(prop::sample::select(fields.to_vec()), anything(), 0..6);
    (prop::sample::select(types), members).prop_map(|(kind, members)| {
        let mut raw = json!({"type": kind});
        for (name, value) in members {
            raw[name] = value;
        }
        raw
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_patch_applies_and_applies_only_once(raw in any_launch(), is_static: bool) {
        let facts = if is_static { fixed() } else { dynamic() };
        if let Ok(first) = plan(&launch(raw.clone()), &facts, &injection()) {
            let once = apply(&raw, &first);
            if let Ok(second) = plan(&launch(once.clone()), &facts, &injection()) {
                prop_assert_eq!(apply(&once, &second), once);
            } else {
                prop_assert!(false, "refused what it made itself: {}", once);
            }
        }
    }
}
