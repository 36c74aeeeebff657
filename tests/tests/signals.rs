//! Signals, terminals and children behave as with the plain program.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mirrord_tests::pod::Pod;
use mirrord_tests::run::Running;
use mirrord_tests::{product, programs, run};

#[test]
fn signals_reach_the_program_and_its_answer_comes_out() {
    let pod = Pod::up("signals");
    for (signal, name) in [
        (libc::SIGTERM, "TERM"),
        (libc::SIGHUP, "HUP"),
        (libc::SIGUSR1, "USR1"),
        (libc::SIGINT, "INT"),
    ] {
        let script = format!(
            "trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let mut command = run::exec(&pod, &[], &["/bin/sh", "-c", &script]);
        let (running, _) = Running::start(&mut command, "ready");
        // SAFETY: plain kill(2) of our own child.
        assert_eq!(unsafe { libc::kill(running.child.id() as i32, signal) }, 0);
        let ended = running.finish();
        assert!(ended.stdout.contains(&format!("got {name}")), "{ended:?}");
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    }
}

/// The command on a terminal of its own, whose input is the pipe that it is given.
fn on_a_terminal(server: &Command) -> Command {
    let quoted: Vec<String> = std::iter::once(server.get_program())
        .chain(server.get_args())
        .map(|part| format!("'{}'", part.to_str().expect("UTF-8")))
        .collect();
    let mut command = Command::new("script");
    command.args(["-qec", &quoted.join(" "), "/dev/null"]);
    command.current_dir(server.get_current_dir().expect("a folder"));
    command.envs(
        server
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Runs the command on a terminal and presses Ctrl-C after this time.
fn interrupted_after(server: &Command, delay: Duration) -> std::process::Output {
    let mut child = on_a_terminal(server)
        .spawn()
        .expect("script(1) is installed");
    std::thread::sleep(delay);
    let mut keyboard = child.stdin.take().expect("piped");
    keyboard.write_all(b"\x03").expect("written");
    let output = child.wait_with_output().expect("waited");
    drop(keyboard);
    output
}

#[test]
fn ctrl_c_ends_a_session_also_while_it_starts() {
    let pod = Pod::up("interrupted");
    for milliseconds in [20, 40, 60, 80, 100, 150, 300] {
        let started = Instant::now();
        let server = run::exec(&pod, &["--steal"], &["/bin/sleep", "30"]);
        let output = interrupted_after(&server, Duration::from_millis(milliseconds));
        assert_eq!(
            output.status.code(),
            Some(130),
            "{milliseconds} ms: {output:?}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{milliseconds} ms"
        );
    }
}

#[test]
fn ctrl_c_in_the_demo_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().to_str().expect("UTF-8").to_owned();
    for milliseconds in [20, 60, 100, 150, 200, 300] {
        let mut demo = Command::new(product::server());
        demo.arg("demo").current_dir(folder.path());
        demo.env("XDG_RUNTIME_DIR", folder.path())
            .env("TMPDIR", folder.path());
        let output = interrupted_after(&demo, Duration::from_millis(milliseconds));
        // On a quick machine it may be done.
        let done = String::from_utf8_lossy(&output.stdout).contains("everything is as it should");
        assert_eq!(
            output.status.code(),
            Some(if done { 0 } else { 130 }),
            "{milliseconds} ms: {output:?}"
        );
        assert!(!done || milliseconds > 100, "nothing was interrupted");
        let sandboxes = folder.path().join("mirrord/sandboxes");
        let left: Vec<_> = std::fs::read_dir(sandboxes)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{milliseconds} ms: {left:?}");
        for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            assert!(!command.contains(&name), "{milliseconds} ms: {command}");
        }
    }
}

#[test]
fn a_terminal_stays_in_the_programs_hands() {
    let pod = Pod::up("terminal");
    // `script` gives it a terminal; the program must be in its foreground group and may read it.
    let server = run::exec(
        &pod,
        &[],
        &[
            "/bin/sh",
            "-c",
            "test -t 0 && ps -o stat= -p $$ | grep -q + && read line && echo got $line",
        ],
    );
    let mut command = on_a_terminal(&server);
    let mut child = command.spawn().expect("script(1) is installed");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(b"hello terminal\n")
        .expect("written");
    let output = child.wait_with_output().expect("waited");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("got hello terminal"), "{printed}");
}

#[test]
fn children_stay_in_the_session_also_with_a_clean_environment() {
    let pod = Pod::up("children");
    let script = "env -i /bin/cat /data/hello.txt; (cd /data && /usr/bin/env -i /bin/cat hello.txt); \
                  /bin/sh -c '/bin/cat /data/hello.txt &  wait'";
    let ended = run::finish(&mut run::exec(&pod, &[], &["/bin/sh", "-c", script]));
    assert_eq!(
        ended.stdout.matches("hello from a file in the pod").count(),
        3,
        "{ended:?}"
    );
}

#[test]
fn a_file_that_changes_in_the_pod_is_seen_within_a_second_while_it_is_held() {
    let pod = Pod::up("changes");
    let file = pod.path("/data/changing");
    std::fs::write(&file, "before").unwrap();
    // What counts is when a stale read began: a busy machine may keep the program from reading.
    let script = "import time\n\
        f = open('/data/changing', 'rb', buffering=0)\n\
        print('read', f.read().decode(), flush=True)\n\
        start = stale = time.time()\n\
        while time.time() - start < 30:\n\
        \x20   asked = time.time()\n\
        \x20   f.seek(0)\n\
        \x20   if f.read() == b'after, and longer': print('stale until', stale); break\n\
        \x20   stale = asked\n\
        \x20   time.sleep(0.02)\n";
    let mut command = run::exec(&pod, &[], &[programs::PYTHON, "-c", script]);
    let (running, line) = Running::start(&mut command, "read");
    assert_eq!(line, "read before");
    std::fs::write(&file, "after, and longer").unwrap();
    let written = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let ended = running.finish();
    let stale_until: f64 = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("stale until "))
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or_else(|| panic!("the change was never seen: {ended:?}"));
    assert!(
        stale_until - written.as_secs_f64() < 1.0,
        "seen within a second: {ended:?}"
    );
    assert_eq!(ended.status.signal(), None);
}

#[test]
fn a_program_that_is_to_be_skipped_sees_this_machine() {
    let pod = Pod::up("skipped");
    let config = pod.runtime().join("skip.json");
    std::fs::write(&config, r#"{"skip_processes": ["head"]}"#).unwrap();
    let options = ["--config", config.to_str().unwrap()];
    let script = "cat /data/hello.txt; head /data/hello.txt";
    let ended = run::finish(&mut run::exec(&pod, &options, &["/bin/sh", "-c", script]));
    assert_eq!(
        ended.stdout.matches("hello from a file in the pod").count(),
        1,
        "{ended:?}"
    );
    assert!(ended.stderr.contains("No such file"), "{ended:?}");
}

#[test]
fn a_session_inside_a_session_is_refused() {
    let pod = Pod::up("inside");
    let target = pod.target();
    let server = mirrord_tests::product::server();
    let argv = [
        server.to_str().unwrap(),
        "exec",
        "--target",
        &target,
        "--",
        "/bin/echo",
        "ran",
    ];
    let ended = run::finish(&mut run::exec(&pod, &[], &argv));
    assert!(
        !ended.status.success() && !ended.stdout.contains("ran"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("supervis"), "{ended:?}");
}
