//! Each debug adapter with a launch.json as its documentation shows it: the patch applied gives
//! the expected object, and nothing else of it changed.

mod common;

use common::{LAUNCHER, SOCKET, apply, dynamic, fixed, launch, patched, planned, variables, with};
use mirrord_editor_protocol::launch::Decision;
use mirrord_launch::{Facts, plan};
use pretty::assert_same;
use serde_json::{Value, json};

/// Comparison that shows both sides.
mod pretty {
    use serde_json::Value;

    pub fn assert_same(got: &Value, expected: &Value) {
        assert!(got == expected, "got\n{got:#}\nexpected\n{expected:#}");
    }
}

/// The launch with our variables as members of `env`.
fn with_object(raw: &Value) -> Value {
    let env = raw.get("env").cloned().unwrap_or_else(|| json!({}));
    with(raw.clone(), json!({"env": with(env, variables(""))}))
}

#[test]
fn node_keeps_its_variables_in_an_object() {
    let raw = json!({
        "type": "pwa-node", "request": "launch", "name": "Launch Program",
        "skipFiles": ["<node_internals>/**"], "program": "/work/app.js",
        "env": {"PORT": "3000"}, "runtimeArgs": ["--inspect-brk=0.0.0.0:9230"],
        "attachSimplePort": 9231, "console": "integratedTerminal",
    });
    assert_same(&patched(&raw, &dynamic()), &with_object(&raw));
    let local = planned(&raw, &dynamic()).local;
    assert_eq!(local.ports, [9230, 9231]);
    assert_eq!(local.processes, ["which"]);
}

#[test]
fn a_static_runtime_of_node_gets_the_launcher_in_front() {
    let raw = json!({
        "type": "node", "request": "launch", "name": "x", "program": "/work/app.js",
        "runtimeExecutable": "/opt/bun", "runtimeArgs": ["run"],
    });
    let expected = with(
        with_object(&raw),
        json!({
            "runtimeExecutable": LAUNCHER,
            "runtimeArgs": ["@launch", SOCKET, "/opt/bun", "run"],
        }),
    );
    assert_same(&patched(&raw, &fixed()), &expected);
}

#[test]
fn a_javascript_terminal_carries_the_variables() {
    let raw = json!({
        "type": "node-terminal", "request": "launch", "name": "t", "command": "npm start",
    });
    assert_same(&patched(&raw, &Facts::default()), &with_object(&raw));
}

#[test]
fn children_and_browsers_are_left_alone() {
    for raw in [
        json!({"type": "pwa-node", "request": "launch", "name": "c", "__parentId": "1"}),
        json!({"type": "pwa-chrome", "request": "launch", "name": "c", "url": "http://x"}),
        json!({"type": "extensionHost", "request": "launch", "name": "c"}),
        json!({"type": "php", "request": "launch", "name": "Listen for Xdebug", "port": 9003}),
    ] {
        let plan = planned(&raw, &dynamic());
        assert_eq!(plan.decision, Decision::Skip, "{raw}");
        assert!(!plan.reason.is_empty());
        assert_same(&apply(&raw, &plan), &raw);
    }
}

#[test]
fn attaching_is_answered_unchanged_with_a_reason() {
    for kind in [
        "debugpy", "go", "pwa-node", "cppdbg", "java", "coreclr", "lldb",
    ] {
        let raw = json!({
            "type": kind, "request": "attach", "name": "a", "port": 5678, "processId": 1,
        });
        let plan = planned(&raw, &dynamic());
        assert_eq!(plan.decision, Decision::Skip);
        assert!(plan.reason.contains("attach"), "{}", plan.reason);
        assert_same(&apply(&raw, &plan), &raw);
    }
}

#[test]
fn python_keeps_its_variables_in_an_object() {
    let raw = json!({
        "name": "Python: Flask", "type": "debugpy", "request": "launch", "module": "flask",
        "env": {"FLASK_APP": "app.py"}, "args": ["run", "--port", "8000"], "jinja": true,
        "listen": {"host": "127.0.0.1", "port": 5678},
    });
    assert_same(&patched(&raw, &dynamic()), &with_object(&raw));
    let ports = planned(&raw, &dynamic()).local.ports;
    assert_eq!(
        ports,
        [5678],
        "the program's own --port is not the debugger's"
    );
}

#[test]
fn a_static_python_is_started_by_the_launcher() {
    let raw = json!({
        "name": "x", "type": "python", "request": "launch", "program": "/a.py",
        "python": ["/opt/python", "-X", "dev"],
    });
    let words = json!([LAUNCHER, "@launch", SOCKET, "/opt/python", "-X", "dev"]);
    let expected = with(with_object(&raw), json!({"python": words}));
    assert_same(&patched(&raw, &fixed()), &expected);
}

#[test]
fn delve_stands_behind_the_launcher_always() {
    let raw = json!({
        "name": "Launch Package", "type": "go", "request": "launch", "mode": "auto",
        "program": "/work/cmd", "dlvToolPath": "/home/me/go/bin/dlv", "env": {"A": "1"},
    });
    let mut expected = with(with_object(&raw), json!({"dlvToolPath": LAUNCHER}));
    expected["env"]["MIRRORD_STAND_FOR"] = json!("/home/me/go/bin/dlv");
    assert_same(&patched(&raw, &Facts::default()), &expected);

    let plan = planned(&raw, &Facts::default());
    assert_eq!(plan.argv.unwrap().prefix, [LAUNCHER, "@launch", SOCKET]);
    assert!(
        !plan.env.set.contains_key("MIRRORD_STAND_FOR"),
        "the prefix names it"
    );
}

#[test]
fn delve_that_runs_already_is_refused_in_words() {
    for more in [
        json!({"port": 2345}),
        json!({"debugAdapter": "legacy"}),
        json!({"asRoot": true}),
    ] {
        let raw = with(
            json!({"type": "go", "request": "launch", "name": "x"}),
            more,
        );
        let refusal = plan(&launch(raw), &Facts::default(), &common::injection()).unwrap_err();
        assert!(!refusal.help.is_empty(), "{refusal}");
    }
}

#[test]
fn java_keeps_its_variables_in_an_object() {
    let raw = json!({
        "type": "java", "name": "Main", "request": "launch", "mainClass": "com.example.Main",
        "vmArgs": "-Xmx1g -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005",
    });
    assert_same(&patched(&raw, &dynamic()), &with_object(&raw));
    assert_eq!(planned(&raw, &dynamic()).local.ports, [5005]);
}

#[test]
fn cpptools_keeps_pairs_in_environment() {
    let raw = json!({
        "name": "(gdb) Launch", "type": "cppdbg", "request": "launch", "program": "/work/app",
        "args": [], "environment": [{"name": "A", "value": "1"}], "MIMode": "gdb",
        "setupCommands": [{"description": "pretty", "text": "-enable-pretty-printing"}],
    });
    let expected = with(
        raw.clone(),
        json!({"environment": [
            {"name": "A", "value": "1"},
            {"name": "LD_PRELOAD", "value": common::LAYER},
            {"name": "MIRRORD_LAUNCH_TOKEN", "value": "70cafe"},
            {"name": "MIRRORD_SUPERVISOR", "value": SOCKET},
        ]}),
    );
    assert_same(&patched(&raw, &dynamic()), &expected);

    let text =
        format!("-interpreter-exec console \"set exec-wrapper {LAUNCHER} @launch {SOCKET}\"");
    let expected = with(
        expected,
        json!({"setupCommands": [
            {"description": "pretty", "text": "-enable-pretty-printing"},
            {"text": text},
        ]}),
    );
    assert_same(&patched(&raw, &fixed()), &expected);
}

#[test]
fn a_dynamic_go_program_in_gdb_is_not_executed_once_more() {
    let raw = json!({"type": "cppdbg", "request": "launch", "name": "x", "program": "/work/app"});
    let mut facts = dynamic();
    facts.executable.as_mut().unwrap().go = true;
    assert!(patched(&raw, &facts)["setupCommands"][0]["text"].is_string());
}

#[test]
fn lldb_dap_keeps_words() {
    let words = json!([
        "A=1=2",
        format!("LD_PRELOAD={}", common::LAYER),
        "MIRRORD_LAUNCH_TOKEN=70cafe",
        format!("MIRRORD_SUPERVISOR={SOCKET}"),
    ]);
    // An object is what users write by mistake, and what lldb-dap ignores in silence.
    for env in [json!(["A=1=2"]), json!({"A": "1=2"})] {
        let raw = json!({
            "type": "lldb-dap", "request": "launch", "name": "x", "program": "/work/app", "env": env,
        });
        let expected = with(raw.clone(), json!({"env": words}));
        assert_same(&patched(&raw, &dynamic()), &expected);
    }
}

#[test]
fn the_other_adapters_keep_an_object() {
    for raw in [
        json!({"type": "lldb", "request": "launch", "name": "x", "program": "/work/app",
               "cargo": {"args": ["build"]}, "env": {"RUST_LOG": "debug"}}),
        json!({"type": "gdb", "request": "launch", "name": "x", "program": "/work/app"}),
        json!({"type": "gdb", "request": "launch", "name": "x", "target": "/work/app"}),
        json!({"type": "coreclr", "request": "launch", "name": "x", "program": "/work/app.dll"}),
        json!({"type": "rdbg", "request": "launch", "name": "x", "script": "/work/app.rb"}),
        json!({"type": "php", "request": "launch", "name": "x", "program": "/work/app.php"}),
        json!({"type": "run", "name": "x", "program": "/work/app", "args": ["--port", "80"]}),
        json!({"type": "task", "name": "x", "command": "/work/app"}),
        json!({"type": "terminal", "name": "x"}),
        json!({"type": "test", "name": "x", "program": "/work/app"}),
    ] {
        assert_same(&patched(&raw, &dynamic()), &with_object(&raw));
    }
}

#[test]
fn a_static_target_of_native_debug_gets_an_exec_wrapper() {
    let raw = json!({"type": "gdb", "request": "launch", "name": "x", "target": "./app",
                     "autorun": ["set print pretty"]});
    let wrapper = format!("set exec-wrapper {LAUNCHER} @launch {SOCKET}");
    let expected = with(
        with_object(&raw),
        json!({"autorun": ["set print pretty", wrapper]}),
    );
    assert_same(&patched(&raw, &fixed()), &expected);
}

#[test]
fn a_static_program_that_is_just_run_stands_behind_the_launcher() {
    let raw = json!({"type": "run", "name": "x", "program": "/work/a b", "args": ["one", "two"]});
    let expected = with(
        with_object(&raw),
        json!({"program": LAUNCHER, "args": ["@launch", SOCKET, "/work/a b", "one", "two"]}),
    );
    assert_same(&patched(&raw, &fixed()), &expected);

    let raw =
        json!({"type": "run", "name": "x", "program": "/work/a b", "args": "one 'two three'"});
    let line = format!("@launch {SOCKET} '/work/a b' one 'two three'");
    let expected = with(
        with_object(&raw),
        json!({"program": LAUNCHER, "args": line}),
    );
    assert_same(&patched(&raw, &fixed()), &expected);
}

#[test]
fn php_tells_the_port_that_its_program_connects_to() {
    let raw = json!({"type": "php", "request": "launch", "name": "x", "program": "/a.php"});
    assert_eq!(planned(&raw, &dynamic()).local.ports, [9003]);
    let raw = with(raw, json!({"port": 9010}));
    assert_eq!(planned(&raw, &dynamic()).local.ports, [9010]);
}

#[test]
fn an_unknown_debugger_is_served_with_a_warning() {
    let raw = json!({"type": "dart", "request": "launch", "name": "x", "program": "main.dart"});
    assert_same(&patched(&raw, &Facts::default()), &with_object(&raw));
    assert!(planned(&raw, &Facts::default()).warnings[0].contains("dart"));
}
