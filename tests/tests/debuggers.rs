//! Debuggers that we launch stop at a breakpoint in a supervised program, and it goes on.

use std::process::Command;

use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

#[test]
fn gdb_stops_in_a_program_that_reads_the_pods_files() {
    let pod = Pod::up("gdb");
    let program = programs::named("c").argv[0].to_str().unwrap().to_owned();
    let argv = [
        "gdb",
        "-q",
        "-batch",
        "-nx",
        "-iex",
        "set debuginfod enabled off",
        "-ex",
        "break content",
        "-ex",
        "run",
        "-ex",
        "backtrace",
        "-ex",
        "print path",
        "-ex",
        "continue",
        "-ex",
        "continue",
        "--args",
        &program,
        "files",
        "/data/hello.txt",
        "/data/sizes",
    ];
    let ended = run::finish(&mut run::exec(&pod, &[], &argv));
    assert!(ended.stdout.contains("Breakpoint 1, content"), "{ended:?}");
    assert!(
        ended.stdout.contains("#1 ") && ended.stdout.contains("main"),
        "a whole backtrace: {ended:?}"
    );
    assert!(ended.stdout.contains("\"/data/hello.txt\""), "{ended:?}");
    assert!(
        ended.stdout.contains("read /data/hello.txt: 29 bytes"),
        "it sees the pod: {ended:?}"
    );
    assert!(ended.stdout.contains("exited normally"), "{ended:?}");
}

#[test]
fn dlv_stops_in_a_static_go_program_that_reads_the_pods_files() {
    let dlv = delve();
    let pod = Pod::up("dlv");
    let program = programs::named("go-static").argv[0]
        .to_str()
        .unwrap()
        .to_owned();
    let script = pod.runtime().join("script");
    std::fs::write(
        &script,
        "break main.show\ncontinue\nargs\nstack 2\nclear 1\ncontinue\nexit\n",
    )
    .unwrap();
    let argv = [
        &dlv,
        "exec",
        "--allow-non-terminal-interactive=true",
        "--check-go-version=false",
        "--init",
        script.to_str().unwrap(),
        &program,
        "--",
        "files",
        "/data/hello.txt",
    ];
    let ended = run::finish(&mut run::exec(&pod, &[], &argv));
    assert!(ended.stdout.contains("main.show()"), "{ended:?}");
    assert!(
        ended.stdout.contains("read /data/hello.txt 29"),
        "it sees the pod: {ended:?}"
    );
}

/// Delve from the Go module proxy, built once beside the probe programs. Without it the test
/// fails: it is part of what is promised.
fn delve() -> String {
    let folder = programs::folder().join("delve");
    let dlv = folder.join("dlv");
    if !dlv.is_file() {
        let mut command = Command::new("go");
        command
            .args(["install", "github.com/go-delve/delve/cmd/dlv@latest"])
            .env("GOBIN", &folder)
            .env("GOPATH", programs::cache().join("go"))
            .env("GOCACHE", programs::cache().join("go-build"))
            .env("GOFLAGS", "-modcacherw");
        let output = command.output().expect("go is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    dlv.to_str().expect("UTF-8").to_owned()
}
