//! Which machine a call goes to: rules, descriptors and working directories.

use super::*;

#[test]
fn rules_decide_and_every_decision_is_told() {
    let mut world = world();
    world.make("config/a", "", 0o644);
    let missing = Answer::Errno(libc::ENOENT);
    assert_eq!(
        world.open("/usr/include", libc::O_RDONLY, 0),
        Answer::Kernel
    );
    assert_eq!(
        world.open("/config/a", libc::O_RDONLY, 0),
        Answer::Fd("/config/a".into())
    );
    // Without write access to the pod's, a file is written on this machine.
    assert_eq!(world.open("/config/a", libc::O_RDWR, 0), Answer::Kernel);
    assert_eq!(world.open("/gone/x", libc::O_RDONLY, 0), missing);
    assert_eq!(
        world.open("/gone/x", libc::O_CREAT | libc::O_RDWR, 0),
        missing
    );
    assert_eq!(
        world.open("/mapped/file", libc::O_RDONLY, 0),
        Answer::Fd("/data/file".into())
    );
    let told: Vec<_> = world
        .events()
        .into_iter()
        .filter_map(|event| match event {
            EventKind::File {
                path, place, rule, ..
            } => Some((path, format!("{place:?}"), rule)),
            _ => None,
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(p, s, r)| (p.as_str(), s.as_str(), r.as_str()))
        .collect();
    assert_eq!(
        told[1],
        ("/config/a", "Remote", "fs.read_only ^/config(/|$)")
    );
    assert_eq!(told[2].1, "Local");
    assert_eq!(told[3], ("/gone/x", "NotFound", "fs.not_found ^/gone(/|$)"));
    assert_eq!((told[5].0, told[5].1), ("/data/file", "Remote"));
    assert!(told[5].2.starts_with("fs.mapping"), "{}", told[5].2);
}

#[test]
fn pointers_and_names_that_are_wrong_are_left_to_the_kernel() {
    let mut world = world();
    let cwd = libc::AT_FDCWD as u64;
    assert_eq!(world.call(libc::SYS_openat, &[cwd, 0, 0]), Answer::Kernel);
    assert_eq!(world.call(libc::SYS_openat, &[cwd, 8, 0]), Answer::Kernel);
    assert_eq!(world.open("", 0, 0), Answer::Kernel);
    assert_eq!(world.open(&"/data/x".repeat(700), 0, 0), Answer::Kernel);
    assert_eq!(world.open_at(-7, "x", 0, 0), Answer::Kernel);
}

#[test]
fn descriptors_lead_to_either_side() {
    let mut world = world();
    let here = std::fs::File::open("/").unwrap();
    assert_eq!(
        world.open_at(here.as_raw_fd(), "data/file", 0, 0),
        Answer::Fd("/data/file".into())
    );
    assert_eq!(world.open_at(here.as_raw_fd(), "usr", 0, 0), Answer::Kernel);

    assert_eq!(
        world.open("/data", libc::O_DIRECTORY, 0),
        Answer::Fd("/data".into())
    );
    let there = world.last_fd.take().unwrap();
    let found = world.open_at(there.as_raw_fd(), "file", 0, 0);
    assert_eq!(found, Answer::Fd("/data/file".into()));
    let found = world.open_at(there.as_raw_fd(), "../data/./file", 0, 0);
    assert_eq!(found, Answer::Fd("/data/file".into()));

    // The listing of / is the pod's, but a name in it that is local by rule is this machine's.
    assert_eq!(
        world.open("/", libc::O_DIRECTORY, 0),
        Answer::Fd("/".into())
    );
    let root = world.last_fd.take().unwrap();
    let local = world.open_at(root.as_raw_fd(), "usr/include", libc::O_DIRECTORY, 0);
    assert_eq!(local, Answer::Fd("/usr/include".into()));
    let own = world.open_at(root.as_raw_fd(), "proc/self/status", 0, 0);
    assert_eq!(
        own,
        Answer::Fd(format!("/proc/{}/status", std::process::id()))
    );
}

#[test]
fn a_local_link_leads_into_the_pod() {
    let mut world = world();
    let link = world.local.path().join("link");
    std::os::unix::fs::symlink("/data", &link).unwrap();
    let name = link.join("file");
    let found = world.open(name.to_str().unwrap(), 0, 0);
    assert_eq!(found, Answer::Fd("/data/file".into()));
    std::env::set_current_dir(world.local.path()).unwrap();
    assert_eq!(
        world.open("link/file", 0, 0),
        Answer::Fd("/data/file".into())
    );
    assert_eq!(world.open("other/file", 0, 0), Answer::Kernel);
}

#[test]
fn a_working_directory_on_the_mount_is_shown_as_the_pods() {
    let mut world = world();
    std::env::set_current_dir(world.in_pod("data")).unwrap();
    assert_eq!(world.open("file", 0, 0), Answer::Fd("/data/file".into()));
    let mut room = Room::new(64);
    let (buffer, short) = (room.address(), 5);
    assert_eq!(
        world.call(libc::SYS_getcwd, &[buffer, short]),
        Answer::Errno(libc::ERANGE)
    );
    assert_eq!(
        world.call(libc::SYS_getcwd, &[buffer, 64]),
        Answer::Number(6)
    );
    assert_eq!(&room.0[..7], b"/data\0\xee");
    // The kernel can do this one itself.
    assert_eq!(world.on(libc::SYS_chdir, "..", &[]), Answer::Kernel);
}

#[test]
fn a_working_directory_is_kept_for_a_program_that_cannot_go_there() {
    let mut world = world();
    std::env::set_current_dir(world.local.path()).unwrap();
    std::fs::create_dir(world.in_pod("data/sub")).unwrap();
    std::fs::set_permissions(world.in_pod("data/sub"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut room = Room::new(64);
    let buffer = room.address();
    assert_eq!(world.call(libc::SYS_getcwd, &[buffer, 64]), Answer::Kernel);
    let ok = Answer::Number(0);
    assert_eq!(
        world.on(libc::SYS_chdir, "/data/file", &[]),
        Answer::Errno(libc::ENOTDIR)
    );
    assert_eq!(
        world.on(libc::SYS_chdir, "/data/none", &[]),
        Answer::Errno(libc::ENOENT)
    );
    assert_eq!(world.on(libc::SYS_chdir, "/data/sub", &[]), ok);
    assert_eq!(
        world.call(libc::SYS_getcwd, &[buffer, 64]),
        Answer::Number(10)
    );
    assert_eq!(&room.0[..10], b"/data/sub\0");
    assert_eq!(world.on(libc::SYS_chdir, "..", &[]), ok);
    assert_eq!(world.open("file", 0, 0), Answer::Fd("/data/file".into()));
    // A failing change leaves it, a working one ends it.
    assert_eq!(world.on(libc::SYS_chdir, "/no/such", &[]), Answer::Kernel);
    assert_eq!(world.open("file", 0, 0), Answer::Fd("/data/file".into()));
    assert_eq!(world.on(libc::SYS_chdir, "/usr", &[]), Answer::Kernel);
    assert_eq!(world.open("file", 0, 0), Answer::Kernel);
}

#[test]
fn programs_of_the_pod_are_not_executed_and_that_is_told() {
    let mut world = world();
    world.make("data/tool", "", 0o755);
    assert_eq!(
        world.on(libc::SYS_execve, "/data/tool", &[]),
        Answer::Errno(libc::EACCES)
    );
    assert_eq!(
        world.on(libc::SYS_execve, "/data/none", &[]),
        Answer::Errno(libc::ENOENT)
    );
    assert_eq!(
        world.on(libc::SYS_execve, "/usr/bin/env", &[]),
        Answer::Kernel
    );
    let told = world.events().into_iter().any(
        |event| matches!(event, EventKind::Notice { text, .. } if text.contains("/data/tool")),
    );
    assert!(told);
}

#[test]
fn the_host_name_is_the_pods() {
    let mut world = world();
    let mut room = Room::new(6 * 65);
    assert_eq!(
        world.call(libc::SYS_uname, &[room.address()]),
        Answer::Number(0)
    );
    assert_eq!(&room.0[65..73], b"the-pod\0");
    assert_eq!(&room.0[..6], b"Linux\0");
}

#[test]
fn names_that_the_caller_confines_itself_are_the_kernels() {
    let mut world = world();
    let path = c"data/file";
    let how: [u64; 3] = [0, 0, sys::IN_ROOT];
    let here = std::fs::File::open("/").unwrap();
    let args = [
        here.as_raw_fd() as u64,
        address(path),
        how.as_ptr() as u64,
        24,
    ];
    assert_eq!(world.call(libc::SYS_openat2, &args), Answer::Kernel);
    let how: [u64; 3] = [0, 0, sys::NO_SYMLINKS];
    let args = [
        here.as_raw_fd() as u64,
        address(path),
        how.as_ptr() as u64,
        24,
    ];
    assert_eq!(
        world.call(libc::SYS_openat2, &args),
        Answer::Fd("/data/file".into())
    );
}
