//! A target with its files, and all processes of a session around it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{fs::PermissionsExt, fs::chown, fs::symlink, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mirrord_link::SessionIdentity;
use mirrord_protocol::{codec, event::EventKind, local::FromSupervisor};
use mirrord_rules::{FsMode, RuleSource, compile};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType},
};

/// The target's user.
pub const TARGET: u32 = 2000;

pub struct Bed {
    pub dir: tempfile::TempDir,
    target: Child,
    agent: Child,
    files: Child,
    supervisor: Child,
    session: Option<OwnedFd>,
    events: Option<JoinHandle<Vec<EventKind>>>,
}

/// Compiles `tests/programs/NAME.c` to `out`.
pub fn compile_c(name: &str, out: &Path, flags: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wno-unused-result", "-o"])
        .arg(out)
        .arg(source)
        .args(flags);
    assert!(
        cc.status()
            .expect("a C compiler: apt-get install gcc libc6-dev")
            .success()
    );
}

/// A root folder as a pod has it. Two of them are equal but for inode numbers.
pub fn make_root(root: &Path) {
    let at = |path: &str| root.join(path);
    let folder = |path: &str, mode: u32, owner: u32| {
        std::fs::create_dir_all(at(path)).unwrap();
        std::fs::set_permissions(at(path), PermissionsExt::from_mode(mode)).unwrap();
        chown(at(path), Some(owner), Some(owner)).unwrap();
    };
    let file = |path: &str, content: &str, mode: u32, owner: u32| {
        std::fs::write(at(path), content).unwrap();
        std::fs::set_permissions(at(path), PermissionsExt::from_mode(mode)).unwrap();
        chown(at(path), Some(owner), Some(owner)).unwrap();
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let opened = std::fs::File::open(at(path)).unwrap();
        opened.set_modified(time).unwrap();
    };
    std::fs::create_dir_all(root).unwrap();
    std::fs::set_permissions(root, PermissionsExt::from_mode(0o755)).unwrap();
    for path in ["bin", "proc", "run/secrets", "var", "etc/app", "usr"] {
        folder(path, 0o755, 0);
    }
    folder("data", 0o755, TARGET);
    folder("data/dir", 0o755, TARGET);
    folder("data/closed", 0o700, 0);
    folder("data/readonly", 0o755, 0);
    folder("data/sticky", 0o1777, 0);
    file("data/file", "content of the pod\n", 0o644, TARGET);
    file("data/secret", "secret\n", 0o600, 0);
    file("data/shared", "for all\n", 0o444, 0);
    file("data/closed/file", "", 0o644, 0);
    file("data/sticky/roots", "", 0o666, 0);
    file("data/dir/a", "a", 0o644, TARGET);
    file("data/dir/b", "bb", 0o640, TARGET);
    file("run/secrets/token", "the token", 0o644, 0);
    file("etc/app/config", "key = value\n", 0o644, 0);
    let link = |text: &str, path: &str| symlink(text, at(path)).unwrap();
    link("/run", "var/run");
    link("/data/file", "data/absolute");
    link("../data/dir/a", "data/relative");
    link("nowhere", "data/dangling");
    link("loop", "data/loop");
    link("/../../../data/dir", "data/escaping");
    link("/data/file", "data/sticky/link");
}

/// A session on a root folder made with [`make_root`], with the programs `look` (static) in the
/// target's `/bin` and `look-dynamic` here.
impl Bed {
    pub fn new() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        make_root(&root);
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        compile_c("look", &root.join("bin/look"), &["-static"]);
        compile_c("look", &dir.path().join("look-dynamic"), &[]);
        let target = in_target(&root, &["wait"]).spawn().unwrap();
        let endpoint = format!("unix:{}", dir.path().join("agent.sock").display());
        let key = SessionIdentity::new_key().unwrap();
        let mut agent = role("agent", &[])
            .env("TEST_KEY", SessionIdentity::public_hex(&key))
            .env("TEST_TARGET", target.id().to_string())
            .env("TEST_ENDPOINT", &endpoint)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut fingerprint = String::new();
        BufReader::new(agent.stdout.take().unwrap())
            .read_line(&mut fingerprint)
            .unwrap();
        let identity = SessionIdentity {
            session: "test".to_owned(),
            key,
            agent: fingerprint.trim().parse().expect("the agent's fingerprint"),
        };
        let bytes: Vec<String> = identity
            .to_bytes()
            .unwrap()
            .iter()
            .map(u8::to_string)
            .collect();
        let (ours, theirs) = pair();
        let files = role("files", &[&theirs])
            .env("TEST_ENDPOINT", &endpoint)
            .env("TEST_IDENTITY", bytes.join(","))
            .spawn()
            .unwrap();
        let (session, supervisors) = pair();
        let hand_over = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let path = SocketAddrUnix::new(dir.path().join("supervisor.sock")).unwrap();
        rustix::net::bind(&hand_over, &path).unwrap();
        rustix::net::listen(&hand_over, 16).unwrap();
        let memory = || rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::empty()).unwrap();
        let rules = memory();
        rustix::io::write(&rules, &block()).unwrap();
        let fds = [&supervisors, &ours, &hand_over, &rules, &memory()];
        let supervisor = role("supervisor", &fds)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let events = collect(session.try_clone().unwrap());
        Bed {
            dir,
            target,
            agent,
            files,
            supervisor,
            session: Some(session),
            events: Some(events),
        }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A program under the supervisor.
    pub fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg("launch")
            .arg(self.dir.path().join("supervisor.sock"));
        command.arg(program).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it and gives what it printed.
    pub fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> String {
        printed(self.command(program, arguments))
    }

    /// The same with the layer loaded.
    pub fn command_with_layer(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env("LD_PRELOAD", layer());
        command.env(
            "MIRRORD_SUPERVISOR",
            self.dir.path().join("supervisor.sock"),
        );
        command
    }

    /// Ends the session and gives its events.
    pub fn events(mut self) -> Vec<EventKind> {
        self.end();
        self.events.take().unwrap().join().unwrap()
    }

    fn end(&mut self) {
        if let Some(session) = self.session.take() {
            rustix::net::shutdown(&session, rustix::net::Shutdown::Both).unwrap();
            let deadline = Instant::now() + Duration::from_secs(5);
            while self.supervisor.try_wait().unwrap().is_none() {
                if Instant::now() > deadline {
                    let _ = self.supervisor.kill();
                    let _ = self.supervisor.wait();
                    assert!(
                        std::thread::panicking(),
                        "the supervisor did not end with its session"
                    );
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.end();
        for child in [&mut self.files, &mut self.agent, &mut self.target] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `/bin/look` of a root folder, as the target's user, inside of it.
pub fn in_target(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/look");
    let root = std::ffi::CString::new(root.to_str().unwrap()).unwrap();
    command.args(arguments).stdin(Stdio::null()).env_clear();
    let enter = move || {
        // SAFETY: between fork and exec only system calls are made.
        let done = unsafe {
            libc::chroot(root.as_ptr()) == 0
                && libc::chdir(c"/".as_ptr()) == 0
                && libc::mount(
                    c"proc".as_ptr(),
                    c"/proc".as_ptr(),
                    c"proc".as_ptr(),
                    0,
                    std::ptr::null(),
                ) == 0
                && libc::setgroups(0, std::ptr::null()) == 0
                && libc::setresgid(TARGET, TARGET, TARGET) == 0
                && libc::setresuid(TARGET, TARGET, TARGET) == 0
        };
        if done {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: see `enter`; the mount namespace is the child's own, so its /proc goes with it.
    unsafe {
        command.pre_exec(|| match libc::unshare(libc::CLONE_NEWNS) {
            0 => {
                let private = libc::MS_REC | libc::MS_PRIVATE;
                let none = std::ptr::null();
                libc::mount(none, c"/".as_ptr(), none, private, std::ptr::null());
                Ok(())
            }
            _ => Err(std::io::Error::last_os_error()),
        });
        command.pre_exec(enter);
    }
    command
}

/// The layer, built once; it is no part of this crate, so cargo does not build it for us.
fn layer() -> &'static Path {
    static LAYER: OnceLock<PathBuf> = OnceLock::new();
    LAYER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test
            .parent()
            .and_then(Path::parent)
            .expect("target/PROFILE/deps");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "-q", "-p", "mirrord-layer", "--target-dir"]);
        build
            .arg(profile.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
        profile.join("libmirrord_layer.so")
    })
}

/// What a program printed; it must succeed.
pub fn printed(mut command: Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}; it printed: {text}",
        output.status
    );
    text
}

fn role(name: &str, fds: &[&OwnedFd]) -> Command {
    for fd in fds {
        fcntl_setfd(fd, FdFlags::empty()).unwrap();
    }
    let numbers: Vec<String> = fds.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(name).env("TEST_FDS", numbers.join(","));
    command
}

fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

fn block() -> Vec<u8> {
    let mut source = RuleSource::default();
    source.fs.mode = FsMode::LocalWithOverrides;
    source.fs.read_write = vec!["^/data(/|$)".to_owned()];
    source.fs.read_only = vec!["^/(var/)?run/secrets(/|$)|^/etc/app(/|$)".to_owned()];
    compile(&source).unwrap()
}

fn collect(session: OwnedFd) -> JoinHandle<Vec<EventKind>> {
    std::thread::spawn(move || {
        let mut events = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match rustix::net::recv(session.as_fd(), &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) | Err(_) => return events,
                Ok((len, _)) => {
                    if let Ok(FromSupervisor::Event(event)) = codec::decode(&buffer[..len]) {
                        events.push(event);
                    }
                }
            }
        }
    })
}
