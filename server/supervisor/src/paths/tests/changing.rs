//! Calls that change something.

use std::os::unix::fs::MetadataExt;

use super::*;

const CREATE: i32 = libc::O_CREAT | libc::O_WRONLY;

fn mode(world: &World, path: &str) -> u32 {
    std::fs::symlink_metadata(world.in_pod(path))
        .unwrap()
        .mode()
        & 0o7777
}

#[test]
fn a_new_file_gets_the_programs_umask_and_is_seen_at_once() {
    let mut world = world();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    let missing = Answer::Errno(libc::ENOENT);
    assert_eq!(world.open("/data/new", libc::O_RDONLY, 0), missing);
    assert_eq!(
        world.open("/data/new", CREATE | libc::O_EXCL, 0o666),
        Answer::Fd("/data/new".into())
    );
    assert_eq!(mode(&world, "data/new"), 0o640);
    let again = world.open("/data/new", CREATE | libc::O_EXCL, 0o666);
    assert_eq!(again, Answer::Errno(libc::EEXIST));
    assert_eq!(
        world.open("/data/new", libc::O_PATH, 0),
        Answer::Fd("/data/new".into())
    );
    assert_eq!(
        world.at(libc::SYS_mkdirat, "/data/folder/", &[0o777]),
        Answer::Number(0)
    );
    assert_eq!(mode(&world, "data/folder"), 0o750);
}

#[test]
fn truncating_and_appending_reach_the_file() {
    let mut world = world();
    world.make("data/log", "old", 0o666);
    let opened = world.open("/data/log", libc::O_WRONLY | libc::O_APPEND, 0);
    assert_eq!(opened, Answer::Fd("/data/log".into()));
    rustix::io::write(world.last_fd.take().unwrap(), b" new").unwrap();
    assert_eq!(
        std::fs::read_to_string(world.in_pod("data/log")).unwrap(),
        "old new"
    );
    assert_eq!(
        world.on(libc::SYS_truncate, "/data/log", &[3]),
        Answer::Number(0)
    );
    assert_eq!(
        std::fs::read_to_string(world.in_pod("data/log")).unwrap(),
        "old"
    );
    assert!(matches!(
        world.open("/data/log", libc::O_RDWR | libc::O_TRUNC, 0),
        Answer::Fd(_)
    ));
    assert_eq!(
        std::fs::read_to_string(world.in_pod("data/log")).unwrap(),
        ""
    );
}

#[test]
fn names_are_made_moved_and_removed() {
    let mut world = world();
    let rename = |world: &mut World, from: &std::ffi::CStr, to: &std::ffi::CStr, flags| {
        let cwd = libc::AT_FDCWD as u64;
        let args = [cwd, address(from), cwd, address(to), flags];
        world.call(libc::SYS_renameat2, &args)
    };
    let ok = Answer::Number(0);
    assert_eq!(rename(&mut world, c"/data/file", c"/data/moved", 0), ok);
    assert_eq!(
        world.open("/data/file", libc::O_RDONLY, 0),
        Answer::Errno(libc::ENOENT)
    );
    assert_eq!(
        world.open("/data/moved", libc::O_RDONLY, 0),
        Answer::Fd("/data/moved".into())
    );

    let text = c"/data/moved";
    let path = c"/data/link";
    let args = [address(text), libc::AT_FDCWD as u64, address(path)];
    assert_eq!(world.call(libc::SYS_symlinkat, &args), ok);
    assert_eq!(
        std::fs::read_link(world.in_pod("data/link")).unwrap(),
        Path::new("/data/moved")
    );

    let cwd = libc::AT_FDCWD as u64;
    let second = c"/data/second";
    let args = [cwd, address(text), cwd, address(second), 0];
    assert_eq!(world.call(libc::SYS_linkat, &args), ok);
    assert_eq!(
        std::fs::metadata(world.in_pod("data/second"))
            .unwrap()
            .nlink(),
        2
    );
    let third = c"/data/third";
    let args = [cwd, address(path), cwd, address(third), 0];
    assert_eq!(world.call(libc::SYS_linkat, &args), ok);
    assert!(world.in_pod("data/third").is_symlink());

    let no_replace = u64::from(libc::RENAME_NOREPLACE);
    let refused = rename(&mut world, c"/data/moved", c"/data/second", no_replace);
    assert_eq!(refused, Answer::Errno(libc::EEXIST));

    let fifo = u64::from(libc::S_IFIFO | 0o600);
    assert_eq!(world.at(libc::SYS_mknodat, "/data/fifo", &[fifo, 0]), ok);
    assert_eq!(world.at(libc::SYS_unlinkat, "/data/fifo", &[0]), ok);
    assert_eq!(world.at(libc::SYS_mkdirat, "/data/d", &[0o755]), ok);
    assert_eq!(
        world.at(libc::SYS_unlinkat, "/data/d", &[0]),
        Answer::Errno(libc::EISDIR)
    );
    let directory = libc::AT_REMOVEDIR as u64;
    assert_eq!(world.at(libc::SYS_unlinkat, "/data/d/", &[directory]), ok);
    let not_empty = world.at(libc::SYS_unlinkat, "/data", &[directory]);
    assert_eq!(not_empty, Answer::Errno(libc::ENOTEMPTY));
}

#[test]
fn nothing_moves_between_the_machines() {
    let mut world = world();
    let local = CString::new(world.local.path().join("x").to_str().unwrap()).unwrap();
    let pod = c"/data/file";
    let cwd = libc::AT_FDCWD as u64;
    for (from, to) in [
        (address(&local), address(pod)),
        (address(pod), address(&local)),
    ] {
        let renamed = world.call(libc::SYS_renameat2, &[cwd, from, cwd, to, 0]);
        assert_eq!(renamed, Answer::Errno(libc::EXDEV));
        let linked = world.call(libc::SYS_linkat, &[cwd, from, cwd, to, 0]);
        assert_eq!(linked, Answer::Errno(libc::EXDEV));
    }
    let both = [cwd, address(&local), cwd, address(&local), 0];
    assert_eq!(world.call(libc::SYS_renameat2, &both), Answer::Kernel);
}

#[test]
fn attributes_are_changed() {
    let mut world = world();
    let ok = Answer::Number(0);
    assert_eq!(world.at(libc::SYS_fchmodat, "/data/file", &[0o640]), ok);
    assert_eq!(mode(&world, "data/file"), 0o640);
    // The bits that were known are not believed any more.
    assert_eq!(
        world.open("/data/file", libc::O_RDONLY, 0),
        Answer::Errno(libc::EACCES)
    );

    let nobody = u64::from(u32::MAX);
    assert_eq!(
        world.at(libc::SYS_fchownat, "/data/file", &[nobody, nobody, 0]),
        ok
    );

    let times: [i64; 4] = [1_000_000, 5, 2_000_000, 7];
    let args = [times.as_ptr() as u64, 0];
    assert_eq!(world.at(libc::SYS_utimensat, "/data/file", &args), ok);
    let meta = std::fs::metadata(world.in_pod("data/file")).unwrap();
    assert_eq!(
        (meta.atime(), meta.mtime(), meta.mtime_nsec()),
        (1_000_000, 2_000_000, 7)
    );
    assert_eq!(world.at(libc::SYS_utimensat, "/data/file", &[0, 0]), ok);
    let bad = [8, 0];
    assert_eq!(
        world.at(libc::SYS_utimensat, "/data/file", &bad),
        Answer::Errno(libc::EFAULT)
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_old_calls_mean_the_same() {
    let mut world = world();
    let ok = Answer::Number(0);
    let mut room = Room::new(256);
    assert_eq!(
        world.on(libc::SYS_open, "/data/file", &[0]),
        Answer::Fd("/data/file".into())
    );
    assert_eq!(
        world.on(libc::SYS_stat, "/data/file", &[room.address()]),
        ok
    );
    assert_eq!(
        world.on(libc::SYS_lstat, "/data/file", &[room.address()]),
        ok
    );
    assert_eq!(world.on(libc::SYS_access, "/data/file", &[4]), ok);
    assert_eq!(
        world.on(libc::SYS_creat, "/data/made", &[0o600]),
        Answer::Fd("/data/made".into())
    );
    assert_eq!(world.on(libc::SYS_mkdir, "/data/d", &[0o700]), ok);
    assert_eq!(world.on(libc::SYS_rmdir, "/data/d", &[]), ok);
    assert_eq!(world.on(libc::SYS_chmod, "/data/made", &[0o604]), ok);
    assert_eq!(mode(&world, "data/made"), 0o604);
    let to = c"/data/renamed";
    assert_eq!(world.on(libc::SYS_rename, "/data/made", &[address(to)]), ok);
    let seconds: [i64; 2] = [11, 22];
    let args = [seconds.as_ptr() as u64];
    assert_eq!(world.on(libc::SYS_utime, "/data/renamed", &args), ok);
    assert_eq!(
        std::fs::metadata(world.in_pod("data/renamed"))
            .unwrap()
            .mtime(),
        22
    );
    let values: [i64; 4] = [33, 1, 44, 1_000_000];
    let args = [values.as_ptr() as u64];
    let refused = world.on(libc::SYS_utimes, "/data/renamed", &args);
    assert_eq!(refused, Answer::Errno(libc::EINVAL));
    assert_eq!(world.on(libc::SYS_unlink, "/data/renamed", &[]), ok);
}
