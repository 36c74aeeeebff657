//! Calls of a real thread (the test's own), with a folder of another file system in the place of
//! the pod: decoding, deciding, acting and writing into the caller's memory are the real ones,
//! only the agent's answers are made here, from the folder's modes as user "other".

mod changing;
mod places;
mod reading;
mod snapshot;

use std::{
    ffi::CString,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mirrord_files::{Attr, Found, Walked};
use mirrord_protocol::event::EventKind;
use mirrord_rules::{AlignedBlock, FsMode, RuleSource, compile};
use rustix::event::{EventfdFlags, eventfd};

use crate::live_rules::LiveRules;

use super::{
    Events, Shared,
    pod::{Pod, Question},
    roots::Roots,
    sys::{self, Errno},
};
use crate::{
    call::{Call, Cancelled, Outcome, Plan, Value},
    memory,
    tracee::Tracee,
};

/// A folder as a pod.
struct Folder {
    root: OwnedFd,
    path: PathBuf,
    mounted: bool,
    walks: Arc<AtomicUsize>,
}

impl Pod for Folder {
    fn root(&self) -> Option<BorrowedFd<'_>> {
        self.mounted.then(|| self.root.as_fd())
    }

    fn walk(&self, question: &Question<'_>) -> Errno<Walked> {
        self.walks.fetch_add(1, Ordering::Relaxed);
        let valid_until = Instant::now() + Duration::from_millis(800);
        let found = self.find(question);
        Ok(Walked {
            found,
            parent: None,
            valid_until,
        })
    }

    fn snapshot(&self, question: &Question<'_>) -> Errno<OwnedFd> {
        let path = String::from_utf8_lossy(question.path);
        let path = self.path.join(path.trim_start_matches('/'));
        Ok(std::fs::File::open(path).unwrap().into())
    }

    fn limits(&self) -> Option<&str> {
        (!self.mounted).then_some("there is no mount in this test")
    }
}

impl Folder {
    fn find(&self, question: &Question<'_>) -> Result<Found, i32> {
        let path = [b".", question.path].concat();
        let flags = libc::O_PATH | if question.follow { 0 } else { libc::O_NOFOLLOW };
        let fd = sys::openat2(self.root.as_fd(), &path, flags as u64, 0, sys::IN_ROOT)?;
        let stat = rustix::fs::fstat(&fd).unwrap();
        let link = rustix::fs::readlinkat(&fd, c"", Vec::new()).ok();
        let shown = rustix::fs::readlink(super::tree::magic_path(&fd), Vec::new()).unwrap();
        let inside = &shown.to_bytes()[self.path.as_os_str().len()..];
        Ok(Found {
            path: if inside.is_empty() {
                b"/".to_vec()
            } else {
                inside.to_vec()
            },
            attr: Attr {
                mode: stat.st_mode,
                size: stat.st_size as u64,
                uid: stat.st_uid,
                ..Attr::default()
            },
            allowed: (stat.st_mode & 7) as u8,
            link: link
                .filter(|_| stat.st_mode & libc::S_IFMT == libc::S_IFLNK)
                .map(CString::into_bytes),
        })
    }
}

/// What came out of a call.
#[derive(Debug, PartialEq)]
enum Answer {
    /// Left to the kernel.
    Kernel,
    /// A number, answered at once or after blocking work.
    Number(i64),
    Errno(i32),
    Fd(String),
}

struct World {
    shared: Arc<Shared>,
    pod: tempfile::TempDir,
    local: tempfile::TempDir,
    walks: Arc<AtomicUsize>,
    /// Whether the last call was answered where it arrived.
    quick: bool,
    last_fd: Option<OwnedFd>,
}

/// Compiled once: without optimisation it takes seconds.
fn rules() -> &'static AlignedBlock {
    static BLOCK: OnceLock<AlignedBlock> = OnceLock::new();
    BLOCK.get_or_init(|| {
        let mut source = RuleSource::default();
        source.fs.mode = FsMode::LocalWithOverrides;
        source.fs.read_write = vec!["^/data(/|$)".to_owned()];
        source.fs.read_only = vec!["^/config(/|$)".to_owned(), "^/$".to_owned()];
        source.fs.not_found = vec!["^/gone(/|$)".to_owned()];
        source.fs.mapping = vec![("^/mapped/(.*)$".to_owned(), "/data/$1".to_owned())];
        AlignedBlock::new(&compile(&source).unwrap())
    })
}

fn world() -> World {
    make_world(true)
}

fn make_world(mounted: bool) -> World {
    // A thread's own umask and working directory.
    // SAFETY: only the file-system attributes are unshared; no descriptor is affected.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }.unwrap();
    // Not the file system of the local folder, as a mount is not.
    let pod = tempfile::tempdir_in("/dev/shm").unwrap();
    let local = tempfile::tempdir().unwrap();
    let walks = Arc::new(AtomicUsize::new(0));
    let folder = Folder {
        root: std::fs::File::open(pod.path()).unwrap().into(),
        path: pod.path().to_owned(),
        mounted,
        walks: walks.clone(),
    };
    let events = Events::Kept(Mutex::default());
    let shared = Shared::new(
        LiveRules::of(rules().rules().unwrap()),
        Box::new(folder),
        events,
        Arc::new(Roots::new().unwrap()),
    )
    .unwrap();
    let world = World {
        shared: Arc::new(shared),
        pod,
        local,
        walks,
        quick: false,
        last_fd: None,
    };
    world.make("data/file", "content of the pod", 0o644);
    world
}

impl World {
    fn in_pod(&self, path: &str) -> PathBuf {
        self.pod.path().join(path)
    }

    fn make(&self, path: &str, content: &str, mode: u32) {
        let path = self.in_pod(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn walks(&self) -> usize {
        self.walks.load(Ordering::Relaxed)
    }

    fn tracee() -> Tracee {
        Tracee::of_thread(rustix::thread::gettid().as_raw_nonzero().get())
    }

    /// Makes the plan, carries it out as the core does, and writes the results.
    fn call(&mut self, nr: i64, args: &[u64]) -> Answer {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        let tracee = World::tracee();
        let call = Call {
            id: 1,
            tid: tracee.tid(),
            nr,
            args: all,
        };
        let paths = super::Paths {
            shared: Some(self.shared.clone()),
            hostname: Some(Arc::from(&b"the-pod"[..])),
        };
        let plan = crate::handler::Handler::plan(&paths, &call, &tracee);
        self.quick = matches!(plan, Plan::Done(_));
        let outcome = match plan {
            Plan::Continue => return Answer::Kernel,
            Plan::Done(outcome) => outcome,
            Plan::Blocking { work, .. } | Plan::Asking { work, .. } => elsewhere(work),
        };
        for (address, bytes) in &outcome.writes {
            if memory::write_all(call.tid, *address, bytes).is_err() {
                return Answer::Errno(libc::EFAULT);
            }
        }
        match outcome.value {
            Value::Replace { .. } => panic!("paths replace no descriptors"),
            Value::Continue => Answer::Kernel,
            Value::Number(number) => Answer::Number(number),
            Value::Errno(errno) => Answer::Errno(errno),
            Value::Fd { fd, .. } => {
                let flags = rustix::fs::fcntl_getfl(&fd).unwrap();
                let path_only = flags.contains(rustix::fs::OFlags::PATH);
                assert!(
                    !path_only,
                    "the kernel would not give it to another process"
                );
                let shown = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
                let shown = shown.unwrap();
                let inside = shown.strip_prefix(self.pod.path());
                let shown = inside.map_or(shown.clone(), |path| Path::new("/").join(path));
                self.last_fd = Some(fd);
                Answer::Fd(shown.to_str().unwrap().to_owned())
            }
        }
    }

    /// `openat` from the working directory.
    fn open(&mut self, path: &str, flags: i32, mode: u32) -> Answer {
        self.open_at(libc::AT_FDCWD, path, flags, mode)
    }

    fn open_at(&mut self, dir: i32, path: &str, flags: i32, mode: u32) -> Answer {
        let path = CString::new(path).unwrap();
        let args = [dir as u64, address(&path), flags as u64, mode.into()];
        self.call(libc::SYS_openat, &args)
    }

    /// A call whose first argument is a directory and whose second is a path.
    fn at(&mut self, nr: i64, path: &str, rest: &[u64]) -> Answer {
        let path = CString::new(path).unwrap();
        let mut args = vec![libc::AT_FDCWD as u64, address(&path)];
        args.extend_from_slice(rest);
        self.call(nr, &args)
    }

    /// A call whose first argument is a path.
    fn on(&mut self, nr: i64, path: &str, rest: &[u64]) -> Answer {
        let path = CString::new(path).unwrap();
        let mut args = vec![address(&path)];
        args.extend_from_slice(rest);
        self.call(nr, &args)
    }

    fn content(&mut self) -> String {
        std::io::read_to_string(std::fs::File::from(self.last_fd.take().unwrap())).unwrap()
    }

    fn events(&self) -> Vec<EventKind> {
        match &self.shared.events {
            Events::Kept(kept) => std::mem::take(&mut kept.lock().unwrap()),
            Events::Session(_) => Vec::new(),
        }
    }
}

/// Blocking work runs on a thread of the supervisor, which has no umask.
fn elsewhere(work: Box<dyn FnOnce(&Cancelled) -> Outcome + Send>) -> Outcome {
    std::thread::scope(|scope| {
        let run = || {
            // SAFETY: as above.
            unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }.unwrap();
            sys::clear_umask();
            work(&Cancelled::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap()))
        };
        scope.spawn(run).join().unwrap()
    })
}

fn address<T: ?Sized + AsRef<std::ffi::CStr>>(text: &T) -> u64 {
    text.as_ref().as_ptr() as u64
}

/// Room in this process that a call may write to.
struct Room(Vec<u8>);

impl Room {
    fn new(size: usize) -> Room {
        Room(vec![0xee; size])
    }

    fn address(&mut self) -> u64 {
        self.0.as_mut_ptr() as u64
    }
}
