//! The probe programs, built once for a test run into a folder that pod and machine share.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::product;

/// One probe program.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name in test output and in the list of allowed differences.
    pub name: &'static str,
    /// What to run; the command and its arguments follow.
    pub argv: Vec<OsString>,
}

/// The folder of the built programs.
pub fn folder() -> &'static Path {
    &built().0
}

/// All programs.
pub fn all() -> &'static [Program] {
    &built().1
}

/// The one of this name.
pub fn named(name: &str) -> &'static Program {
    all()
        .iter()
        .find(|program| program.name == name)
        .unwrap_or_else(|| panic!("no program {name}"))
}

/// A real Python: not a version manager's shim, which the pod does not have.
pub const PYTHON: &str = "/usr/bin/python3";

/// The folder of the JDK, without the links through `/etc/alternatives`.
pub fn java_home() -> PathBuf {
    let java = fs::canonicalize("/usr/bin/java").expect("java is installed");
    java.ancestors()
        .nth(2)
        .expect("java lies in JAVA_HOME/bin")
        .to_path_buf()
}

/// Debian's Java keeps its settings in `/etc`, which is the pod's own: the folders that a pod must have.
pub fn java_settings() -> Vec<PathBuf> {
    let entries = fs::read_dir("/etc").expect("readable").flatten();
    let of_java = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("java-"));
    of_java.map(|entry| entry.path()).collect()
}

fn built() -> &'static (PathBuf, Vec<Program>) {
    static BUILT: OnceLock<(PathBuf, Vec<Program>)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = build_folder();
        let programs = build(&product::sources().join("programs"), &folder);
        (folder, programs)
    })
}

/// Kept between runs, by the sources' content: `MIRRORD_TEST_PROGRAMS`, or the user's cache.
fn build_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("MIRRORD_TEST_PROGRAMS") {
        return folder.into();
    }
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let mut names: Vec<_> = fs::read_dir(product::sources().join("programs"))
        .expect("the probe programs' sources are there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    names.sort();
    for name in names {
        fs::read(&name).expect("readable").hash(&mut hasher);
    }
    let base = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    base.join(format!(
        ".cache/mirrord-tests/programs-{:016x}",
        hasher.finish()
    ))
}

fn build(sources: &Path, folder: &Path) -> Vec<Program> {
    let done = folder.join("built");
    fs::create_dir_all(folder).expect("a folder for the probe programs");
    let at = |name: &str| folder.join(name);
    if !done.is_file() {
        for script in ["probe.py", "probe.js", "probe.sh"] {
            fs::copy(sources.join(script), at(script)).expect("copied");
        }
        let c = sources.join("probe.c");
        run(Command::new("cc")
            .args(["-O1", "-g", "-o"])
            .arg(at("c"))
            .arg(&c));
        run(Command::new("cc")
            .args(["-O1", "-static", "-w", "-o"])
            .arg(at("c-static"))
            .arg(&c));
        run(Command::new("musl-gcc")
            .args(["-O1", "-static", "-o"])
            .arg(at("c-musl"))
            .arg(&c));
        run(Command::new("javac")
            .arg("-d")
            .arg(folder)
            .arg(sources.join("Probe.java")));
        run(Command::new("rustc")
            .args(["--edition", "2024", "-o"])
            .arg(at("rust"))
            .arg(sources.join("probe.rs")));
        for (name, cgo) in [("go-cgo", "1"), ("go-static", "0")] {
            run(Command::new("go")
                .env("CGO_ENABLED", cgo)
                .env("GOCACHE", cache().join("go-build"))
                .env("GO111MODULE", "off")
                .args(["build", "-o"])
                .arg(at(name))
                .arg(sources.join("probe.go")));
        }
        fs::write(&done, "").expect("written");
    }
    let one = |name: &'static str, argv: &[&Path]| Program {
        name,
        argv: argv
            .iter()
            .map(|part| part.as_os_str().to_owned())
            .collect(),
    };
    let java = java_home().join("bin/java");
    vec![
        one("c", &[&at("c")]),
        one("c-static", &[&at("c-static")]),
        one("c-musl", &[&at("c-musl")]),
        one("go-cgo", &[&at("go-cgo")]),
        one("go-static", &[&at("go-static")]),
        one("rust", &[&at("rust")]),
        one("python", &[Path::new(PYTHON), &at("probe.py")]),
        one("node", &[Path::new("/usr/bin/node"), &at("probe.js")]),
        one(
            "java",
            &[
                &java,
                Path::new("-XX:TieredStopAtLevel=1"),
                Path::new("-cp"),
                folder,
                Path::new("Probe"),
            ],
        ),
        one("shell", &[Path::new("/bin/sh"), &at("probe.sh")]),
    ]
}

/// Where compilers keep what they can use again.
pub fn cache() -> PathBuf {
    std::env::var_os("MIRRORD_TEST_CACHE")
        .map_or_else(|| build_folder().join("cache"), PathBuf::from)
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
