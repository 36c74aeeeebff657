//! How sandboxes start and end, and that nothing is left of them.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::{Home, again_as_ordinary_user, output, program, shell, until};
use mirrord_sandbox::addresses::{POD_V4, WEB_PORT};
use mirrord_sandbox::{DownOnDrop, HttpCall, Place, SandboxError, SandboxSpec, State};

fn kill(signal: &str, pid: u32) {
    assert!(
        Command::new("kill")
            .args([signal, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn sandboxes_stand_side_by_side_and_end_once() {
    let home = Home::new();
    let one = home.sandboxes.up(&SandboxSpec::new("one")).unwrap();
    let two = home.sandboxes.up(&SandboxSpec::new("two")).unwrap();
    for (sandbox, pod) in [(&one, "shop-one"), (&two, "shop-two")] {
        let answer = sandbox
            .client_http(&HttpCall::get((POD_V4, WEB_PORT), "/"))
            .unwrap();
        assert!(
            answer.text().starts_with(&format!("pod: {pod}\n")),
            "{}",
            answer.text()
        );
    }
    let again = home.sandboxes.up(&SandboxSpec::new("one"));
    assert!(matches!(again, Err(SandboxError::AlreadyUp(name)) if name == "one"));
    let listed = home.sandboxes.list().unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|(info, state)| (info.name.as_str(), *state))
        .collect();
    assert_eq!(listed, [("one", State::Running), ("two", State::Running)]);
    assert_eq!(home.sandboxes.find("two").unwrap().info(), two.info());

    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| home.sandboxes.down("one")))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        1,
        "{results:?}"
    );
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Err(SandboxError::NotFound(_))))
            .count(),
        3
    );
    assert_eq!(
        shell(&two, "hostname"),
        "shop-two\n",
        "the other one goes on"
    );
    home.sandboxes.down("two").unwrap();
    home.assert_empty();
}

#[test]
fn an_ordinary_users_sandboxes_end_once() {
    again_as_ordinary_user("life::sandboxes_stand_side_by_side_and_end_once");
}

#[test]
fn the_same_name_is_started_by_one_of_many() {
    let home = Home::new();
    let results: Vec<_> = thread::scope(|scope| {
        let up = || home.sandboxes.up(&SandboxSpec::new("same"));
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(up)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        1,
        "{results:?}"
    );
    for error in results.into_iter().filter_map(Result::err) {
        assert!(
            matches!(error, SandboxError::Busy(_) | SandboxError::AlreadyUp(_)),
            "{error}"
        );
    }
    home.sandboxes.down("same").unwrap();
    home.assert_empty();
}

#[test]
fn a_sandbox_whose_first_process_was_killed_is_dead_and_cleaned() {
    let home = Home::new();
    let sandbox = home.sandboxes.up(&SandboxSpec::new("killed")).unwrap();
    kill("-KILL", sandbox.info().init_pid);
    until("the end of the pod", || {
        sandbox.info().state() == State::Dead
    });
    assert!(matches!(
        home.sandboxes.find("killed"),
        Err(SandboxError::Dead(_))
    ));
    let error = sandbox
        .http_at(Place::Client, &HttpCall::get((POD_V4, WEB_PORT), "/"))
        .unwrap_err();
    assert!(error.to_string().contains("dead"), "{error}");
    let listed: Vec<_> = home
        .sandboxes
        .list()
        .unwrap()
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(listed, [State::Dead]);
    assert!(home.sandboxes.list().unwrap().is_empty());
    until("the end of its processes", || home.processes().is_empty());
    home.assert_empty();
    home.sandboxes.up(&SandboxSpec::new("killed")).unwrap();
    home.sandboxes.down("killed").unwrap();
    home.assert_empty();
}

#[test]
fn a_pod_without_its_target_is_told_apart() {
    let home = Home::new();
    let sandbox = DownOnDrop::up(&home.sandboxes, &SandboxSpec::new("no-target")).unwrap();
    kill("-KILL", sandbox.target_pid());
    until("the end of the target", || {
        sandbox.info().state() == State::TargetGone
    });
    let output = sandbox.command(Place::Pod, "true").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("target process"),
        "{output:?}"
    );
    drop(sandbox);
    home.assert_empty();
}

#[test]
fn a_starter_killed_half_way_leaves_nothing() {
    for wait in [1, 5, 10, 20, 40, 80, 120] {
        let home = Home::new();
        let mut starter = Command::new(program());
        let mut starter = starter
            .arg(home.path())
            .args(["up", "half"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(wait));
        starter.kill().unwrap();
        starter.wait().unwrap();
        // Either it was through and the sandbox stands, or all of it goes by itself.
        until("a whole sandbox or none", || {
            match home.sandboxes.list().unwrap().as_slice() {
                [(_, State::Running)] => true,
                // Twice: in the middle of its exec, a process has no command line to know it by.
                [] => {
                    home.processes().is_empty() && {
                        thread::sleep(Duration::from_millis(20));
                        home.processes().is_empty()
                    }
                }
                _ => false,
            }
        });
        let _ = home.sandboxes.down("half");
        home.assert_empty();
    }
}

#[test]
fn a_failed_start_says_why_and_leaves_nothing() {
    let home = Home::new();
    let error = home
        .sandboxes
        .up(&SandboxSpec::new("bad").file("/usr/not-there/x", ""))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/usr/not-there") && error.contains("Read-only"),
        "{error}"
    );
    let error = home
        .sandboxes
        .up(&SandboxSpec::new("bad").bind("/no/such/folder"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/no/such/folder"), "{error}");
    let wrong =
        mirrord_sandbox::Sandboxes::new(home.path(), "/bin/true").up(&SandboxSpec::new("bad"));
    let error = wrong.unwrap_err().to_string();
    assert!(error.contains("run_role"), "{error}");
    assert!(matches!(
        home.sandboxes.up(&SandboxSpec::new("../up")),
        Err(SandboxError::Name(_))
    ));
    assert!(matches!(
        home.sandboxes.down("never"),
        Err(SandboxError::NotFound(_))
    ));
    home.assert_empty();
}

#[test]
fn refused_user_namespaces_are_explained() {
    let home = Home::new();
    // In a user namespace of our own the limit is ours to set.
    let line = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && {} {} up refused --user-namespace",
        program().display(),
        home.path().display()
    );
    let output = Command::new("unshare")
        .args(["-Ur", "sh", "-c", &line])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        error.contains("sysctl user.max_user_namespaces=10000") && error.contains("as root"),
        "{error}"
    );
    home.assert_empty();
}

#[test]
fn a_covered_proc_as_in_containers_is_explained() {
    let home = Home::new();
    let line = format!(
        "mount -t tmpfs none /proc/fs && exec {} {} up covered --user-namespace",
        program().display(),
        home.path().display()
    );
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &line])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("systempaths=unconfined"), "{error}");
    home.assert_empty();
}

#[test]
fn programs_in_the_pod_end_as_they_end() {
    let home = Home::new();
    let sandbox = DownOnDrop::up(&home.sandboxes, &SandboxSpec::new("exits")).unwrap();
    let status = |line: &str| sandbox.exec(["sh", "-c", line]).unwrap();
    assert_eq!(status("exit 7").code(), Some(7));
    assert_eq!(status("kill -TERM $$").signal(), Some(15));
    assert_eq!(status("kill -KILL $$").signal(), Some(9));
    let missing = sandbox
        .command(Place::Pod, "no-such-program")
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(missing.code(), Some(127));
    let refused = sandbox
        .command(Place::Pod, "/etc/hostname")
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(refused.code(), Some(126));

    // Signals reach it, and it does not outlive the one who runs it.
    let line = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    let mut child = sandbox
        .command(Place::Pod, "sh")
        .args(["-c", line])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    kill("-TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(9));
    let mut child = sandbox
        .command(Place::Pod, "sleep")
        .arg("777.5")
        .spawn()
        .unwrap();
    let sleeps = || {
        output(
            &sandbox,
            Place::Pod,
            &[
                "sh",
                "-c",
                "grep -lz '^777\\.5' /proc/[0-9]*/cmdline | grep -c ^ || :",
            ],
        )
    };
    until("the program's start", || sleeps() != "0\n");
    child.kill().unwrap();
    child.wait().unwrap();
    until("the program's end", || sleeps() == "0\n");

    // What still runs when the sandbox ends is ended with it.
    let mut command = sandbox.command(Place::Pod, "sh");
    let command = command.args(["-c", "trap '' TERM; echo ready; sleep 600"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    drop(sandbox);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    home.assert_empty();
}
