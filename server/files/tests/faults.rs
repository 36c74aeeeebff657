//! Slow links, dying programs, dead servers, ordinary users.

mod support;

use std::{
    io::Read,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mirrord_files::{FilesClient, ServeOptions, Want};
use mirrord_link::SessionIdentity;
use mirrord_protocol::creds::Creds;
use support::{Pod, Setup, pattern};

const ROLE: &str = "MIRRORD_TEST_FILE_SERVER";

/// Not a test: what the tests start as a file server in a process of its own. Its socket is its
/// standard input.
#[test]
fn file_server_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (endpoint, identity) = role.split_once(' ').unwrap();
    let bytes: Vec<u8> = identity
        .split(',')
        .map(|byte| byte.parse().unwrap())
        .collect();
    let options = ServeOptions {
        endpoint: endpoint.parse().unwrap(),
        identity: SessionIdentity::from_bytes(&bytes).unwrap(),
        writable: true,
        callers_ids: false,
        deadline: Duration::from_secs(10),
    };
    // The test harness runs this on a thread; an ordinary user's server needs a process without
    // other threads, so it goes on in a child that has only this one.
    let control = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    // SAFETY: the child calls nothing that another thread of the parent could hold a lock of but
    // the allocator, which glibc makes usable after fork(2).
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: prctl with these arguments touches no memory.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let result = mirrord_files::serve(options, control);
            std::process::exit(i32::from(result.is_err()));
        }
        child => {
            drop(control);
            // SAFETY: waits for the child just made; the status pointer may be null.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        }
    }
}

/// A pod with a file server in a process of its own.
fn pod_with_process(setup: &Setup) -> (Pod, Child) {
    let folder = support::folder();
    let (endpoint, identity) = support::agent(folder.path(), setup);
    let (ours, theirs) = support::control();
    let bytes = identity.to_bytes().unwrap();
    let bytes: Vec<_> = bytes.iter().map(u8::to_string).collect();
    let server = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "file_server_process",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(ROLE, format!("{endpoint} {}", bytes.join(",")))
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let client = FilesClient::from_fd(ours).unwrap();
    (Pod { folder, client }, server)
}

fn kill(mut server: Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn slow_look_ups_in_one_directory_do_not_wait_for_each_other() {
    let pod = Pod::with(Setup {
        delay: Duration::from_millis(150),
        ..Setup::default()
    });
    for number in 0..8 {
        pod.put(&format!("dir/{number}"), "x");
    }
    pod.metadata("/dir").unwrap();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let pod = &pod;
            scope.spawn(move || pod.metadata(&format!("/dir/{number}")).unwrap());
        }
    });
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_program_that_waits_for_the_pod_can_be_killed() {
    let pod = Pod::with(Setup {
        delay: Duration::from_millis(1500),
        ..Setup::default()
    });
    pod.put("file", "x");
    let path = format!(
        "/proc/{}/fd/{}/file",
        std::process::id(),
        pod.client.root().unwrap().as_raw_fd()
    );
    let mut program = Command::new("cat").arg(path).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(program.try_wait().unwrap().is_none(), "it does not wait");
    let began = Instant::now();
    program.kill().unwrap();
    let status = program.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    assert!(
        began.elapsed() < Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
}

extern "C" fn ignore(_: libc::c_int) {}

#[test]
fn signals_with_handlers_do_not_make_file_calls_fail() {
    let pod = Pod::with(Setup {
        delay: Duration::from_millis(10),
        ..Setup::default()
    });
    for number in 0..20 {
        pod.put(&format!("dir/{number}"), "x");
    }
    // SAFETY: installs a handler that does nothing; without SA_RESTART, so that every EINTR shows.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as *const () as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    let tid = rustix::thread::gettid();
    std::thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // SAFETY: sends a signal that is handled to a thread of this process.
                unsafe {
                    let (process, thread) = (libc::getpid(), tid.as_raw_pid());
                    libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let results: Vec<_> = (0..20)
            .map(|number| {
                let path = format!("/dir/{number}");
                let made = pod.open_flags(
                    &format!("/dir/new-{number}"),
                    rustix::fs::OFlags::CREATE | rustix::fs::OFlags::EXCL,
                );
                (pod.metadata(&path).map(drop), made.map(drop))
            })
            .collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for result in results {
            assert!(result.0.is_ok() && result.1.is_ok(), "{result:?}");
        }
    });
}

#[test]
fn a_question_can_be_given_up() {
    let pod = Pod::with(Setup {
        delay: Duration::from_millis(500),
        ..Setup::default()
    });
    pod.put("file", "x");
    let cancelled = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    let began = Instant::now();
    let result = std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let cancelled = Some(cancelled.as_fd());
            pod.client.walk(b"/file", true, Want::Attr, None, cancelled)
        });
        std::thread::sleep(Duration::from_millis(100));
        rustix::io::write(&cancelled, &1_u64.to_ne_bytes()).unwrap();
        asked.join().unwrap()
    });
    assert_eq!(result.unwrap_err(), libc::EINTR);
    assert!(
        began.elapsed() < Duration::from_millis(300),
        "{:?}",
        began.elapsed()
    );
    // The next one is not confused by it.
    assert!(pod.walk("/file", Want::Attr).found.is_ok());
}

#[test]
fn a_call_that_is_never_answered_fails_in_time() {
    let setup = Setup {
        delay: Duration::from_secs(1),
        deadline: Duration::from_millis(300),
        ..Setup::default()
    };
    // The hello has its own, longer limit.
    let pod = Pod::with(setup);
    let began = Instant::now();
    let error = pod.metadata("/file").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn when_the_server_is_killed_every_call_ends_with_an_error() {
    let (pod, server) = pod_with_process(&Setup::default());
    pod.put("file", pattern(1000));
    pod.put("other", "x");
    let mut held = pod.open("/file").unwrap();
    assert_eq!(pod.read("/file").unwrap(), pattern(1000));
    kill(server);
    let began = Instant::now();
    let error = pod.open("/other").unwrap_err();
    // ECONNABORTED: asked in the moment between the kill and the server's end.
    let errno = error.raw_os_error().unwrap();
    assert!(
        [libc::ENOTCONN, libc::ECONNABORTED].contains(&errno),
        "{error}"
    );
    let walked = pod.client.walk(b"/other", true, Want::Attr, None, None);
    assert_eq!(walked.unwrap_err(), libc::ENOTCONN);
    // What is cached may still be read, or be an error; it must not hang.
    let _ = held.read(&mut [0; 10]);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn reading_a_lot_keeps_the_server_small() {
    let (pod, server) = pod_with_process(&Setup::default());
    let content = pattern(64 << 20);
    for name in ["one", "two", "three"] {
        pod.put(name, &content);
    }
    std::thread::scope(|scope| {
        for name in ["one", "two", "three"] {
            let (pod, content) = (&pod, &content);
            scope.spawn(move || assert!(pod.read(name).unwrap() == *content));
        }
    });
    for number in 0..300 {
        let name = format!("/many/{number}");
        pod.put(&name, &content[..200_000]);
        pod.walk(&name, Want::Data);
    }
    let children = format!("/proc/{0}/task", server.id());
    let pid = std::fs::read_dir(children)
        .unwrap()
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap())
        .find(|children| !children.trim().is_empty())
        .unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
    let most = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("the file server's most: {kib} KiB");
    assert!(kib < 40 * 1024, "{kib} KiB");
    kill(server);
}

#[test]
fn without_an_agent_the_reason_is_told() {
    let setup = Setup::default();
    let folder = support::folder();
    let (_, identity) = support::agent(folder.path(), &setup);
    let (ours, theirs) = support::control();
    let options = ServeOptions {
        // Nothing listens on port 1 of the loopback.
        endpoint: "tcp:127.0.0.1:1".parse().unwrap(),
        identity,
        writable: true,
        callers_ids: false,
        deadline: setup.deadline,
    };
    assert!(mirrord_files::serve(options, theirs).is_err());
    let told = FilesClient::from_fd(ours).unwrap_err().to_string();
    assert!(told.contains("tcp:127.0.0.1:1"), "{told}");
}

const USER: u32 = 1000;

/// As an ordinary user: the mount in namespaces of its own, or the reason and whole files.
#[test]
fn an_ordinary_user_has_files_too() {
    if rustix::process::geteuid().is_root() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "an_ordinary_user_has_files_too", "--nocapture"]);
        // Without the supplementary groups of root, which could open more.
        let status = again.uid(USER).gid(USER).current_dir("/").status().unwrap();
        assert!(status.success(), "failed as uid {USER}");
        return;
    }
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let creds = Creds {
        uid,
        gid,
        groups: Vec::new(),
    };
    let setup = Setup {
        creds,
        capabilities: 0,
        ..Setup::default()
    };
    let (pod, server) = pod_with_process(&setup);
    pod.put("file", pattern(100_000));
    let can_mount = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .is_ok();
    if can_mount {
        assert_eq!(pod.client.limits(), None);
        assert_eq!(pod.read("/file").unwrap(), pattern(100_000));
        std::fs::write(pod.root().join("new"), "written").unwrap();
        assert_eq!(std::fs::read(pod.here("new")).unwrap(), b"written");
    } else {
        eprintln!("NOT CHECKED: the mount of an ordinary user (/dev/fuse is closed to it)");
        let reason = pod.client.limits().unwrap();
        assert!(
            reason.contains("/dev/fuse") && reason.contains("chmod"),
            "{reason}"
        );
    }
    let snapshot: OwnedFd = pod.client.snapshot(b"/file", None, None).unwrap();
    let mut content = Vec::new();
    std::fs::File::from(snapshot)
        .read_to_end(&mut content)
        .unwrap();
    assert!(content == pattern(100_000));
    kill(server);
}
