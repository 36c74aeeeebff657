//! Bad input gets one clear error with the next step, an exit status that is not zero, and leaves
//! nothing half-started.

use std::os::unix::process::CommandExt;
use std::process::Command;

use mirrord_tests::pod::Pod;
use mirrord_tests::run::{self, Ended};
use mirrord_tests::{product, programs};

fn server(runtime: &std::path::Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(product::server());
    command
        .env("XDG_RUNTIME_DIR", runtime)
        // Whoever runs this may have a cluster.
        .env("KUBECONFIG", runtime.join("no-kubeconfig"))
        .current_dir(runtime)
        .args(arguments);
    run::finish(&mut command)
}

fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert_eq!(ended.stdout, "", "nothing ran: {ended:?}");
    for word in words {
        assert!(
            ended.stderr.contains(word),
            "{word:?} is not in {:?}",
            ended.stderr
        );
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

fn assert_nothing_left(runtime: &std::path::Path) {
    let sessions = std::fs::read_dir(runtime.join("mirrord")).map_or(0, |entries| {
        entries
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("session-"))
            .count()
    });
    assert_eq!(sessions, 0, "no session folder is left");
}

#[test]
fn targets_that_do_not_exist_say_what_to_do() {
    let runtime = tempfile::tempdir().unwrap();
    for (target, words) in [
        ("sandbox/nowhere", &["nowhere", "sandbox up"][..]),
        ("process/999999999", &["999999999"]),
        ("process/x", &["process/"]),
        (
            "pod/web",
            &["pod/web", "no cluster is configured", "KUBECONFIG"],
        ),
        ("web", &["sandbox/NAME", "process/PID"]),
    ] {
        let ended = server(
            runtime.path(),
            &["exec", "--target", target, "--", "/bin/echo", "ran"],
        );
        assert_refused(&ended, words);
    }
    let ended = server(runtime.path(), &["exec", "--", "/bin/echo", "ran"]);
    assert_refused(&ended, &["no target", "--target"]);
    assert_nothing_left(runtime.path());
}

#[test]
fn a_process_of_somebody_else_needs_root() {
    if product::is_root() {
        // Root may use every process; an ordinary user's run proves the refusal. Here the same
        // call is made as a user who has no right to process 1.
        let runtime = tempfile::tempdir_in("/tmp").unwrap();
        std::os::unix::fs::chown(runtime.path(), Some(54_321), Some(54_321)).unwrap();
        let mut command = Command::new(product::server());
        command
            .env("XDG_RUNTIME_DIR", runtime.path())
            .current_dir("/")
            .args(["exec", "--target", "process/1", "--", "/bin/echo", "ran"])
            .uid(54_321)
            .gid(54_321);
        assert_refused(&run::finish(&mut command), &["process/1", "root"]);
        return;
    }
    let runtime = tempfile::tempdir().unwrap();
    let ended = server(
        runtime.path(),
        &["exec", "--target", "process/1", "--", "/bin/echo", "ran"],
    );
    assert_refused(&ended, &["process/1", "root"]);
}

#[test]
fn a_bad_configuration_is_an_error_with_its_place() {
    let pod = Pod::up("config");
    for (name, text, words) in [
        (
            "a.json",
            "{\"feature\": {\"fs\": {\"mod\": \"read\"}}}",
            &["a.json:1:", "mod", "mode"][..],
        ),
        (
            "b.json",
            "{\"feature\": {\n  \"fs\": {\"local\": [\"(\"]}}}",
            &["b.json:2:"],
        ),
        (
            "c.yaml",
            "feature:\n  fs:\n    mode: sideways\n",
            &["c.yaml:3:", "sideways"],
        ),
        ("d.toml", "[feature.fs]\nmode = 7\n", &["d.toml:2:"]),
        ("e.json", "{\"feature\": ", &["e.json:1:"]),
    ] {
        let path = pod.runtime().join(name);
        std::fs::write(&path, text).unwrap();
        let options = ["--config", path.to_str().unwrap()];
        let ended = run::finish(&mut run::exec(&pod, &options, &["/bin/echo", "ran"]));
        assert_refused(&ended, words);
    }
    let options = ["--config", "/does/not/exist.json"];
    let ended = run::finish(&mut run::exec(&pod, &options, &["/bin/echo", "ran"]));
    assert_refused(&ended, &["/does/not/exist.json"]);
}

#[test]
fn a_program_that_does_not_exist_is_127_and_one_that_may_not_run_126() {
    let pod = Pod::up("programs");
    let ended = run::finish(&mut run::exec(&pod, &[], &["no-such-program-anywhere"]));
    assert_eq!(ended.status.code(), Some(127), "{ended:?}");
    let file = pod.runtime().join("not-executable");
    std::fs::write(&file, "").unwrap();
    let ended = run::finish(&mut run::exec(&pod, &[], &[file.as_os_str()]));
    assert_eq!(ended.status.code(), Some(126), "{ended:?}");
}

#[test]
fn without_fuse_whole_files_can_still_be_read_and_the_user_is_told() {
    const INSIDE: &str = "MRD_TEST_WITHOUT_FUSE";
    if std::env::var_os(INSIDE).is_none() {
        // This test once more, pod and all, in a mount namespace in which there is no /dev/fuse.
        // An ordinary user needs a user namespace for that, whose processes have no rights over
        // pods that were made outside it.
        let map: &[&str] = if product::is_root() {
            &["-m"]
        } else {
            &["-Um", "--map-current-user", "--keep-caps"]
        };
        let mut command = Command::new("unshare");
        command.args(map).args([
            "sh",
            "-c",
            "mount --bind /dev/null /dev/fuse && exec \"$@\"",
            "sh",
        ]);
        command
            .arg(std::env::current_exe().unwrap())
            .env(INSIDE, "yes");
        command.args([
            "--exact",
            "without_fuse_whole_files_can_still_be_read_and_the_user_is_told",
        ]);
        let ended = run::finish(&mut command);
        assert!(
            ended.status.success() && ended.stdout.contains("1 passed"),
            "{ended:?}"
        );
        return;
    }
    let pod = Pod::up("no-fuse");
    let ended = run::finish(&mut run::exec(&pod, &[], &["cat", "/data/hello.txt"]));
    assert!(
        ended.stdout.contains("hello from a file in the pod"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("FUSE"), "the user is told: {ended:?}");
}

#[test]
fn the_programs_exit_status_and_signal_come_out() {
    let pod = Pod::up("status");
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + 15)] {
        let ended = run::finish(&mut run::exec(&pod, &[], &["/bin/sh", "-c", script]));
        assert_eq!(ended.status.code(), Some(status), "{script}: {ended:?}");
    }
    let ended = run::inside(&pod, programs::named("shell"), &["env"]);
    assert!(ended.status.success());
}
