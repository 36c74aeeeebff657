//! The `sandbox` stage: the built product on real namespaces and real programs, once as root and
//! once as an ordinary user, and the demo as both.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Count;
use crate::command::{self, cargo, root};
use crate::{build, prerequisites};

/// The ordinary user of the second run, when the first is root's: an id nobody has.
const USER: u32 = 12_345;

/// Why the tests of a program are not run by this pass: as root, or as an ordinary user.
fn skipped(program: &Path, as_root: bool) -> Option<&'static str> {
    let name = program.file_name()?.to_string_lossy();
    if name.starts_with("users-") && !as_root {
        return Some("only root can make a pod that has several users");
    }
    if ["containers-", "container_launches-"]
        .iter()
        .any(|one| name.starts_with(one))
    {
        if !as_root {
            return Some("rootless Podman needs a user with sub-ids, which the test's has not");
        }
        if let Some((missing, _)) = prerequisites::missing(prerequisites::CONTAINERS).first() {
            println!("-- {missing} is not installed");
            return Some("there is no Podman here");
        }
    }
    None
}

/// Runs it.
pub fn run() -> Result<Count> {
    prerequisites::say_what_is_missing(prerequisites::SANDBOX)?;
    if command::is_root() && prerequisites::on_path("apt-get") {
        prerequisites::say_what_is_missing(prerequisites::CONTAINERS)?;
    }
    let product = build::product(build::Profile::Dev)?;
    let tests = test_programs()?;
    // Where anybody may read them: a clone can lie in a folder that only root may enter.
    let public = tempfile::Builder::new()
        .prefix("mirrord-stage-")
        .tempdir()?;
    open_to_all(public.path())?;
    command::run(
        Command::new("cp")
            .arg("-r")
            .arg(root().join("tests/programs"))
            .arg(public.path().join("programs")),
    )?;
    std::fs::copy(
        root().join("tests/allowed-differences.json"),
        public.path().join("allowed-differences.json"),
    )?;
    copy_all(&product_files(&product), &public.path().join("bin"))?;
    copy_all(&tests, &public.path().join("tests"))?;

    let mut count = Count::default();
    if !command::is_root() {
        count += pass("as this user", None, public.path())?;
        println!("-- as root: skipped (run the stage with sudo to have it too)");
        count.skipped += 1;
        return Ok(count);
    }
    count += pass("as root", None, public.path())?;
    open_fuse()?;
    count += pass("as an ordinary user", Some(USER), public.path())?;
    Ok(count)
}

fn pass(who: &str, user: Option<u32>, public: &Path) -> Result<Count> {
    let (bin, tests) = (public.join("bin"), public.join("tests"));
    let mut count = Count::default();
    let home = tempfile::Builder::new().prefix("mirrord-home-").tempdir()?;
    if let Some(user) = user {
        std::os::unix::fs::chown(home.path(), Some(user), Some(user))?;
    }
    println!("-- the demo {who}");
    let status = as_user(user, &bin.join("mirrord-server"), home.path())
        .arg("demo")
        .status()
        .context("could not start the demo")?;
    println!("-- the demo {who}: {status}");
    count += Count::one(status.success(), &format!("the demo {who}: {status}"));
    let mut programs: Vec<PathBuf> = std::fs::read_dir(&tests)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    programs.sort();
    for program in programs {
        let as_root = user.is_none() && command::is_root();
        if let Some(reason) = skipped(&program, as_root) {
            let tests = command::output(Command::new(&program).args(["--list", "--format=terse"]))?;
            println!("-- {} {who}: skipped: {reason}", program.display());
            count.skipped += u32::try_from(tests.lines().count())?;
            continue;
        }
        println!("-- {} {who}", program.display());
        let output = as_user(user, &program, home.path())
            .env("MIRRORD_TEST_BIN", &bin)
            .env("MIRRORD_TEST_SOURCES", public)
            .env("MIRRORD_TEST_PROGRAMS", public.join("built"))
            .env("MIRRORD_TEST_CACHE", cache()?)
            .args(["--test-threads", "1"])
            .stderr(std::process::Stdio::inherit())
            .output()
            .with_context(|| format!("could not start {}", program.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        print!("{printed}");
        count += Count::of_rust_tests(&printed, output.status.success());
    }
    Ok(count)
}

/// A command as root or as the ordinary user, with a home and a runtime folder of its own.
fn as_user(user: Option<u32>, program: &Path, home: &Path) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={user}"))
                .arg(format!("--regid={user}"))
                .args(["--clear-groups", "--inh-caps=-all", "--"])
                .arg(program);
            command
        }
    };
    command
        .env("HOME", home)
        .env_remove("XDG_RUNTIME_DIR")
        .env("TMPDIR", home)
        .current_dir(home);
    command
}

/// What the compilers of the probe programs keep between runs.
fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("mirrord-tests"))
}

/// Builds the end-to-end tests and returns their executables.
fn test_programs() -> Result<Vec<PathBuf>> {
    let printed = command::output(cargo().current_dir(root()).args([
        "test",
        "--package",
        "mirrord-tests",
        "--no-run",
        "--message-format=json",
    ]))?;
    let mut programs = Vec::new();
    for line in printed.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if message["profile"]["test"] == true
            && let Some(program) = message["executable"].as_str()
        {
            programs.push(program.into());
        }
    }
    ensure!(!programs.is_empty(), "cargo built no end-to-end test");
    Ok(programs)
}

fn product_files(folder: &Path) -> Vec<PathBuf> {
    ["mirrord-server", "mirrord-agent", "libmirrord_layer.so"]
        .iter()
        .map(|name| folder.join(name))
        .collect()
}

fn copy_all(files: &[PathBuf], folder: &Path) -> Result<()> {
    std::fs::create_dir(folder)?;
    open_to_all(folder)?;
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        std::fs::copy(file, folder.join(name))
            .with_context(|| format!("could not copy {}", file.display()))?;
    }
    Ok(())
}

fn open_to_all(folder: &Path) -> Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("could not open {} to all", folder.display()))
}

/// Most distributions let every user open `/dev/fuse`; where this machine does not, root opens it
/// for the ordinary user's run.
fn open_fuse() -> Result<()> {
    let fuse = Path::new("/dev/fuse");
    let Ok(found) = fuse.metadata() else {
        println!("-- /dev/fuse is missing: the ordinary user's run has no FUSE");
        return Ok(());
    };
    if found.permissions().mode() & 0o006 != 0o006 {
        println!("-- /dev/fuse is closed to users here; opening it (mode 0666) for this stage");
        std::fs::set_permissions(fuse, std::fs::Permissions::from_mode(0o666))?;
    }
    Ok(())
}
