//! A supervisor process, its session's end, and programs under it.

use std::{
    ffi::OsString,
    fs::File,
    io::Read,
    os::fd::{AsFd, FromRawFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use mirrord_protocol::{codec, local::FromSupervisor};
use mirrord_rules::{FsMode, FsSource, RuleSource};
use mirrord_supervisor::{LaunchTerms, SupervisorConfig};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType},
};

/// A running supervisor.
pub struct Bed {
    pub dir: tempfile::TempDir,
    pub supervisor: Child,
    session: Option<OwnedFd>,
    uid: u32,
}

const FDS: &str = "TEST_FDS";
const LAUNCHES: &str = "TEST_LAUNCHES";

/// The token of launches, as text.
pub const TOKEN_TEXT: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// The terms of launches, when the test has some.
fn terms() -> Option<LaunchTerms> {
    std::env::var_os(LAUNCHES)?;
    let pair = |name: &str, value: &str| (name.into(), value.into());
    let terms = LaunchTerms {
        token: [0x5a; 32],
        set: vec![pair("SHARED", "pod"), pair("POD_VALUE", "from the pod")],
        unset: vec!["gone".into()],
        layer: layer().into_os_string().into_encoded_bytes(),
    };
    assert_eq!(terms.token_text(), TOKEN_TEXT);
    Some(terms)
}

/// The supervisor's role.
pub fn supervise() {
    let fds = std::env::var(FDS).expect("descriptors");
    let mut fds = fds.split(',').map(|fd| {
        let fd: RawFd = fd.parse().expect("a number");
        // SAFETY: inherited from the test, which names each descriptor once.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    let mut next = || fds.next().expect("enough descriptors");
    let config = SupervisorConfig {
        session: next(),
        files: None,
        hand_over: next(),
        rules: next(),
        peers: next(),
        owner: rustix::process::getuid().as_raw(),
        report_all: false,
        hostname: None,
        skipped: Vec::new(),
        launch: terms(),
        handlers: crate::handlers::make,
    };
    if let Err(error) = mirrord_supervisor::run(config) {
        eprintln!("supervisor: {error}");
        std::process::exit(1);
    }
}

/// The launcher's role.
pub fn launch(arguments: &[OsString]) -> ! {
    let environment: Vec<_> = std::env::vars_os().collect();
    let environment = mirrord_supervisor::launch::Environment::Given(environment);
    mirrord_supervisor::launch(Path::new(&arguments[0]), &arguments[1..], environment)
}

impl Bed {
    /// Starts a supervisor as this user.
    pub fn new() -> Bed {
        Bed::as_user(rustix::process::getuid().as_raw())
    }

    /// Starts a supervisor for programs that others start.
    pub fn for_launches() -> Bed {
        Bed::for_launches_of(rustix::process::getuid().as_raw())
    }

    /// As [`Bed::for_launches`], as another user.
    pub fn for_launches_of(uid: u32) -> Bed {
        Bed::start(uid, true)
    }

    /// Starts a supervisor as another user; only root can.
    pub fn as_user(uid: u32) -> Bed {
        Bed::start(uid, false)
    }

    fn start(uid: u32, launches: bool) -> Bed {
        let dir = tempfile::tempdir().expect("a folder");
        let remote = dir.path().join("remote");
        std::fs::create_dir(&remote).expect("a folder");
        for path in [dir.path(), &remote] {
            std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("chown");
        }
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
                .expect("socketpair");
        let hand_over = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let path = dir.path().join("supervisor.sock");
        rustix::net::bind(&hand_over, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&hand_over, 16).unwrap();
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).expect("chown");
        let memory = || rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::empty()).unwrap();
        let rules = memory();
        let block = mirrord_rules::compile(&rule_source()).expect("rules");
        assert_eq!(rustix::io::write(&rules, &block), Ok(block.len()));
        let fds = [theirs, hand_over, rules, memory()];
        for fd in &fds {
            fcntl_setfd(fd, FdFlags::empty()).unwrap();
        }
        use std::os::fd::AsRawFd;
        let numbers: Vec<String> = fds.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg("supervisor")
            .env(FDS, numbers.join(","))
            .env("REMOTE", &remote);
        if launches {
            // Built now, by us: another user may not.
            layer();
            command.env(LAUNCHES, "1");
        }
        if uid != rustix::process::getuid().as_raw() {
            command.uid(uid).gid(uid);
        }
        let supervisor = command.stdin(Stdio::null()).spawn().expect("a supervisor");
        Bed {
            dir,
            supervisor,
            session: Some(ours),
            uid,
        }
    }

    /// A folder that stands for the pod.
    pub fn remote(&self) -> PathBuf {
        self.dir.path().join("remote")
    }

    /// Compiles a C program of `tests/programs`.
    pub fn compile(&self, name: &str, flags: &[&str]) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
        let program = self.dir.path().join(name);
        let status = Command::new("cc")
            .args(["-O1", "-g", "-pthread", "-o"])
            .arg(&program)
            .arg(source)
            .args(flags)
            .status()
            .expect("a C compiler: apt-get install gcc libc6-dev");
        assert!(status.success());
        program
    }

    /// A program under the supervisor.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg("launch")
            .arg(self.dir.path().join("supervisor.sock"));
        command.arg(program).args(arguments);
        if self.uid != rustix::process::getuid().as_raw() {
            command.uid(self.uid).gid(self.uid);
        }
        command.stdin(Stdio::null());
        command
    }

    /// A program with the layer, which supervises it by itself.
    pub fn layered(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("LD_PRELOAD", layer())
            .stdin(Stdio::null());
        command.env(
            "MIRRORD_SUPERVISOR",
            self.dir.path().join("supervisor.sock"),
        );
        if self.uid != rustix::process::getuid().as_raw() {
            command.uid(self.uid).gid(self.uid);
        }
        command
    }

    /// The variables of a launch.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
        [
            ("LD_PRELOAD", text(layer())),
            (
                "MIRRORD_SUPERVISOR",
                text(self.dir.path().join("supervisor.sock")),
            ),
            ("MIRRORD_LAUNCH_TOKEN", TOKEN_TEXT.to_owned()),
        ]
    }

    /// A program that somebody else starts with the variables of a launch, and some of its own.
    pub fn launched(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.variables());
        command
            .env("SHARED", "local")
            .env("OWN", "kept")
            .env("Gone", "1");
        command.stdin(Stdio::null());
        command
    }

    /// As [`Bed::launched`], with the launcher in front in place of the layer.
    pub fn prefixed(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = self.launched(&std::env::current_exe().unwrap(), &["join"]);
        command.arg(self.dir.path().join("supervisor.sock"));
        command
            .arg(program)
            .args(arguments)
            .env_remove("LD_PRELOAD");
        command
    }

    /// The paths that the supervisor was asked about (openat only), and forgets them.
    pub fn asked(&self) -> String {
        let log = self.dir.path().join("remote.asked");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        text
    }

    /// Runs it to its end.
    pub fn run(&self, program: &Path, arguments: &[&str]) -> String {
        let child = self
            .command(program, arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        finish(child)
    }

    /// The next message of the supervisor.
    pub fn message(&self) -> FromSupervisor {
        let session = self.session.as_ref().expect("a session");
        let mut buf = [0; 4096];
        let timeout = rustix::event::Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        let mut fds = [rustix::event::PollFd::new(
            session,
            rustix::event::PollFlags::IN,
        )];
        let ready = rustix::event::poll(&mut fds, Some(&timeout)).unwrap();
        assert_eq!(ready, 1, "the supervisor says nothing");
        let (len, _) =
            rustix::net::recv(session.as_fd(), &mut buf[..], RecvFlags::empty()).unwrap();
        codec::decode(&buf[..len]).unwrap()
    }

    /// The session dies.
    pub fn end_session(&mut self) {
        self.session = None;
    }

    /// The process that does the work (the keeper's child).
    pub fn worker(&self) -> i32 {
        let id = self.supervisor.id();
        let path = format!("/proc/{id}/task/{id}/children");
        eventually("a worker", || {
            std::fs::read_to_string(&path)
                .ok()?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.end_session();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if self.supervisor.try_wait().expect("wait").is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        if !std::thread::panicking() {
            panic!("the supervisor did not end with its session");
        }
    }
}

/// Everything is local but `/remote`.
fn rule_source() -> RuleSource {
    let mode = FsMode::LocalWithOverrides;
    let read_write = vec!["^/remote(/|$)".into()];
    let fs = FsSource {
        mode,
        read_write,
        ..FsSource::default()
    };
    RuleSource {
        fs,
        ..RuleSource::default()
    }
}

/// The layer of this build, built when it is not there.
pub fn layer() -> PathBuf {
    static LAYER: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        // target/debug/deps/supervision-0123…
        let own = std::env::current_exe().unwrap();
        let target = own.ancestors().nth(3).unwrap();
        if std::env::var_os(LAUNCHES).is_some() {
            return target.join("debug/libmirrord_layer.so");
        }
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--package",
                "mirrord-layer",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo").success());
        target.join("debug/libmirrord_layer.so")
    };
    LAYER.get_or_init(build).clone()
}

/// Waits for a program and gives what it printed; it must succeed.
pub fn finish(child: Child) -> String {
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}; it printed: {text}");
    text
}

/// Polls for at most ten seconds.
pub fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The state letter of a thread.
pub fn state(tid: i32) -> char {
    let mut text = String::new();
    File::open(format!("/proc/{tid}/stat"))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text[text.rfind(')').unwrap() + 2..].chars().next().unwrap()
}
