//! Changing the pod's files through a real mount.

mod support;

use std::{
    ffi::CString,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
};

use mirrord_protocol::creds::Creds;
use rustix::fs::{AtFlags, OFlags, RenameFlags, Timespec, Timestamps, XattrFlags};
use support::{Pod, Setup, pattern};

const CREATE: OFlags = OFlags::CREATE.union(OFlags::RDWR);

#[test]
fn what_is_written_is_in_the_pod_at_once() {
    let pod = Pod::start();
    let content = pattern(3 << 20);
    let mut file = pod.open_flags("/file", CREATE).unwrap();
    for chunk in content.chunks(100_000) {
        file.write_all(chunk).unwrap();
    }
    assert!(fs::read(pod.here("file")).unwrap() == content);
    file.seek(SeekFrom::Start(1 << 20)).unwrap();
    let mut back = vec![0; 1 << 20];
    file.read_exact(&mut back).unwrap();
    assert!(back == content[1 << 20..2 << 20]);
    file.write_at(b"in the middle", 12_345).unwrap();
    assert_eq!(
        &fs::read(pod.here("file")).unwrap()[12_345..12_358],
        b"in the middle"
    );
    file.sync_all().unwrap();
    file.set_len(10).unwrap();
    assert_eq!(fs::metadata(pod.here("file")).unwrap().len(), 10);
    assert_eq!(file.metadata().unwrap().len(), 10);
}

#[test]
fn created_files_belong_to_the_target() {
    let creds = Creds {
        uid: 1234,
        gid: 4321,
        groups: Vec::new(),
    };
    let pod = Pod::with(Setup {
        creds,
        capabilities: 0,
        ..Setup::default()
    });
    fs::set_permissions(pod.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    pod.open_flags("/file", CREATE)
        .unwrap()
        .write_all(b"x")
        .unwrap();
    fs::create_dir(pod.root().join("dir")).unwrap();
    symlink("file", pod.root().join("link")).unwrap();
    for name in ["file", "dir", "link"] {
        let made = fs::symlink_metadata(pod.here(name)).unwrap();
        assert_eq!((made.uid(), made.gid()), (1234, 4321), "{name}");
    }
}

#[test]
fn a_file_made_read_only_can_be_written_by_who_made_it() {
    let creds = Creds {
        uid: 1234,
        gid: 1234,
        groups: Vec::new(),
    };
    let pod = Pod::with(Setup {
        creds,
        capabilities: 0,
        ..Setup::default()
    });
    fs::set_permissions(pod.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o444);
    let root = pod.client.root().unwrap();
    let flags = CREATE | OFlags::EXCL;
    let made = rustix::fs::openat(root, "object", flags, mode).unwrap();
    File::from(made).write_all(b"as git does").unwrap();
    assert_eq!(fs::read(pod.here("object")).unwrap(), b"as git does");
    assert_eq!(
        fs::metadata(pod.here("object")).unwrap().mode() & 0o777,
        0o444
    );
    // The same with a mode that is taken away later.
    let mut file = pod.open_flags("/later", CREATE).unwrap();
    file.set_permissions(PermissionsExt::from_mode(0o400))
        .unwrap();
    file.write_all(b"too").unwrap();
    assert_eq!(fs::read(pod.here("later")).unwrap(), b"too");
}

#[test]
fn exclusive_creation_and_truncation_mean_what_they_say() {
    let pod = Pod::start();
    pod.put("there", "content");
    let error = pod.open_flags("/there", CREATE | OFlags::EXCL).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
    drop(
        pod.open_flags("/there", OFlags::WRONLY | OFlags::TRUNC)
            .unwrap(),
    );
    assert_eq!(fs::read(pod.here("there")).unwrap(), b"");
    drop(pod.open_flags("/new", CREATE | OFlags::EXCL).unwrap());
    assert!(pod.here("new").exists());
}

#[test]
fn a_file_that_the_pod_made_meanwhile_is_opened_or_in_the_way() {
    let pod = Pod::start();
    for name in ["one", "two"] {
        // The kernel remembers that there is none.
        assert!(pod.open(name).is_err());
        pod.put(name, "the pod's");
    }
    let error = pod.open_flags("one", CREATE | OFlags::EXCL).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
    let mut text = String::new();
    pod.open_flags("two", CREATE)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "the pod's");
    // A link there is followed, as open(2) does.
    assert!(pod.open("three").is_err());
    symlink("two", pod.here("three")).unwrap();
    pod.open_flags("three", CREATE)
        .unwrap()
        .write_all(b"THE")
        .unwrap();
    assert_eq!(fs::read(pod.here("two")).unwrap(), b"THE pod's");
}

#[test]
fn appending_goes_to_the_end_that_the_pod_sees() {
    let pod = Pod::start();
    pod.put("log", "one\n");
    let mut ours = pod
        .open_flags("/log", OFlags::WRONLY | OFlags::APPEND)
        .unwrap();
    ours.write_all(b"two\n").unwrap();
    File::options()
        .append(true)
        .open(pod.here("log"))
        .unwrap()
        .write_all(b"three\n")
        .unwrap();
    ours.write_all(b"four\n").unwrap();
    assert_eq!(
        fs::read(pod.here("log")).unwrap(),
        b"one\ntwo\nthree\nfour\n"
    );
}

#[test]
fn names_can_be_made_moved_and_removed() {
    let pod = Pod::start();
    let root = pod.root();
    fs::create_dir(root.join("dir")).unwrap();
    fs::write(root.join("dir/a"), "content of a").unwrap();
    fs::hard_link(root.join("dir/a"), root.join("dir/b")).unwrap();
    assert_eq!(fs::metadata(pod.here("dir/b")).unwrap().nlink(), 2);
    fs::rename(root.join("dir/a"), root.join("c")).unwrap();
    assert_eq!(fs::read(pod.here("c")).unwrap(), b"content of a");
    assert!(!root.join("dir/a").exists());
    fs::write(root.join("d"), "content of d").unwrap();
    let (c, d) = (root.join("c"), root.join("d"));
    let at = rustix::fs::CWD;
    rustix::fs::renameat_with(at, &c, at, &d, RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(&c).unwrap(), b"content of d");
    let refused = rustix::fs::renameat_with(at, &c, at, &d, RenameFlags::NOREPLACE);
    assert_eq!(refused, Err(rustix::io::Errno::EXIST));
    let error = fs::remove_dir(root.join("dir")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTEMPTY));
    fs::remove_file(root.join("dir/b")).unwrap();
    fs::remove_dir(root.join("dir")).unwrap();
    assert_eq!(pod.names("/"), ["c", "d"]);
    rustix::fs::mknodat(
        pod.client.root().unwrap(),
        "fifo",
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert_eq!(
        fs::metadata(pod.here("fifo")).unwrap().mode() & libc::S_IFMT,
        libc::S_IFIFO
    );
}

#[test]
fn an_open_file_outlives_its_name() {
    let pod = Pod::start();
    let mut file = pod.open_flags("/temporary", CREATE).unwrap();
    fs::remove_file(pod.root().join("temporary")).unwrap();
    assert!(!pod.here("temporary").exists());
    file.write_all(b"still here").unwrap();
    let mut back = [0; 10];
    file.read_exact_at(&mut back, 0).unwrap();
    assert_eq!(&back, b"still here");
    // One that was replaced, too.
    pod.put("old", "the old one");
    let old = pod.open("/old").unwrap();
    fs::write(pod.root().join("new"), "the new one").unwrap();
    fs::rename(pod.root().join("new"), pod.root().join("old")).unwrap();
    let mut text = String::new();
    (&old).read_to_string(&mut text).unwrap();
    assert_eq!(text, "the old one");
    assert_eq!(pod.read("/old").unwrap(), b"the new one");
}

#[test]
fn attributes_can_be_set() {
    let pod = Pod::start();
    pod.put("file", "x");
    let file = pod.open_flags("/file", OFlags::RDWR).unwrap();
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o4751)).unwrap();
    rustix::fs::fchown(&file, Some(rustix::fs::Uid::from_raw(77)), None).unwrap();
    let time = Timespec {
        tv_sec: 1_000_000,
        tv_nsec: 123_456_789,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::futimens(&file, &times).unwrap();
    let here = fs::metadata(pod.here("file")).unwrap();
    assert_eq!(
        (here.uid(), here.mtime(), here.mtime_nsec()),
        (77, 1_000_000, 123_456_789)
    );
    let shown = file.metadata().unwrap();
    assert_eq!(
        (shown.mode(), shown.uid(), shown.mtime()),
        (here.mode(), 77, 1_000_000)
    );
    // Of a link itself.
    symlink("file", pod.here("link")).unwrap();
    let root = pod.client.root().unwrap();
    rustix::fs::utimensat(root, "link", &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    assert_eq!(
        fs::symlink_metadata(pod.here("link")).unwrap().mtime(),
        1_000_000
    );
}

#[test]
fn extended_attributes_travel() {
    let pod = Pod::start();
    pod.put("file", "x");
    let file = pod.open_flags("/file", OFlags::RDWR).unwrap();
    let name = CString::new("user.mirrord").unwrap();
    if rustix::fs::setxattr(pod.here("file"), &name, b"probe", XattrFlags::empty()).is_err() {
        eprintln!("NOT CHECKED: the test folder's file system has no user attributes");
        return;
    }
    rustix::fs::fsetxattr(&file, &name, b"value", XattrFlags::empty()).unwrap();
    let mut value = [0; 100];
    let len = rustix::fs::getxattr(pod.here("file"), &name, &mut value[..]).unwrap();
    assert_eq!(&value[..len], b"value");
    let len = rustix::fs::flistxattr(&file, &mut value[..]).unwrap();
    assert!(
        value[..len]
            .split(|&byte| byte == 0)
            .any(|name| name == b"user.mirrord")
    );
    rustix::fs::fremovexattr(&file, &name).unwrap();
    let gone = rustix::fs::fgetxattr(&file, &name, &mut value[..]);
    assert_eq!(gone, Err(rustix::io::Errno::NODATA));
}

#[test]
fn errors_of_the_pod_reach_the_call() {
    let creds = Creds {
        uid: 1234,
        gid: 1234,
        groups: Vec::new(),
    };
    let pod = Pod::with(Setup {
        creds,
        capabilities: 0,
        ..Setup::default()
    });
    pod.put("file", "x");
    let errno = |error: std::io::Error| error.raw_os_error();
    // The mount opens everything; the pod's kernel says no to the write itself.
    let file = pod.open_flags("/file", OFlags::RDWR).unwrap();
    assert_eq!(
        errno(file.write_at(b"y", 0).unwrap_err()),
        Some(libc::EACCES)
    );
    assert_eq!(errno(file.set_len(0).unwrap_err()), Some(libc::EACCES));
    let mode = PermissionsExt::from_mode(0o777);
    assert_eq!(
        errno(file.set_permissions(mode).unwrap_err()),
        Some(libc::EPERM)
    );
    assert_eq!(
        errno(fs::create_dir(pod.root().join("dir")).unwrap_err()),
        Some(libc::EACCES)
    );
    assert_eq!(
        errno(fs::remove_file(pod.root().join("file")).unwrap_err()),
        Some(libc::EACCES)
    );
    assert_eq!(fs::read(pod.here("file")).unwrap(), b"x");
}

#[test]
fn a_shared_mapping_writes_back() {
    let pod = Pod::start();
    pod.put("map", pattern(8192));
    let file = pod.open_flags("/map", OFlags::RDWR).unwrap();
    let (protection, shared) = (
        rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE,
        rustix::mm::MapFlags::SHARED,
    );
    // SAFETY: a fresh mapping of 8192 bytes, written inside its bounds and then unmapped.
    unsafe {
        let at =
            rustix::mm::mmap(std::ptr::null_mut(), 8192, protection, shared, &file, 0).unwrap();
        at.cast::<u8>().add(5000).write(b'!');
        rustix::mm::msync(at, 8192, rustix::mm::MsyncFlags::SYNC).unwrap();
        rustix::mm::munmap(at, 8192).unwrap();
    }
    assert_eq!(fs::read(pod.here("map")).unwrap()[5000], b'!');
}

#[test]
fn a_program_that_changed_its_ids_makes_files_with_them() {
    let pod = Pod::with(Setup {
        callers_ids: true,
        ..Setup::default()
    });
    fs::set_permissions(pod.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    pod.put("roots", "x");
    fs::set_permissions(pod.here("roots"), PermissionsExt::from_mode(0o600)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: sets ids of this thread alone, which ends below; no memory is touched.
            unsafe {
                libc::syscall(libc::SYS_setfsgid, 4321);
                libc::syscall(libc::SYS_setfsuid, 1234);
            }
            drop(pod.open_flags("/mine", CREATE).unwrap());
            let error = pod.read("/roots").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EACCES));
        });
    });
    let made = fs::metadata(pod.here("mine")).unwrap();
    assert_eq!((made.uid(), made.gid()), (1234, 4321));
}
