//! Calls that only look.

use super::*;

const STAT: i64 = libc::SYS_newfstatat;
const NOFOLLOW: u64 = libc::AT_SYMLINK_NOFOLLOW as u64;

#[test]
fn a_file_is_opened_in_the_pod_and_the_second_time_at_once() {
    let mut world = world();
    assert_eq!(
        world.open("/data/file", libc::O_RDONLY, 0),
        Answer::Fd("/data/file".into())
    );
    assert!(!world.quick);
    assert_eq!(world.content(), "content of the pod");
    assert_eq!(
        world.open("/data/file", libc::O_RDONLY, 0),
        Answer::Fd("/data/file".into())
    );
    assert!(world.quick);
    assert_eq!(world.walks(), 1);
}

#[test]
fn flags_that_only_openat2_refuses_are_tolerated() {
    let mut world = world();
    let junk = libc::O_RDONLY | 0x4000_0000;
    assert_eq!(
        world.open("/data/file", junk, 0o777_777),
        Answer::Fd("/data/file".into())
    );
    let path_only = libc::O_PATH | libc::O_RDWR | libc::O_APPEND;
    assert_eq!(
        world.open("/data/file", path_only, 0),
        Answer::Fd("/data/file".into())
    );
}

#[test]
fn what_the_pods_kernel_would_refuse_is_refused_in_its_order() {
    let mut world = world();
    world.make("data/secret", "", 0o600);
    world.make("data/readonly", "", 0o444);
    std::os::unix::fs::symlink("file", world.in_pod("data/link")).unwrap();
    for _ in ["asked", "known"] {
        for (path, flags, errno) in [
            ("/data/secret", libc::O_RDONLY, libc::EACCES),
            ("/data/readonly", libc::O_WRONLY, libc::EACCES),
            ("/data/readonly", libc::O_RDWR, libc::EACCES),
            (
                "/data/readonly",
                libc::O_RDONLY | libc::O_TRUNC,
                libc::EACCES,
            ),
            ("/data/none", libc::O_RDONLY, libc::ENOENT),
            ("/data/file/x", libc::O_RDONLY, libc::ENOTDIR),
            ("/data/file", libc::O_DIRECTORY, libc::ENOTDIR),
            ("/data/file/", libc::O_RDONLY, libc::ENOTDIR),
            ("/data", libc::O_WRONLY, libc::EISDIR),
            (
                "/data/file",
                libc::O_CREAT | libc::O_EXCL | libc::O_RDWR,
                libc::EEXIST,
            ),
            (
                "/data/link",
                libc::O_CREAT | libc::O_EXCL | libc::O_RDWR,
                libc::EEXIST,
            ),
            ("/data/link", libc::O_NOFOLLOW, libc::ELOOP),
            ("/data", libc::O_CREAT, libc::EISDIR),
        ] {
            assert_eq!(
                world.open(path, flags, 0o644),
                Answer::Errno(errno),
                "{path} {flags:o}"
            );
        }
    }
    assert_eq!(
        world.open("/data/secret", libc::O_PATH, 0),
        Answer::Fd("/data/secret".into())
    );
}

#[test]
fn stat_shows_the_pods_file() {
    let mut world = world();
    std::os::unix::fs::symlink("/data/file", world.in_pod("data/link")).unwrap();
    let inode = |path: &str, follow: bool| {
        let path = world.in_pod(path);
        let meta = if follow {
            std::fs::metadata(path)
        } else {
            std::fs::symlink_metadata(path)
        };
        std::os::unix::fs::MetadataExt::ino(&meta.unwrap())
    };
    let (file, link) = (inode("data/file", true), inode("data/link", false));
    let mut room = Room::new(256);
    for _ in ["asked", "known"] {
        for (path, flags, expected) in [
            ("/data/file", 0, file),
            ("/data/link", 0, file),
            ("/data/link", NOFOLLOW, link),
        ] {
            let buffer = room.address();
            assert_eq!(world.at(STAT, path, &[buffer, flags]), Answer::Number(0));
            assert_eq!(sys::inode_of(&room.0), expected, "{path}");
            let args = [flags, u64::from(libc::STATX_BASIC_STATS), buffer];
            assert_eq!(world.at(libc::SYS_statx, path, &args), Answer::Number(0));
            assert_eq!(room.0[32..40], expected.to_ne_bytes(), "{path}");
        }
    }
    assert!(world.quick);
    assert_eq!(
        world.at(STAT, "/data/file", &[8, 0]),
        Answer::Errno(libc::EFAULT)
    );
}

#[test]
fn a_file_that_is_being_written_is_not_answered_from_the_cache() {
    let mut world = world();
    let mut room = Room::new(256);
    world.make("data/log", "", 0o666);
    assert!(matches!(
        world.open("/data/log", libc::O_WRONLY, 0),
        Answer::Fd(_)
    ));
    assert_eq!(
        world.at(STAT, "/data/log", &[room.address(), 0]),
        Answer::Number(0)
    );
    assert!(!world.quick);
}

#[test]
fn access_follows_the_pods_bits() {
    let mut world = world();
    world.make("data/tool", "", 0o755);
    for _ in ["asked", "known"] {
        for (path, mode, answer) in [
            ("/data/tool", libc::F_OK, Answer::Number(0)),
            ("/data/tool", libc::R_OK | libc::X_OK, Answer::Number(0)),
            ("/data/tool", libc::W_OK, Answer::Errno(libc::EACCES)),
            ("/data/none", libc::F_OK, Answer::Errno(libc::ENOENT)),
            ("/data/tool", 8, Answer::Errno(libc::EINVAL)),
        ] {
            let got = world.at(libc::SYS_faccessat, path, &[mode as u64]);
            assert_eq!(got, answer, "{path} {mode}");
        }
    }
    assert!(world.quick);
}

#[test]
fn a_link_shows_its_own_text() {
    let mut world = world();
    std::os::unix::fs::symlink("/data/file", world.in_pod("data/link")).unwrap();
    let mut room = Room::new(16);
    for _ in ["asked", "known"] {
        let args = [room.address(), 16];
        assert_eq!(
            world.at(libc::SYS_readlinkat, "/data/link", &args),
            Answer::Number(10)
        );
        assert_eq!(&room.0[..11], b"/data/file\xee");
        let args = [room.address(), 5];
        assert_eq!(
            world.at(libc::SYS_readlinkat, "/data/link", &args),
            Answer::Number(5)
        );
        let args = [room.address(), 16];
        let not = world.at(libc::SYS_readlinkat, "/data/file", &args);
        assert_eq!(not, Answer::Errno(libc::EINVAL));
    }
    assert!(world.quick);
    assert_eq!(
        world.at(libc::SYS_readlinkat, "/data/link", &[room.address(), 0]),
        Answer::Errno(libc::EINVAL)
    );
}

#[test]
fn devices_and_pipes_of_the_pod_are_not_this_machines() {
    let mut world = world();
    let path = CString::new(world.in_pod("data/pipe").to_str().unwrap()).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
    std::fs::set_permissions(world.in_pod("data/pipe"), PermissionsExt::from_mode(0o666)).unwrap();
    let refused = Answer::Errno(libc::EOPNOTSUPP);
    assert_eq!(world.open("/data/pipe", libc::O_RDONLY, 0), refused);
    let told = world.events().into_iter().any(
        |event| matches!(event, EventKind::Notice { text, .. } if text.contains("/data/pipe")),
    );
    assert!(told);
}

#[test]
fn attributes_watches_and_file_systems_are_looked_at_by_descriptor() {
    let mut world = world();
    let mut room = Room::new(256);
    let statfs = world.on(libc::SYS_statfs, "/data/file", &[room.address()]);
    assert_eq!(statfs, Answer::Number(0));
    let tmpfs = 0x0102_1994_u64;
    assert_eq!(room.0[..8], tmpfs.to_ne_bytes());
    let name = c"user.some";
    let file = world.in_pod("data/file");
    if rustix::fs::setxattr(&file, name, b"value", rustix::fs::XattrFlags::empty()).is_ok() {
        let args = [address(name), room.address(), 0];
        assert_eq!(
            world.on(libc::SYS_getxattr, "/data/file", &args),
            Answer::Number(5)
        );
        let args = [address(name), room.address(), 2];
        let short = world.on(libc::SYS_getxattr, "/data/file", &args);
        assert_eq!(short, Answer::Errno(libc::ERANGE));
    }
    let name = c"user.none";
    let args = [address(name), room.address(), 256];
    let none = world.on(libc::SYS_getxattr, "/data/file", &args);
    assert!(
        matches!(none, Answer::Errno(libc::ENODATA | libc::EOPNOTSUPP)),
        "{none:?}"
    );

    let inotify = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::NONBLOCK).unwrap();
    let path = c"/data";
    let args = [
        inotify.as_raw_fd() as u64,
        address(path),
        u64::from(libc::IN_CREATE),
    ];
    assert!(matches!(
        world.call(libc::SYS_inotify_add_watch, &args),
        Answer::Number(1..)
    ));
    std::fs::write(world.in_pod("data/new"), "").unwrap();
    let mut event = [0; 64];
    assert!(
        rustix::io::read(&inotify, &mut event).unwrap() > 16,
        "the caller's own descriptor"
    );
}

#[test]
fn names_of_a_listed_folder_are_not_asked_for_again() {
    let mut world = world();
    std::os::unix::fs::symlink("/etc", world.in_pod("data/link")).unwrap();
    assert_eq!(
        world.open("/data", libc::O_DIRECTORY, 0),
        Answer::Fd("/data".into())
    );
    let mut room = Room::new(256);
    let buffer = room.address();
    assert_eq!(
        world.at(STAT, "/data/file", &[buffer, 0]),
        Answer::Number(0)
    );
    assert_eq!(
        world.at(STAT, "/data/link", &[buffer, NOFOLLOW]),
        Answer::Number(0)
    );
    assert!(world.quick);
    assert_eq!(world.walks(), 1);
    // Where a link leads is the pod's kernel's to say, and what is missing as well.
    assert_eq!(
        world.at(STAT, "/data/link", &[buffer, 0]),
        Answer::Errno(libc::ENOENT)
    );
    assert_eq!(
        world.at(STAT, "/data/none", &[buffer, 0]),
        Answer::Errno(libc::ENOENT)
    );
    assert_eq!(world.walks(), 3);
}

#[test]
fn a_link_is_read_through_its_descriptor() {
    let mut world = world();
    std::os::unix::fs::symlink("/data/file", world.in_pod("data/link")).unwrap();
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    assert_eq!(
        world.open("/data/link", flags, 0),
        Answer::Errno(libc::ELOOP)
    );
    // Below a folder of the mount the kernel opens it.
    assert_eq!(
        world.open("/data", libc::O_PATH, 0),
        Answer::Fd("/data".into())
    );
    let folder = world.last_fd.take().unwrap();
    assert_eq!(
        world.open_at(folder.as_raw_fd(), "link", flags, 0),
        Answer::Kernel
    );
    let link = sys::openat2(folder.as_fd(), b"link", flags as u64, 0, 0).unwrap();
    let mut room = Room::new(16);
    let args = [link.as_raw_fd() as u64, address(c""), room.address(), 16];
    assert_eq!(world.call(libc::SYS_readlinkat, &args), Answer::Number(10));
}

#[test]
fn a_willing_caller_is_told_to_open_what_is_known_itself() {
    let mut world = world();
    world.make("data/writable", "", 0o666);
    std::os::unix::fs::symlink("file", world.in_pod("data/link")).unwrap();
    let here = libc::AT_FDCWD as u64;
    let [first, second] = mirrord_filter::own_open::WILLING;
    let mut open = |path: &str, flags: i32, registers: [u64; 2]| {
        world.open(path, flags, 0);
        let path = CString::new(path).unwrap();
        let args = [
            here,
            address(&path),
            flags as u64,
            0,
            registers[0],
            registers[1],
        ];
        world.call(libc::SYS_openat, &args)
    };
    let door = |answer: Answer| match answer {
        Answer::Number(number) => mirrord_filter::own_open::Door::from_answer(number as u64),
        _ => None,
    };
    let known = door(open("/data/file", libc::O_RDONLY, [first, second])).expect("known");
    assert_eq!(known.pid, std::process::id());
    let behind = format!("/proc/{}/fd/{}/data/file", known.pid, known.root);
    assert_eq!(std::fs::read(behind).unwrap(), b"content of the pod");
    assert_eq!(door(open("/data/file", libc::O_RDONLY, [first, 0])), None);
    assert_eq!(
        door(open("/data/link", libc::O_RDONLY, [first, second])),
        None
    );
    assert_eq!(
        door(open("/data/writable", libc::O_RDWR, [first, second])),
        None
    );
    assert_eq!(door(open("/data", libc::O_RDONLY, [first, second])), None);
}
