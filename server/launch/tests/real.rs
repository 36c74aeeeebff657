//! Real debuggers started from a patched launch alone, as VS Code starts them. A small library and
//! a small launcher stand for the session: they tell that they were reached.

mod common;
mod dap;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{apply, launch};
use dap::Dap;
use mirrord_launch::{Facts, Injection, plan, subject};
use serde_json::{Value, json};

/// A folder with the stand-ins of the session.
struct Bed {
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Bed {
        let bed = Bed {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let source = format!(
            r#"#include <stdio.h>
               #include <stdlib.h>
               __attribute__((constructor)) static void start(void) {{
                   const char *token = getenv("MIRRORD_LAUNCH_TOKEN");
                   FILE *log = fopen("{}", "a");
                   if (log) {{ fprintf(log, "%s\n", token ? token : "none"); fclose(log); }}
               }}"#,
            bed.path("layer.log").display()
        );
        std::fs::write(bed.path("layer.c"), source).expect("written");
        bed.build("layer.c", "libstub_layer.so", &["-shared", "-fPIC"]);
        // What `mirrord-server` does in front of a program, without a session.
        let script = format!(
            "#!/bin/sh\n\
             if [ \"$1\" = @launch ]; then shift 2; else set -- \"$MIRRORD_STAND_FOR\" \"$@\"; fi\n\
             unset MIRRORD_STAND_FOR\n\
             echo \"$1\" >> '{}'\n\
             THROUGH=the-launcher exec \"$@\"\n",
            bed.path("launcher.log").display()
        );
        std::fs::write(bed.path("a launcher"), script).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bed.path("a launcher"), mode).expect("a mode");
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn build(&self, source: &str, out: &str, options: &[&str]) {
        let mut command = Command::new("cc");
        command
            .args(options)
            .arg("-g")
            .arg("-o")
            .arg(self.path(out));
        let status = command.arg(self.path(source)).status();
        assert!(status.expect("cc is installed").success());
    }

    /// The launch after its patch, with the facts that the daemon would gather.
    fn patched(&self, raw: &Value) -> Value {
        let launch = launch(raw.clone());
        let path = std::env::var_os("PATH");
        let facts = Facts {
            executable: subject(&launch).and_then(|name| {
                mirrord_launch::executable::facts(&name, path.as_deref(), Path::new("/"))
            }),
            ..Facts::default()
        };
        let injection = Injection {
            layer: self.text("libstub_layer.so"),
            socket: self.text("socket"),
            token: "70cafe".into(),
            launcher: self.text("a launcher"),
            unset: Vec::new(),
        };
        apply(raw, &plan(&launch, &facts, &injection).expect("served"))
    }
}

/// Debuggers from their package registries, installed once into the user's cache.
fn tools() -> PathBuf {
    let home = std::env::var_os("HOME").expect("HOME is set");
    let tools = Path::new(&home).join(".cache/mirrord-tests/tools");
    std::fs::create_dir_all(&tools).expect("a cache folder");
    tools
}

fn installed(file: &Path, command: &mut Command) {
    if file.is_file() {
        return;
    }
    let output = command.output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

/// The folder to import it from.
fn debugpy() -> PathBuf {
    let folder = tools().join("python");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "-q", "install", "debugpy==1.8.17", "--target"])
        .arg(&folder);
    installed(&folder.join("debugpy/__init__.py"), &mut pip);
    folder
}

fn delve() -> PathBuf {
    let folder = tools().join("bin");
    installed(
        &folder.join("dlv"),
        Command::new("go")
            .args(["install", "github.com/go-delve/delve/cmd/dlv@latest"])
            .env("GOBIN", &folder),
    );
    folder.join("dlv")
}

#[test]
fn debugpy_stops_in_a_program_that_got_the_variables_and_the_library() {
    let bed = Bed::new();
    let program = bed.text("app.py");
    let lines = "import os\ntoken = os.environ.get('MIRRORD_LAUNCH_TOKEN')\nmine = os.environ.get('MINE')\nprint(token)\n";
    std::fs::write(&program, lines).unwrap();
    let raw = json!({
        "type": "debugpy", "request": "launch", "name": "x", "program": program,
        "env": {"MINE": "kept"}, "console": "internalConsole",
    });
    let mut adapter = Command::new("python3");
    adapter.env("PYTHONPATH", debugpy());
    let mut dap = Dap::over_stdio(adapter.args(["-m", "debugpy.adapter"]));
    dap.launch(&bed.patched(&raw), &program, 4);
    assert_eq!(dap.evaluate("token"), "'70cafe'");
    assert_eq!(dap.evaluate("mine"), "'kept'");
    dap.finish();
    let log = bed.read("layer.log");
    assert!(!log.is_empty(), "the library was not loaded");
    assert!(log.lines().all(|line| line == "70cafe"), "{log}");
}

#[test]
fn delve_stops_in_a_program_that_got_the_variables_through_the_launcher() {
    let bed = Bed::new();
    let program = bed.text("main.go");
    let source = "package main\n\nimport \"os\"\n\nfunc main() {\n\
                  \ttoken := os.Getenv(\"MIRRORD_LAUNCH_TOKEN\")\n\
                  \tthrough := os.Getenv(\"THROUGH\")\n\tprintln(token, through)\n}\n";
    std::fs::write(&program, source).unwrap();
    std::fs::write(bed.path("go.mod"), "module app\n").unwrap();
    let dlv = delve();
    let raw = json!({
        "type": "go", "request": "launch", "name": "x", "mode": "debug",
        "program": bed.folder.path(), "dlvToolPath": dlv, "env": {"CGO_ENABLED": "0"},
    });
    let patched = bed.patched(&raw);
    // As the Go extension starts it: this executable, these variables, its own arguments.
    let mut adapter = Command::new(patched["dlvToolPath"].as_str().unwrap());
    for (name, value) in patched["env"].as_object().unwrap() {
        adapter.env(name, value.as_str().unwrap());
    }
    adapter.current_dir(bed.folder.path());
    let mut dap = Dap::over_tcp(adapter.args(["dap", "--listen=127.0.0.1:0"]));
    dap.launch(&patched, &program, 8);
    assert_eq!(dap.evaluate("token"), "\"70cafe\"");
    assert_eq!(dap.evaluate("through"), "\"the-launcher\"");
    dap.finish();
    assert_eq!(bed.read("launcher.log").trim(), dlv.to_str().unwrap());
}

#[test]
fn gdb_starts_a_static_program_through_the_launcher() {
    let bed = Bed::new();
    let source = "#include <stdio.h>\n#include <stdlib.h>\nint main(void) {\n\
                  puts(getenv(\"THROUGH\"));\nputs(getenv(\"MIRRORD_LAUNCH_TOKEN\"));\n\
                  fflush(stdout);\nreturn 0; }\n";
    std::fs::write(bed.path("app.c"), source).unwrap();
    bed.build("app.c", "app", &["-static"]);
    let raw = json!({
        "type": "cppdbg", "request": "launch", "name": "x", "program": bed.text("app"),
        "MIMode": "gdb", "environment": [],
    });
    let patched = bed.patched(&raw);
    // As cpptools tells gdb: its set-up commands, the variables, then the start.
    let mut script: Vec<String> = patched["setupCommands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["text"].as_str().unwrap().to_owned())
        .collect();
    for pair in patched["environment"].as_array().unwrap() {
        let (name, value) = (
            pair["name"].as_str().unwrap(),
            pair["value"].as_str().unwrap(),
        );
        script.push(format!(
            "-interpreter-exec console \"set env {name} {value}\""
        ));
    }
    let more = ["-break-insert main", "-exec-run"];
    script.extend(more.map(str::to_owned));
    let mut gdb = Command::new("gdb")
        .args(["-q", "-nx", "-i=mi"])
        .arg(patched["program"].as_str().unwrap())
        .env("DEBUGINFOD_URLS", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gdb is installed");
    let mut talk = dap::Lines::of(&mut gdb);
    talk.say(&script.join("\n"));
    talk.wait_for("breakpoint-hit");
    talk.say("-exec-continue");
    let printed = talk.wait_for("exited");
    talk.say("-gdb-exit");
    assert!(gdb.wait().unwrap().success());
    assert!(printed.contains("the-launcher"), "{printed}");
    assert!(printed.contains("70cafe"), "{printed}");
}
