//! Whatever dies, the pod serves its clients again, nothing is left, and the user is told.

use std::time::Duration;

use mirrord_sandbox::{HttpCall, addresses};
use mirrord_tests::left::{nothing_left, processes, wait_until};
use mirrord_tests::pod::Pod;
use mirrord_tests::run::Running;
use mirrord_tests::{programs, run};

fn call() -> HttpCall {
    HttpCall::get((addresses::POD_V4, addresses::WEB_PORT), "/")
}

fn kill(pids: &[i32]) {
    assert!(!pids.is_empty(), "there is something to kill");
    for pid in pids {
        // SAFETY: plain kill(2) of a process that this test's own session started.
        assert_eq!(unsafe { libc::kill(*pid, libc::SIGKILL) }, 0);
    }
}

fn serving(pod: &Pod) -> Running {
    let mut command = run::exec(pod, &["--steal"], &programs::named("c").argv);
    let (running, _) = Running::start(command.args(["serve", "8080", "1000"]), "listening on");
    let answer = pod.sandbox.client_http(&call()).expect("an answer").text();
    assert!(answer.starts_with("local "), "{answer}");
    running
}

fn pod_answers(pod: &Pod) -> bool {
    pod.sandbox
        .client_http(&call())
        .is_ok_and(|answer| answer.text().contains("pod: shop-"))
}

#[test]
fn agent_killed_while_stealing() {
    let pod = Pod::up("agent-killed");
    let running = serving(&pod);
    kill(&processes(&pod, "mirrord-agent"));
    wait_until("the pod answers", Duration::from_secs(2), || {
        pod_answers(&pod)
    });
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(
        ended.stderr.contains("the pod is out of reach"),
        "the user is told: {ended:?}"
    );
    nothing_left(&pod);
}

#[test]
fn program_killed() {
    let pod = Pod::up("program-killed");
    let running = serving(&pod);
    let name = programs::named("c").argv[0]
        .to_str()
        .expect("UTF-8")
        .to_owned()
        + " serve";
    let program: Vec<i32> = processes(&pod, &name)
        .into_iter()
        .filter(|pid| {
            std::fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|exe| exe == *programs::named("c").argv[0])
        })
        .collect();
    kill(&program);
    wait_until("the pod answers", Duration::from_secs(3), || {
        pod_answers(&pod)
    });
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(128 + 9), "{ended:?}");
    nothing_left(&pod);
}

#[test]
fn session_killed() {
    let pod = Pod::up("session-killed");
    let mut running = serving(&pod);
    // Nobody reads any more what is said either: a terminal that was closed.
    drop((running.child.stdout.take(), running.child.stderr.take()));
    running.child.kill().expect("killed");
    wait_until("the pod answers", Duration::from_secs(3), || {
        pod_answers(&pod)
    });
    // The program must not go on with every call failing: it is ended.
    wait_until("the program is ended", Duration::from_secs(5), || {
        processes(&pod, "serve 8080").is_empty()
    });
    nothing_left(&pod);
    drop(running);
    // What only the session's folder shows of it is removed by the next session.
    let ended = run::finish(&mut run::exec(&pod, &[], &["/bin/true"]));
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn supervisor_worker_killed_goes_unnoticed() {
    let pod = Pod::up("worker-killed");
    let script = "for i in 1 2 3 4 5 6 7 8; do cat /data/hello.txt || exit 1; sleep 0.2; \
                  [ $i = 1 ] && echo listening; done; exit 0";
    let mut command = run::exec(&pod, &[], &["/bin/sh", "-c", script]);
    let (running, _) = Running::start(&mut command, "listening");
    let supervisors = processes(&pod, "@supervisor");
    assert!(supervisors.len() >= 2, "keeper and worker: {supervisors:?}");
    // The keeper is the oldest; its child is the worker.
    let keeper = *supervisors.iter().min().expect("some");
    let workers: Vec<i32> = supervisors
        .into_iter()
        .filter(|pid| *pid != keeper)
        .collect();
    kill(&workers);
    let ended = running.finish();
    assert!(ended.status.success(), "the program went on: {ended:?}");
    assert_eq!(
        ended.stdout.matches("hello from a file").count(),
        7,
        "{ended:?}"
    );
}

#[test]
fn target_ends() {
    let pod = Pod::up("target-ends");
    let running = serving(&pod);
    let target = pod.sandbox.target_pid() as i32;
    // SAFETY: plain kill(2) of the sandbox's own target.
    let killed = unsafe { libc::kill(target, libc::SIGKILL) };
    assert_eq!(killed, 0);
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(
        ended.stderr.contains("target") && ended.stderr.contains("ended"),
        "{ended:?}"
    );
    nothing_left(&pod);
}

#[test]
fn nothing_of_ours_is_in_the_mount_table() {
    let pod = Pod::up("mounts");
    let before = std::fs::read_to_string("/proc/self/mountinfo").expect("readable");
    let script = "cat /data/hello.txt; cat /proc/self/mountinfo > mounts; echo listening; sleep 30";
    let mut command = run::exec(&pod, &[], &["/bin/sh", "-c", script]);
    let (running, _) = Running::start(&mut command, "listening");
    let during = std::fs::read_to_string("/proc/self/mountinfo").expect("readable");
    let programs = std::fs::read_to_string(pod.runtime().join("mounts")).expect("readable");
    assert_eq!(before, during, "this machine's mounts are as they were");
    assert_eq!(before, programs, "and so are the program's");
    drop(running);
}
