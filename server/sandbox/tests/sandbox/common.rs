//! What the sandbox tests share: a place for sandboxes, and looks at what is left of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mirrord_sandbox::{Place, Sandbox, Sandboxes};

/// The binary with the sandbox's roles.
pub fn program() -> PathBuf {
    std::env::var_os("SANDBOX_PROGRAM").map_or_else(
        || env!("CARGO_BIN_EXE_mirrord-sandbox").into(),
        PathBuf::from,
    )
}

/// A folder for sandboxes; at the end everything in it must be gone.
pub struct Home {
    pub sandboxes: Sandboxes,
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        let folder = tempfile::Builder::new()
            .prefix("sandboxes-")
            .tempdir()
            .unwrap();
        Home {
            sandboxes: Sandboxes::new(folder.path(), program()),
            folder,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fails if a process, a mount or a file of a sandbox is left.
    pub fn assert_empty(&self) {
        let files: Vec<_> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(files.is_empty(), "files are left: {files:?}");
        let processes = self.processes();
        let told = |pid: &u32| {
            let read =
                |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            format!("{pid}: {:?} {}", read("cmdline"), read("status"))
        };
        let told: Vec<_> = processes.iter().map(told).collect();
        assert!(
            processes.is_empty(),
            "processes are left: {}",
            told.join("\n")
        );
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = self.path().to_str().unwrap();
        assert!(!mounts.contains(ours), "a mount is left: {mounts}");
    }

    /// Living processes whose command line or log names this folder: a sandbox's first process has
    /// it as an argument, all have their log in it.
    pub fn processes(&self) -> Vec<u32> {
        let pids = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let log = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap_or_default();
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let ours = self.path().as_os_str().as_encoded_bytes();
            *pid != std::process::id()
                && (log.starts_with(self.path())
                    || words.windows(ours.len()).any(|window| window == ours))
        })
        .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A failed test must not leave a sandbox running.
        for (info, _) in self.sandboxes.list().unwrap_or_default() {
            if let Err(error) = self.sandboxes.down(&info.name) {
                eprintln!("{error}");
            }
        }
    }
}

/// What a program prints at a place; it must succeed.
pub fn output(sandbox: &Sandbox, place: Place, argv: &[&str]) -> String {
    let mut command = sandbox.command(place, argv[0]);
    let output = command
        .args(&argv[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{argv:?}: {}\n{out}{err}",
        output.status
    );
    out.into_owned()
}

/// What a shell line prints inside the pod.
pub fn shell(sandbox: &Sandbox, line: &str) -> String {
    output(sandbox, Place::Pod, &["bash", "-c", line])
}

/// Waits for something that takes a moment.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "this did not come: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn is_root() -> bool {
    rustix_uid() == 0
}

fn rustix_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid()
}

/// Runs one test of this binary again as user 1000; says so and is content when this is an
/// ordinary user already, who cannot.
pub fn again_as_ordinary_user(test: &str) {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !is_root() {
        eprintln!("{test} runs as an ordinary user already");
        return;
    }
    // Copies: the build's own folder may be closed to others.
    let folder = tempfile::Builder::new()
        .prefix("sandbox-user-")
        .tempdir()
        .unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (tests, roles) = (folder.path().join("tests"), folder.path().join("roles"));
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    fs::copy(program(), &roles).unwrap();
    let output = Command::new(tests)
        .args(["--exact", test, "--nocapture"])
        .env("SANDBOX_PROGRAM", roles)
        .env("TMPDIR", "/tmp")
        .env("HOME", "/tmp")
        .current_dir("/")
        .uid(1000)
        .gid(1000)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("1 passed"),
        "as user 1000:\n{out}{err}"
    );
}
