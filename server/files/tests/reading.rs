//! Reading the pod's files through a real mount.

mod support;

use std::{
    io::Read,
    os::unix::fs::{FileExt, MetadataExt, symlink},
    time::{Duration, Instant},
};

use mirrord_files::{Want, allow};
use mirrord_protocol::creds::Creds;
use rustix::fs::OFlags;
use support::{Pod, Setup, pattern, within_a_second};

#[test]
fn a_file_reads_as_it_is_in_the_pod() {
    let pod = Pod::start();
    let content = pattern(300_000);
    pod.put("data/file", &content);
    assert!(pod.read("/data/file").unwrap() == content);
    let file = pod.open("/data/file").unwrap();
    let mut part = [0; 1000];
    file.read_exact_at(&mut part, 123_456).unwrap();
    assert_eq!(part[..], content[123_456..124_456]);
    assert_eq!(file.read_at(&mut part, 300_000).unwrap(), 0);
    assert_eq!(file.metadata().unwrap().len(), 300_000);
}

#[test]
fn attributes_are_the_pods() {
    let pod = Pod::start();
    pod.put("file", "hello");
    let here = std::fs::metadata(pod.here("file")).unwrap();
    let there = pod.metadata("/file").unwrap();
    let facts = |m: &std::fs::Metadata| {
        (
            m.ino(),
            m.mode(),
            m.nlink(),
            m.uid(),
            m.gid(),
            m.size(),
            m.blocks(),
            m.mtime_nsec(),
        )
    };
    assert_eq!(facts(&there), facts(&here));
    assert_eq!(there.created().ok(), here.created().ok());
    assert_ne!(there.dev(), here.dev());
}

#[test]
fn directories_list_completely_and_in_pieces() {
    let pod = Pod::start();
    std::fs::create_dir(pod.here("big")).unwrap();
    for number in 0..10_000 {
        std::fs::write(pod.here(&format!("big/file-{number:05}")), "").unwrap();
    }
    let names = pod.names("/big");
    assert_eq!(names.len(), 10_000);
    assert_eq!((&*names[0], &*names[9_999]), ("file-00000", "file-09999"));
    // Again, from the kernel's cache.
    assert_eq!(pod.names("/big").len(), 10_000);
}

#[test]
fn links_stay_inside_the_pod() {
    let pod = Pod::start();
    pod.put("run/secrets/token", "secret");
    std::fs::create_dir(pod.here("var")).unwrap();
    symlink("/run", pod.here("var/run")).unwrap();
    symlink("../../../../../../etc/hostname", pod.here("escape")).unwrap();
    pod.put("etc/hostname", "the-pod");
    assert_eq!(pod.read("/var/run/secrets/token").unwrap(), b"secret");
    assert_eq!(pod.read("/escape").unwrap(), b"the-pod");
    // Followed by a plain path walk too, which knows nothing of RESOLVE_IN_ROOT.
    let plain = pod.root().join("var/run/secrets/token");
    assert_eq!(std::fs::read(plain).unwrap(), b"secret");
    // The supervisor can show the text as it is.
    assert_eq!(
        pod.client.readlink(b"/var/run", None, None).unwrap(),
        b"/run"
    );
}

#[test]
fn a_file_can_be_mapped() {
    let pod = Pod::start();
    let content = pattern(1 << 20);
    pod.put("lib.so", &content);
    let file = pod.open("/lib.so").unwrap();
    // SAFETY: a fresh mapping of a file that nobody changes during the test.
    let mapped = unsafe {
        let at = rustix::mm::mmap(
            std::ptr::null_mut(),
            1 << 20,
            rustix::mm::ProtFlags::READ,
            rustix::mm::MapFlags::PRIVATE,
            &file,
            0,
        )
        .unwrap();
        std::slice::from_raw_parts(at.cast::<u8>(), 1 << 20)
    };
    assert!(mapped == content);
}

#[test]
fn changes_in_the_pod_show_within_a_second() {
    let pod = Pod::start();
    pod.put("config/value", "old");
    pod.put("config-2/value", "new through a swapped link");
    symlink("config", pod.here("current")).unwrap();
    let held = pod.open("/config/value").unwrap();
    let read_held = || {
        let mut content = [0; 64];
        let len = held.read_at(&mut content, 0).unwrap();
        String::from_utf8_lossy(&content[..len]).into_owned()
    };
    assert_eq!(read_held(), "old");
    assert_eq!(pod.read("/current/value").unwrap(), b"old");
    assert!(pod.open("/config/later").is_err());
    std::fs::write(pod.here("config/value"), "newer").unwrap();
    within_a_second("new content", || read_held() == "newer");
    std::fs::write(pod.here("config/later"), "here").unwrap();
    within_a_second("a file after ENOENT", || pod.read("/config/later").is_ok());
    symlink("config-2", pod.here("next")).unwrap();
    std::fs::rename(pod.here("next"), pod.here("current")).unwrap();
    within_a_second("a swapped link", || {
        pod.read("/current/value").unwrap() == b"new through a swapped link"
    });
    std::fs::remove_file(pod.here("config/later")).unwrap();
    within_a_second("a removed file", || pod.open("/config/later").is_err());
    assert!(pod.names("/config").contains(&"value".to_owned()));
    std::fs::write(pod.here("config/third"), "").unwrap();
    within_a_second("a new name in a listing", || {
        pod.names("/config").len() == 2
    });
}

#[test]
fn the_pods_kernel_decides_with_the_targets_ids() {
    let creds = Creds {
        uid: 1234,
        gid: 1234,
        groups: vec![4321],
    };
    let pod = Pod::with(Setup {
        creds,
        capabilities: 0,
        ..Setup::default()
    });
    for (name, owner, group, mode) in [
        ("open", 0, 0, 0o644),
        ("closed", 0, 0, 0o600),
        ("own", 1234, 0, 0o600),
        ("by-group", 0, 4321, 0o640),
    ] {
        pod.put(name, name);
        let here = pod.here(name);
        std::os::unix::fs::chown(&here, Some(owner), Some(group)).unwrap();
        std::fs::set_permissions(&here, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    }
    std::fs::create_dir(pod.here("locked")).unwrap();
    pod.put("locked/file", "");
    std::fs::set_permissions(
        pod.here("locked"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let allowed = |path| pod.walk(path, Want::Data).found.map(|found| found.allowed);
    assert_eq!(allowed("/open"), Ok(allow::READ));
    assert_eq!(allowed("/closed"), Ok(0));
    assert_eq!(allowed("/own"), Ok(allow::READ | allow::WRITE));
    assert_eq!(allowed("/by-group"), Ok(allow::READ));
    assert_eq!(allowed("/locked"), Ok(0));
    assert_eq!(allowed("/locked/file"), Err(libc::EACCES));
    assert_eq!(pod.read("/own").unwrap(), b"own");
    assert_eq!(
        pod.read("/closed").unwrap_err().raw_os_error(),
        Some(libc::EACCES)
    );
    assert_eq!(
        pod.open("/locked/file").unwrap_err().raw_os_error(),
        Some(libc::EACCES)
    );
    // Another's rights, for a debuggee that changed its ids.
    let root = Creds {
        uid: 0,
        gid: 0,
        groups: Vec::new(),
    };
    let walked = pod
        .client
        .walk(b"/closed", true, Want::Attr, Some(&root), None)
        .unwrap();
    assert_eq!(walked.found.unwrap().allowed, allow::READ | allow::WRITE);
}

#[test]
fn walks_end_with_the_errnos_of_the_kernel() {
    let pod = Pod::start();
    pod.put("dir/file", "");
    symlink("loop", pod.here("loop")).unwrap();
    symlink("nowhere", pod.here("dangling")).unwrap();
    symlink("dir/file", pod.here("link")).unwrap();
    let errno = |path| pod.walk(path, Want::Attr).found.unwrap_err();
    assert_eq!(errno("/missing"), libc::ENOENT);
    assert_eq!(errno("/missing/deeper"), libc::ENOENT);
    assert_eq!(errno("/dir/file/deeper"), libc::ENOTDIR);
    assert_eq!(errno("/dir/file/"), libc::ENOTDIR);
    assert_eq!(errno("/loop"), libc::ELOOP);
    assert_eq!(errno("/dangling"), libc::ENOENT);
    assert_eq!(errno(&format!("/{}", "x".repeat(256))), libc::ENAMETOOLONG);
    assert_eq!(
        pod.walk("/link", Want::Attr).found.unwrap().path,
        b"/dir/file"
    );
    assert_eq!(
        pod.walk("/dir/../dir/./file", Want::Attr)
            .found
            .unwrap()
            .path,
        b"/dir/file"
    );
    assert_eq!(pod.walk("/../..", Want::Attr).found.unwrap().path, b"/");
    // The directory is known where only the last name is missing.
    assert!(pod.walk("/dir/new", Want::Attr).parent.is_some());
    assert!(pod.walk("/missing/new", Want::Attr).parent.is_none());
}

#[test]
fn one_walk_pays_for_opening_reading_and_listing() {
    let setup = Setup {
        delay: Duration::from_millis(50),
        ..Setup::default()
    };
    let pod = Pod::with(setup);
    pod.put("a/b/file", pattern(4096));
    for number in 0..100 {
        pod.put(&format!("dir/{number}"), "x");
    }
    let took = |work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    let round_trip = Duration::from_millis(100);
    let time = took(&mut || {
        pod.walk("/a/b/file", Want::Data);
        assert_eq!(pod.read("/a/b/file").unwrap(), pattern(4096));
    });
    assert!(time < round_trip * 3 / 2, "{time:?}");
    let time = took(&mut || {
        pod.walk("/dir", Want::List);
        assert_eq!(pod.names("/dir").len(), 100);
        assert_eq!(pod.metadata("/dir/7").unwrap().len(), 1);
    });
    assert!(time < round_trip * 3 / 2, "{time:?}");
}

#[test]
fn small_reads_in_a_row_do_not_pay_round_trips() {
    let setup = Setup {
        delay: Duration::from_millis(50),
        ..Setup::default()
    };
    let pod = Pod::with(setup);
    let content = pattern(1 << 20);
    pod.put("file", &content);
    let began = Instant::now();
    pod.walk("/file", Want::Data);
    let mut file = pod.open("/file").unwrap();
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    while let len @ 1.. = file.read(&mut chunk).unwrap() {
        read.extend_from_slice(&chunk[..len]);
    }
    let time = began.elapsed();
    assert!(read == content);
    // The walk, the first window, the rest.
    assert!(time < Duration::from_millis(100) * 4, "{time:?}");
    eprintln!("1 MiB in 4 KiB reads: {time:?}");
}

#[test]
fn files_without_a_size_are_read_all_the_same() {
    let pod = Pod::start();
    // The root is a folder, so /proc must be in it: bound there in a namespace of the test's own
    // would hide it from the agent's threads; a link to it would stay in the pod. A pod whose
    // root is this machine's has one.
    drop(pod);
    let setup = Setup::default();
    let (endpoint, identity) = support::agent(std::path::Path::new("/"), &setup);
    let (ours, theirs) = support::control();
    let options = mirrord_files::ServeOptions {
        endpoint,
        identity,
        writable: false,
        callers_ids: false,
        deadline: setup.deadline,
    };
    std::thread::spawn(move || mirrord_files::serve(options, theirs));
    let client = mirrord_files::FilesClient::from_fd(ours).unwrap();
    let pod = Pod {
        folder: support::folder(),
        client,
    };
    for path in [
        "/proc/cpuinfo",
        "/proc/sys/kernel/ostype",
        "/proc/filesystems",
    ] {
        let expected = std::fs::read(path).unwrap();
        assert_eq!(pod.read(path).unwrap(), expected, "{path}");
        let snapshot = pod.client.snapshot(path.as_bytes(), None, None).unwrap();
        let mut content = Vec::new();
        std::fs::File::from(snapshot)
            .read_to_end(&mut content)
            .unwrap();
        assert_eq!(content, expected, "{path}");
    }
}

#[test]
fn a_hundred_mebibytes_arrive_whole() {
    let pod = Pod::start();
    let content = pattern(100 << 20);
    pod.put("big", &content);
    let began = Instant::now();
    let mut file = pod.open("/big").unwrap();
    let mut chunk = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        let len = file.read(&mut chunk).unwrap();
        if len == 0 {
            break;
        }
        assert!(chunk[..len] == content[at..at + len], "differs near {at}");
        at += len;
    }
    assert_eq!(at, content.len());
    eprintln!("100 MiB in {:?}", began.elapsed());
}

#[test]
fn a_read_only_session_cannot_change_the_pod() {
    let pod = Pod::with(Setup {
        writable: false,
        ..Setup::default()
    });
    pod.put("file", "x");
    let error = pod.open_flags("/file", OFlags::WRONLY).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EROFS));
    let error = pod
        .open_flags("/new", OFlags::WRONLY | OFlags::CREATE)
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EROFS));
}

#[test]
fn a_snapshot_is_whole_sealed_and_read_only() {
    let pod = Pod::start();
    let content = pattern(3 << 20);
    pod.put("file", &content);
    let snapshot = std::fs::File::from(pod.client.snapshot(b"/file", None, None).unwrap());
    let mut read = Vec::new();
    (&snapshot).read_to_end(&mut read).unwrap();
    assert!(read == content);
    assert!(snapshot.write_at(b"x", 0).is_err());
    assert_eq!(
        pod.client.snapshot(b"/", None, None).unwrap_err(),
        libc::EISDIR
    );
    assert_eq!(
        pod.client.snapshot(b"/none", None, None).unwrap_err(),
        libc::ENOENT
    );
}

#[test]
fn what_was_seen_costs_no_message() {
    // Far away: one message would take longer than all of this.
    let setup = Setup {
        delay: Duration::from_millis(100),
        ..Setup::default()
    };
    let pod = Pod::with(setup);
    pod.put("a/file", pattern(4096));
    pod.walk("/a/file", Want::Data);
    assert_eq!(pod.read("/a/file").unwrap().len(), 4096);
    let mut buffer = [0; 2048];
    let began = Instant::now();
    for _ in 0..1000 {
        let mut file = pod.open("/a/file").unwrap();
        file.read_exact(&mut buffer).unwrap();
        file.read_exact(&mut buffer).unwrap();
    }
    let each = began.elapsed() / 1000;
    eprintln!("open, two reads, close: {each:?}");
    let began = Instant::now();
    for _ in 0..1000 {
        pod.metadata("/a/file").unwrap();
    }
    eprintln!("stat: {:?}", began.elapsed() / 1000);
    assert!(each < Duration::from_micros(200), "{each:?}");
}
