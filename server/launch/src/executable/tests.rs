use std::process::Command;

use super::*;

fn look(name: &str) -> Option<ExecutableFacts> {
    let path = std::env::var_os("PATH");
    facts(name, path.as_deref(), Path::new("/"))
}

fn write(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn programs_of_this_machine_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let source = write(folder.path(), "a.c", b"int main(void) { return 0; }");
    let build = |compiler: &str, name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let status = Command::new(compiler)
            .args(more)
            .arg("-o")
            .arg(&out)
            .arg(&source)
            .status();
        assert!(status.unwrap().success());
        out.to_str().unwrap().to_owned()
    };
    for (program, file) in [
        (
            build("cc", "dynamic", &[]),
            FileType::Dynamic(CLibrary::Glibc),
        ),
        (build("cc", "fixed", &["-static"]), FileType::Static),
        (build("cc", "pie", &["-static-pie"]), FileType::Static),
        (
            build("musl-gcc", "musl", &[]),
            FileType::Dynamic(CLibrary::Musl),
        ),
    ] {
        let facts = look(&program).unwrap();
        assert_eq!(
            (&facts.file, facts.go, facts.setuid),
            (&file, false, false),
            "{program}"
        );
    }
}

#[test]
fn a_script_is_its_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let inner = write(folder.path(), "inner", b"#! /bin/sh -e\n");
    let outer = write(folder.path(), "outer", format!("#!{inner}\n").as_bytes());
    let facts = look(&outer).unwrap();
    assert_eq!(facts.path, outer);
    assert_eq!(facts.file, FileType::Dynamic(CLibrary::Glibc));

    let circle = folder.path().join("circle").to_str().unwrap().to_owned();
    write(folder.path(), "circle", format!("#!{circle}\n").as_bytes());
    assert_eq!(look(&circle).unwrap().file, FileType::Other);
}

#[test]
fn go_is_known_by_its_section() {
    let go = Command::new("go").args(["env", "GOROOT"]).output().unwrap();
    let root = String::from_utf8(go.stdout).unwrap();
    let facts = look(&format!("{}/bin/gofmt", root.trim())).unwrap();
    assert_eq!((facts.file, facts.go), (FileType::Static, true));
}

#[test]
fn set_user_id_and_other_processors_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let copy = write(folder.path(), "copy", &std::fs::read("/bin/true").unwrap());
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o4755)).unwrap();
    assert!(look(&copy).unwrap().setuid);

    let mut other = std::fs::read("/bin/true").unwrap();
    other[18..20].copy_from_slice(&elf::EM_RISCV.to_le_bytes());
    let other = write(folder.path(), "other", &other);
    assert_eq!(
        look(&other).unwrap().file,
        FileType::OtherMachine("RISC-V".into())
    );
}

#[test]
fn broken_files_are_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read("/bin/true").unwrap();
    for (name, content) in [
        ("empty", &b""[..]),
        ("text", b"echo hello"),
        ("short", &whole[..20]),
        ("cut", &whole[..64]),
        ("magic", b"\x7fELF"),
    ] {
        let path = write(folder.path(), name, content);
        assert_eq!(look(&path).unwrap().file, FileType::Other, "{name}");
    }
    assert_eq!(look("no-such-program-here"), None);
    assert_eq!(look("/no/such/file"), None);
    assert_eq!(look(folder.path().to_str().unwrap()), None, "a folder");
}

#[test]
fn a_pipe_is_no_program_and_nobody_waits_for_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o700);
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    let name = pipe.to_str().unwrap();
    assert!(facts(name, None, folder.path()).is_none());
}
