//! Programs that somebody else starts, with a launch's token in their environment.

use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::{
    bed::{Bed, TOKEN_TEXT, eventually, finish, layer},
    runner::Case,
};

/// All of them.
pub const ALL: &[Case] = &[
    ("join_a_c_program", join_a_c_program),
    ("join_a_musl_program", join_a_musl_program),
    ("join_python_and_node", join_python_and_node),
    ("join_a_go_program_with_cgo", join_a_go_program_with_cgo),
    ("join_static_programs_by_the_prefix", join_static_programs),
    ("join_below_gdb", join_below_gdb),
    ("join_many_trees_with_one_token", join_many_trees),
    ("join_once_more_gives_the_variables_again", join_once_more),
    ("join_is_refused_without_the_token", join_is_refused),
    ("join_of_a_gone_session_is_inert", join_of_a_gone_session),
    ("join_of_another_users_session", join_of_another_users),
    (
        "join_of_silent_clients_stops_nobody",
        join_of_silent_clients,
    ),
    (
        "join_with_another_programs_listener",
        join_with_another_programs_listener,
    ),
];

const SAID: &str = "getenv=pod main=pod own=kept\npod=from the pod gone=(null) token=(null)\n\
                    child=changed pod=\n";

fn join_a_c_program() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let text = run(&mut bed.launched(&program, &["/remote/quick/c"]));
    assert_eq!(text, format!("{SAID}opened\n"));
    assert!(bed.remote().join("c").exists());
}

fn join_a_musl_program() {
    let bed = Bed::for_launches();
    let program = crate::layer_cases::compile_with_musl(&bed, "environment");
    let text = run(&mut bed.launched(&program, &["/remote/quick/musl"]));
    assert_eq!(text, format!("{SAID}opened\n"));
    assert!(bed.remote().join("musl").exists());
}

fn join_python_and_node() {
    let bed = Bed::for_launches();
    let python = "import os; e = os.environ; print(e['SHARED'], e['POD_VALUE'], 'Gone' in e, \
                  'MIRRORD_LAUNCH_TOKEN' in e); open('/remote/quick/py', 'x'); \
                  os.system('echo child=$SHARED')";
    let text = run(&mut bed.launched(&python3(), &["-c", python]));
    assert_eq!(text, "pod from the pod False False\nchild=pod\n");
    let node = "const e = process.env; console.log(e.SHARED, e.POD_VALUE, 'Gone' in e, \
                'MIRRORD_LAUNCH_TOKEN' in e); require('fs').openSync('/remote/quick/node', 'wx'); \
                process.stdout.write(require('child_process').execSync('echo child=$SHARED'))";
    let text = run(&mut bed.launched("node".as_ref(), &["-e", node]));
    assert_eq!(text, "pod from the pod false false\nchild=pod\n");
    for name in ["py", "node"] {
        assert!(bed.remote().join(name).exists(), "{name}");
    }
}

fn join_a_go_program_with_cgo() {
    let bed = Bed::for_launches();
    for flags in ["", "-s -w -buildid="] {
        let program = go(&bed, true, flags);
        let name = format!("/remote/quick/cgo{}", flags.len());
        let text = run(&mut bed.launched(&program, &[&name, "", "a b"]));
        let said = "shared=pod pod=from the pod gone= token= comm=with-cgo";
        assert_eq!(text, format!("{said} args={name}||a b\nopened\n"));
    }
}

fn join_static_programs() {
    let bed = Bed::for_launches();
    let program = go(&bed, false, "");
    let text = run(&mut bed.prefixed(&program, &["/remote/quick/go"]));
    let said = "shared=pod pod=from the pod gone= token= comm=without-cgo";
    assert_eq!(text, format!("{said} args=/remote/quick/go\nopened\n"));
    let program = bed.compile("environment", &["-static"]);
    let text = run(&mut bed.prefixed(&program, &["/remote/quick/static"]));
    assert_eq!(text, format!("{SAID}opened\n"));
    // With the layer in the launcher itself, as when a debugger gives both the same environment.
    let mut both = bed.prefixed(&program, &["/remote/quick/both"]);
    let text = run(both.env("LD_PRELOAD", layer()));
    assert_eq!(text, format!("{SAID}opened\n"));
}

fn join_below_gdb() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-batch", "-nx", "-iex", "set debuginfod enabled off"]);
    for (name, value) in bed.variables() {
        gdb.arg("-ex")
            .arg(format!("set environment {name} {value}"));
    }
    for command in ["break system", "run", "continue"] {
        gdb.args(["-ex", command]);
    }
    gdb.arg("--args").arg(&program).arg("/remote/quick/gdb");
    gdb.env("SHARED", "local").env("OWN", "kept");
    let text = run(gdb.stdin(Stdio::null()).stderr(Stdio::null()));
    assert!(text.contains("getenv=pod main=pod own=kept"), "{text}");
    assert!(text.contains("Breakpoint 1, "), "{text}");
    assert!(
        text.contains("opened") && text.contains("exited normally"),
        "{text}"
    );
    // A Go program is executed once more, which a debugger follows.
    let program = go(&bed, true, "");
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-batch", "-nx", "-iex", "set debuginfod enabled off"]);
    for (name, value) in bed.variables() {
        gdb.arg("-ex")
            .arg(format!("set environment {name} {value}"));
    }
    for command in ["break main.main", "run", "continue"] {
        gdb.args(["-ex", command]);
    }
    gdb.arg("--args").arg(&program).arg("/remote/quick/gdb-go");
    let text = run(gdb.stdin(Stdio::null()).stderr(Stdio::null()));
    assert!(text.contains("hit Breakpoint 1, main.main"), "{text}");
    assert!(text.contains("shared=pod pod=from the pod"), "{text}");
    assert!(text.contains("opened"), "{text}");
}

fn join_many_trees() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let children: Vec<_> = (0..12)
        .map(|at| {
            let file = format!("/remote/quick/tree{at}");
            let script = format!("exec {} {file}", program.display());
            let mut command = match at % 2 {
                0 => bed.launched(&program, &[&file]),
                _ => bed.launched("/bin/sh".as_ref(), &["-c", &script]),
            };
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        assert_eq!(finish(child), format!("{SAID}opened\n"));
    }
    assert_eq!(std::fs::read_dir(bed.remote()).unwrap().count(), 12);
}

/// A debug adapter that is in the session itself gives its debuggee the launch's variables again.
fn join_once_more() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let script = format!(
        "MIRRORD_LAUNCH_TOKEN={TOKEN_TEXT} SHARED=mine exec {}",
        program.display()
    );
    let text = run(&mut bed.launched("/bin/sh".as_ref(), &["-c", &script]));
    assert_eq!(text, SAID);
    let script = format!("SHARED=mine exec {}", program.display());
    let text = run(&mut bed.launched("/bin/sh".as_ref(), &["-c", &script]));
    assert!(text.starts_with("getenv=mine main=mine"), "{text}");
}

fn join_is_refused() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let other = TOKEN_TEXT.replacen('5', "4", 1);
    for token in [other.as_str(), "", "5a5a"] {
        for mut command in [
            bed.launched(&program, &["/remote/quick/no"]),
            bed.prefixed(&program, &["/remote/quick/no"]),
        ] {
            // It runs on this machine, where there is no such folder.
            let output = command.env("MIRRORD_LAUNCH_TOKEN", token).output().unwrap();
            let said = runs_plain(&output);
            assert!(said.contains("the session refused it"), "{said}");
        }
    }
    let mut command = bed.launched(&program, &["/remote/quick/no"]);
    let said = runs_plain(&command.env_remove("MIRRORD_LAUNCH_TOKEN").output().unwrap());
    assert!(said.contains("the session refused it"), "{said}");
    assert!(!bed.remote().join("no").exists());
}

fn join_of_a_gone_session() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let refusing = bed.dir.path().join("refusing");
    drop(std::os::unix::net::UnixListener::bind(&refusing).unwrap());
    for socket in [Path::new("/no/such/socket"), &refusing] {
        let mut prefixed = bed.launched(&std::env::current_exe().unwrap(), &["join"]);
        prefixed.arg(socket).arg(&program).arg("/remote/quick/no");
        prefixed.env_remove("LD_PRELOAD");
        for mut command in [bed.launched(&program, &["/remote/quick/no"]), prefixed] {
            command.env("MIRRORD_SUPERVISOR", socket);
            let said = runs_plain(&command.output().unwrap());
            assert!(said.contains("is over"), "{said}");
            let output = command
                .env("MIRRORD_WITHOUT_SESSION", "stop")
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(126), "{output:?}");
            assert_eq!(output.stdout, b"");
            assert_eq!(output.stderr.iter().filter(|b| **b == b'\n').count(), 1);
        }
    }
}

fn join_of_another_users() {
    if !rustix::process::getuid().is_root() {
        println!("   (needs root, to be two users)");
        return;
    }
    // The session does not take programs of others.
    let bed = Bed::for_launches_of(1000);
    let program = bed.compile("environment", &[]);
    for path in [
        bed.dir.path().to_owned(),
        bed.dir.path().join("supervisor.sock"),
    ] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    }
    let copy = bed.dir.path().join("layer.so");
    std::fs::copy(layer(), &copy).unwrap();
    let mut command = bed.launched(&program, &["/remote/quick/no"]);
    command.env("LD_PRELOAD", &copy).uid(1001).gid(1001);
    let said = runs_plain(&command.output().unwrap());
    assert!(said.contains("the session refused it"), "{said}");
    // Nor does a program join what another user listens for.
    let folder = bed.dir.path().join("theirs");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    let socket = folder.join("socket");
    let own = bed.dir.path().join("listener");
    std::fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    let mut listener = Command::new(own)
        .arg("listen")
        .arg(&socket)
        .uid(1000)
        .gid(1000)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("a socket", || socket.exists().then_some(()));
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o777)).unwrap();
    let said = runs_plain(&command.env("MIRRORD_SUPERVISOR", &socket).output().unwrap());
    assert!(said.contains("belongs to another user"), "{said}");
    drop(listener.stdin.take());
    listener.wait().unwrap();
}

fn join_of_silent_clients() {
    let bed = Bed::for_launches();
    let program = bed.compile("environment", &[]);
    let socket = bed.dir.path().join("supervisor.sock");
    let mut silent: Vec<_> = (0..20)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    for (at, client) in silent.iter_mut().enumerate() {
        client.write_all(&vec![1; at]).unwrap();
    }
    let mut flood = UnixStream::connect(&socket).unwrap();
    flood.set_nonblocking(true).unwrap();
    while flood.write(&[0xff; 65536]).is_ok() {}
    let begun = Instant::now();
    let text = run(&mut bed.launched(&program, &["/remote/quick/one"]));
    assert_eq!(text, format!("{SAID}opened\n"));
    assert!(begun.elapsed() < Duration::from_secs(3));
    // What was said was no request, and was refused.
    let mut answer = Vec::new();
    silent[1].read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"r");
    // A token that is shown gives nothing but the right to hand a listener over.
    let mut honest = UnixStream::connect(&socket).unwrap();
    honest
        .write_all(&[&[1, 1][..], &[0x5a; 32]].concat())
        .unwrap();
    let mut byte = [0];
    honest.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"a");
    honest.write_all(b"x").unwrap();
    assert_eq!(honest.read(&mut byte).unwrap(), 0);
}

/// The listener of a process that did not ask for it is not served, and that process is stopped
/// rather than left with calls that all fail.
fn join_with_another_programs_listener() {
    let bed = Bed::for_launches();
    let mut forger = Command::new(std::env::current_exe().unwrap());
    forger
        .arg("forge")
        .arg(bed.dir.path().join("supervisor.sock"));
    assert_eq!(run(&mut forger), "the other one was killed\n");
    // The session goes on.
    let program = bed.compile("environment", &[]);
    let text = run(&mut bed.launched(&program, &["/remote/quick/one"]));
    assert_eq!(text, format!("{SAID}opened\n"));
}

/// It ran as if there had been no session, and said why in one line; what it said.
fn runs_plain(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(
        stdout.starts_with("getenv=local main=local own=kept\npod=(null) gone=1 token=(null)\n")
            && stdout.ends_with("failed\n"),
        "{output:?}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// The interpreter itself, not a script that looks for it.
fn python3() -> PathBuf {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable, end='')"])
        .output()
        .expect("Python: apt-get install python3");
    String::from_utf8(asked.stdout).unwrap().into()
}

fn go(bed: &Bed, cgo: bool, flags: &str) -> PathBuf {
    let name = if cgo { "with-cgo" } else { "without-cgo" };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/environment.go");
    let folder = bed.dir.path().join(format!("source-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut text = std::fs::read_to_string(source).unwrap();
    if cgo {
        text = text.replacen("import (", "import \"C\"\n\nimport (", 1);
    }
    std::fs::write(folder.join("main.go"), text).unwrap();
    let program = bed.dir.path().join(name);
    let built = Command::new("go")
        .args(["build", "-ldflags", flags, "-o"])
        .arg(&program)
        .arg(folder.join("main.go"))
        .env("CGO_ENABLED", if cgo { "1" } else { "0" })
        .env("GOFLAGS", "-buildvcs=false")
        .env("GO111MODULE", "off")
        .status()
        .expect("a Go compiler");
    assert!(built.success());
    program
}

fn run(command: &mut Command) -> String {
    finish(command.stdout(Stdio::piped()).spawn().unwrap())
}
