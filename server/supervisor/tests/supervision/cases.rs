//! The cases.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use mirrord_protocol::{event::EventKind, local::FromSupervisor};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    bed::{Bed, eventually, finish, state},
    runner::Case,
};

/// All of them.
pub const ALL: &[Case] = &[
    (
        "nothing_is_done_twice_under_a_timer",
        nothing_is_done_twice_under_a_timer,
    ),
    (
        "nothing_is_done_twice_without_restarts",
        nothing_is_done_twice_without_restarts,
    ),
    ("as_an_ordinary_user", as_an_ordinary_user),
    (
        "connects_end_once_under_a_timer",
        connects_end_once_under_a_timer,
    ),
    (
        "connects_are_interrupted_as_the_handler_says",
        connects_are_interrupted_as_the_handler_says,
    ),
    (
        "a_stop_signal_does_not_wait_for_the_pod",
        a_stop_signal_does_not_wait_for_the_pod,
    ),
    (
        "a_stop_reaches_a_waiting_thread",
        a_stop_reaches_a_waiting_thread,
    ),
    (
        "a_debugger_attaches_while_a_call_waits",
        a_debugger_attaches_while_a_call_waits,
    ),
    (
        "a_killed_program_cancels_its_work",
        a_killed_program_cancels_its_work,
    ),
    (
        "a_call_that_asks_the_session_holds_up_no_other",
        a_call_that_asks_the_session_holds_up_no_other,
    ),
    (
        "threads_children_and_execs_are_supervised",
        threads_children_and_execs_are_supervised,
    ),
    (
        "a_static_program_is_supervised",
        a_static_program_is_supervised,
    ),
    (
        "a_worker_that_dies_is_replaced",
        a_worker_that_dies_is_replaced,
    ),
    (
        "a_call_that_kills_the_worker_is_begun_again",
        a_call_that_kills_the_worker_is_begun_again,
    ),
    (
        "a_handler_that_panics_is_an_input_output_error",
        a_handler_that_panics,
    ),
    (
        "the_session_learns_of_processes_and_of_the_last",
        the_session_learns_of_processes,
    ),
    (
        "no_process_is_forgotten_when_the_session_is_slow",
        no_process_is_forgotten_when_the_session_is_slow,
    ),
    (
        "programs_do_not_outlive_the_session",
        programs_do_not_outlive_the_session,
    ),
    (
        "a_missing_program_is_status_127",
        a_missing_program_is_status_127,
    ),
];

fn nothing_is_done_twice_under_a_timer() {
    let bed = Bed::new();
    let program = bed.compile("creates", &[]);
    let text = bed.run(&program, &["3000", "700", "1000", "1"]);
    let rest = "exist=0 interrupted=0 other=0 last=0 signals=many next_fd=3\n";
    assert_eq!(text, format!("made=3000 {rest}"));
    assert_eq!(std::fs::read_dir(bed.remote()).unwrap().count(), 3000);
}

/// A handler without SA_RESTART. What we cannot help: a signal that comes after the call began
/// and before we received it makes the kernel itself answer EINTR (the wait is killable only from
/// then on). The layer repeats such calls; a program without it may see a call end with EINTR,
/// seldom even one whose work was under way.
fn nothing_is_done_twice_without_restarts() {
    let bed = Bed::new();
    let program = bed.compile("creates", &[]);
    let text = bed.run(&program, &["3000", "700", "1000", "0"]);
    let number = |name: &str| -> usize {
        let value = text.split(name).nth(1).unwrap().split(' ').next().unwrap();
        value.parse().unwrap()
    };
    assert!(
        text.contains(" exist=0 ") && text.contains(" other=0 "),
        "{text}"
    );
    let (made, interrupted) = (number("made="), number("interrupted="));
    assert_eq!(made + interrupted, 3000);
    let files = std::fs::read_dir(bed.remote()).unwrap().count();
    assert!((made..=3000).contains(&files), "{files} files, {text}");
    println!(
        "   ({interrupted} of 3000 interrupted, {} of them done)",
        files - made
    );
}

fn as_an_ordinary_user() {
    if !rustix::process::getuid().is_root() {
        println!("   (this run is one already)");
        return;
    }
    let bed = Bed::as_user(1000);
    let program = bed.compile("creates", &[]);
    let text = bed.run(&program, &["300", "500", "1000", "1"]);
    assert_eq!(
        text,
        "made=300 exist=0 interrupted=0 other=0 last=0 signals=many next_fd=3\n"
    );
}

fn connects_end_once_under_a_timer() {
    let bed = Bed::new();
    let program = bed.compile("connects", &[]);
    let (port, accepted) = accept_for_ever();
    let text = bed.run(&program, &["1000", &port.to_string(), "1"]);
    assert_eq!(text, "good=1000 interrupted=0 other=0 last=0\n");
    eventually("1000 connections", || (accepted() == 1000).then_some(()));
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(accepted(), 1000);
}

fn connects_are_interrupted_as_the_handler_says() {
    let bed = Bed::new();
    let program = bed.compile("connects", &[]);
    let (port, _) = accept_for_ever();
    let text = bed.run(&program, &["100", &port.to_string(), "0", "30"]);
    let interrupted = text
        .split("interrupted=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let interrupted: usize = interrupted.parse().unwrap();
    assert!(interrupted > 10, "{text}");
    assert!(text.contains("other=0"), "{text}");
}

fn a_stop_signal_does_not_wait_for_the_pod() {
    stop_and_go(&["/remote/2000000/one"]);
}

fn a_stop_reaches_a_waiting_thread() {
    stop_and_go(&["/remote/2000000/one", "thread"]);
}

/// Stops a program whose call takes two seconds, lets it go, and wants the call done once.
fn stop_and_go(arguments: &[&str]) {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let started = Instant::now();
    let mut child = bed
        .command(&program, arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = first_line(&mut child);
    std::thread::sleep(Duration::from_millis(100));
    let pause = Instant::now();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
    eventually("the stop", || all_stopped(pid).then_some(()));
    let took = pause.elapsed();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::CONT).unwrap();
    assert_eq!(finish(child), "opened\n");
    assert!(took < Duration::from_millis(50), "the stop took {took:?}");
    assert!(
        started.elapsed() < Duration::from_millis(3000),
        "the work was done twice"
    );
    println!("   (stopped after {took:?})");
}

fn all_stopped(pid: i32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .filter_map(|task| task.unwrap().file_name().to_str()?.parse().ok())
        .all(|tid| matches!(state(tid), 'T' | 't'))
}

fn a_debugger_attaches_while_a_call_waits() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let mut child = bed
        .command(&program, &["/remote/2000000/one"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = first_line(&mut child);
    std::thread::sleep(Duration::from_millis(100));
    let null = std::ptr::null_mut::<libc::c_void>();
    let pause = Instant::now();
    let mut status = 0;
    // SAFETY: attaches to a process of this test, waits for its stop and lets it go.
    unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_ATTACH, pid, null, null), 0);
        assert_eq!(libc::waitpid(pid, &mut status, libc::__WALL), pid);
    }
    let took = pause.elapsed();
    assert!(libc::WIFSTOPPED(status));
    std::thread::sleep(Duration::from_millis(300));
    // SAFETY: as above.
    unsafe { assert_eq!(libc::ptrace(libc::PTRACE_DETACH, pid, null, null), 0) };
    assert_eq!(finish(child), "opened\n");
    assert!(took < Duration::from_millis(50), "attaching took {took:?}");
    println!("   (attached after {took:?})");
}

fn a_killed_program_cancels_its_work() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let mut child = bed
        .command(&program, &["/remote/3000000/one"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = first_line(&mut child);
    std::thread::sleep(Duration::from_millis(50));
    let killed = Instant::now();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    child.wait().unwrap();
    assert!(killed.elapsed() < Duration::from_millis(100));
    std::thread::sleep(Duration::from_millis(3200));
    assert!(!bed.remote().join("one").exists(), "the work went on");
}

fn a_call_that_asks_the_session_holds_up_no_other() {
    let bed = Bed::new();
    let script = ": > /remote/ask/one & sleep 0.2; : > /remote/quick/two; : > /remote/quick/three; \
                  : > /remote/ask/four; : > /remote/quick/five; wait";
    let child = bed
        .command(std::path::Path::new("/bin/sh"), &["-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let there = |name: &str| bed.remote().join(name).exists();
    eventually("the third file", || there("three").then_some(()));
    assert!(there("two") && !there("one"), "they waited for the first");
    finish(child);
    assert!(there("one") && there("four") && there("five"));
}

fn threads_children_and_execs_are_supervised() {
    let bed = Bed::new();
    let program = bed.compile("family", &[]);
    assert_eq!(bed.run(&program, &["4"]), "bad=0\n");
    assert_eq!(std::fs::read_dir(bed.remote()).unwrap().count(), 5 * 4 * 50);
}

fn a_static_program_is_supervised() {
    let bed = Bed::new();
    let program = bed.compile("family", &["-static"]);
    assert_eq!(bed.run(&program, &["1"]), "bad=0\n");
}

fn a_worker_that_dies_is_replaced() {
    let bed = Bed::new();
    let program = bed.compile("creates", &[]);
    let children: Vec<_> = (0..3)
        .map(|_| {
            let arguments = ["400", "2000", "0", "1"];
            bed.command(&program, &arguments)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        kill_process(Pid::from_raw(bed.worker()).unwrap(), Signal::KILL).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    for child in children {
        let text = finish(child);
        // A create that was done but not answered is begun again, and then finds its own file.
        // And there is a hole in the kernel: a worker that is killed while the caller takes its
        // descriptor (ADDFD with SEND) makes the call return 0 without one, at most one a kill.
        let other: usize = text.split("other=").nth(1).unwrap()[..1].parse().unwrap();
        assert!(other <= 3 && text.starts_with("made="), "{text}");
    }
}

fn a_call_that_kills_the_worker_is_begun_again() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let text = bed.run(&program, &["/remote/crash/one"]);
    assert!(text.ends_with("opened\n"), "{text}");
}

fn a_handler_that_panics() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let text = bed.run(&program, &["/remote/panic/one"]);
    assert!(text.ends_with("failed: Input/output error\n"), "{text}");
}

fn the_session_learns_of_processes() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    // The shell starts one program and becomes the other.
    let script = format!(
        "{0} /remote/quick/one; exec {0} /remote/quick/two",
        program.display()
    );
    bed.run("/bin/sh".as_ref(), &["-c", &script]);
    let (mut told, mut alive) = (Vec::new(), Vec::new());
    loop {
        match bed.message() {
            FromSupervisor::Event(EventKind::Process { pid, state, exe }) => {
                match (state.as_str(), alive.contains(&pid)) {
                    ("started", false) => alive.push(pid),
                    ("started", true) => {}
                    ("ended", true) => alive.retain(|one| *one != pid),
                    other => panic!("{other:?}"),
                }
                told.extend(exe.map(|exe| exe.rsplit('/').next().unwrap().to_owned()));
            }
            FromSupervisor::Idle => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(alive.is_empty(), "before it is idle, all ends are told");
    let launcher = std::env::current_exe().unwrap();
    let shell = std::fs::canonicalize("/bin/sh").unwrap();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let (launcher, shell) = (name(&launcher), name(&shell));
    // A child is seen before it executes its own program, or after.
    let of_child = [launcher.as_str(), &shell, &shell, "waits", "waits"];
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    assert!(
        told == of_child || told == [&launcher, &shell, "waits", "waits"],
        "{told:?}"
    );
}

/// A session that reads nothing for a while still hears of every process.
fn no_process_is_forgotten_when_the_session_is_slow() {
    let bed = Bed::new();
    let script = "i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i+1)); done";
    bed.run("/bin/sh".as_ref(), &["-c", script]);
    let (mut alive, mut all) = (std::collections::HashSet::new(), 0);
    loop {
        match bed.message() {
            FromSupervisor::Event(EventKind::Process { pid, state, .. }) => {
                match state.as_str() {
                    "started" => all += usize::from(alive.insert(pid)),
                    _ => assert!(alive.remove(&pid), "{pid} ended before it started"),
                };
            }
            FromSupervisor::Idle => break,
            FromSupervisor::EventsDropped(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(alive.is_empty(), "{alive:?}");
    assert_eq!(all, 401);
}

fn programs_do_not_outlive_the_session() {
    let mut bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let mut child = bed
        .command(&program, &["/remote/20000000/one"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    first_line(&mut child);
    let ended = Instant::now();
    bed.end_session();
    let status = child.wait().unwrap();
    assert!(
        ended.elapsed() < Duration::from_secs(1),
        "it took {:?}",
        ended.elapsed()
    );
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(libc::SIGTERM));
}

fn a_missing_program_is_status_127() {
    let bed = Bed::new();
    let mut command = bed.command("no-such-program".as_ref(), &[]);
    assert_eq!(
        command.stderr(Stdio::null()).status().unwrap().code(),
        Some(127)
    );
}

pub fn first_line(child: &mut std::process::Child) -> i32 {
    let mut line = String::new();
    // One byte at a time, so that nothing is taken from what is read later.
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::with_capacity(1, stdout)
        .read_line(&mut line)
        .unwrap();
    line.trim().parse().unwrap()
}

/// A server that counts connections.
fn accept_for_ever() -> (u16, impl Fn() -> usize) {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    std::thread::spawn(move || {
        while listener.accept().is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    (port, move || accepted.load(Ordering::Relaxed))
}
