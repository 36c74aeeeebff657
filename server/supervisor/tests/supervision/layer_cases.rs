//! Programs with the layer in them.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    bed::{Bed, finish},
    cases::first_line,
    runner::Case,
};

/// All of them.
pub const ALL: &[Case] = &[
    ("layer_supervises_its_program", layer_supervises_its_program),
    (
        "layer_does_nothing_twice_under_a_timer",
        layer_does_nothing_twice,
    ),
    (
        "layer_works_as_an_ordinary_user",
        layer_works_as_an_ordinary_user,
    ),
    (
        "layer_does_not_ask_about_local_paths",
        layer_does_not_ask_about_local_paths,
    ),
    (
        "layer_asks_about_links_and_directories",
        layer_asks_about_links_and_directories,
    ),
    (
        "layer_follows_children_over_exec",
        layer_follows_children_over_exec,
    ),
    ("layer_works_with_musl", layer_works_with_musl),
    (
        "layer_exchanges_the_addresses_of_messages",
        layer_exchanges_the_addresses_of_messages,
    ),
    (
        "layer_without_a_session_says_so_and_runs",
        layer_without_a_session,
    ),
    (
        "layer_shows_debuggers_who_called",
        layer_shows_debuggers_who_called,
    ),
];

fn layer_supervises_its_program() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let text = run(&mut bed.layered(&program, &["/remote/1000/one"]));
    assert!(text.ends_with("opened\n"), "{text}");
    assert!(bed.remote().join("one").exists());
}

fn layer_does_nothing_twice() {
    let bed = Bed::new();
    let program = bed.compile("creates", &[]);
    for restart in ["1", "0"] {
        let text = run(&mut bed.layered(&program, &["3000", "700", "1000", restart]));
        let rest = "exist=0 interrupted=0 other=0 last=0 signals=many next_fd=3\n";
        assert_eq!(text, format!("made=3000 {rest}"));
    }
    assert_eq!(std::fs::read_dir(bed.remote()).unwrap().count(), 6000);
}

fn layer_works_as_an_ordinary_user() {
    if !rustix::process::getuid().is_root() {
        println!("   (this run is one already)");
        return;
    }
    let bed = Bed::as_user(1000);
    let program = bed.compile("creates", &[]);
    // An ordinary user may not be able to read the build's folder.
    let mut command = bed.layered(&program, &["100", "100", "0", "1"]);
    let copy = bed.dir.path().join("layer.so");
    let layer = command
        .get_envs()
        .find(|(name, _)| *name == "LD_PRELOAD")
        .unwrap()
        .1
        .unwrap();
    std::fs::copy(layer, &copy).unwrap();
    let text = run(command.env("LD_PRELOAD", copy));
    assert!(
        text.starts_with("made=100 exist=0 interrupted=0 other=0"),
        "{text}"
    );
}

fn layer_does_not_ask_about_local_paths() {
    let bed = Bed::new();
    let program = bed.compile("local", &[]);
    let file = bed.dir.path().join("file");
    std::fs::write(&file, "content").unwrap();
    symlink(&file, bed.dir.path().join("link")).unwrap();
    let arguments = [bed.dir.path().to_str().unwrap()];
    let plain = Command::new(&program)
        .args(arguments)
        .output()
        .unwrap()
        .stdout;
    let plain = String::from_utf8(plain).unwrap();
    assert_eq!(bed.run(&program, &arguments), plain);
    assert!(
        bed.asked().contains("/file"),
        "without the layer all is asked"
    );
    assert_eq!(run(&mut bed.layered(&program, &arguments)), plain);
    let asked = bed.asked();
    assert!(
        !asked.contains("/file") && !asked.contains("/usr/bin/env"),
        "{asked}"
    );
    assert!(asked.contains("/link"), "a link may lead anywhere: {asked}");
}

fn layer_asks_about_links_and_directories() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let link = bed.dir.path().join("to-remote");
    symlink("/remote/quick", &link).unwrap();
    let through = link.join("one");
    let text = run(&mut bed.layered(&program, &[through.to_str().unwrap()]));
    // The test's handler resolves no links, so the file is not found; but it was asked.
    assert!(text.contains("failed"), "{text}");
    assert!(bed.asked().contains("/to-remote/one"));
    let text = run(bed
        .layered(&program, &["remote/quick/two"])
        .current_dir("/"));
    // Names below a working directory of this machine are this machine's.
    assert!(text.contains("failed"), "{text}");
    assert!(!bed.asked().contains("remote/quick/two"));
    run(&mut bed.layered(&program, &["/tmp/../remote/quick/three"]));
    assert!(bed.asked().contains("/tmp/../remote/quick/three"));
}

fn layer_follows_children_over_exec() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let script = format!(
        "{} /remote/quick/a; sh -c '{0} /remote/quick/b'",
        program.display()
    );
    let text = run(&mut bed.layered("/bin/sh".as_ref(), &["-c", &script]));
    assert_eq!(text.matches("opened").count(), 2, "{text}");
    let family = bed.compile("family", &[]);
    assert_eq!(run(&mut bed.layered(&family, &["3"])), "bad=0\n");
}

/// The layer was linked on a glibc system, and needs nothing of it.
fn layer_works_with_musl() {
    let bed = Bed::new();
    let program = compile_with_musl(&bed, "waits");
    let text = run(&mut bed.layered(&program, &["/remote/1000/one"]));
    assert!(text.ends_with("opened\n"), "{text}");
    // The layer is in it: what is local is not asked.
    bed.asked();
    run(&mut bed.layered(&program, &["/usr/bin/env"]));
    assert!(!bed.asked().contains("/usr/bin/env"));
}

fn layer_exchanges_the_addresses_of_messages() {
    let bed = Bed::new();
    let glibc = bed.compile("messages", &[]);
    let text = run(&mut bed.layered(&glibc, &[]));
    assert_eq!(text, "question from 10.1.2.3\ncancelled\n");
    let musl = compile_with_musl(&bed, "messages");
    let text = run(&mut bed.layered(&musl, &[]));
    // With such padding the call is libc's to make, and the source its supervisor's to exchange,
    // which this bed's does not.
    assert_eq!(text, "question from 127.0.0.1\ncancelled\n");
}

pub fn compile_with_musl(bed: &Bed, name: &str) -> PathBuf {
    let program = bed.dir.path().join(format!("{name}-musl"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let compiled = Command::new("musl-gcc")
        .arg("-o")
        .arg(&program)
        .arg(source)
        .status();
    assert!(
        compiled
            .expect("musl-gcc: apt-get install musl-tools")
            .success()
    );
    program
}

fn layer_without_a_session() {
    let bed = Bed::new();
    let program = bed.compile("waits", &[]);
    let gone = |word: &str| {
        let mut command = bed.layered(&program, &["/no/such/folder/one"]);
        command
            .env("MIRRORD_SUPERVISOR", "/no/such/socket")
            .env("MIRRORD_WITHOUT_SESSION", word);
        command.output().unwrap()
    };
    let output = gone("run");
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("the session that it was started for is over") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(gone("stop").status.code(), Some(126));
}

/// A local open of a FIFO blocks inside the pass-through page.
fn layer_shows_debuggers_who_called() {
    let bed = Bed::new();
    if Command::new("gdb")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        panic!("this case needs gdb: apt-get install gdb");
    }
    let program = bed.compile("waits", &[]);
    let fifo = bed.dir.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    // O_CREAT|O_EXCL would fail; the program takes any path, so it is told to read.
    let mut command = bed.layered(&program, &[fifo.to_str().unwrap()]);
    let mut child = command
        .env("READ", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = first_line(&mut child).to_string();
    std::thread::sleep(Duration::from_millis(300));
    let arguments = ["-nx", "-batch", "-ex", "bt", "-p", &pid];
    let output = Command::new("gdb")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::write(&fifo, "").unwrap();
    assert_eq!(finish(child), "opened\n");
    let frames: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert!(
        text.contains("0x0000000070100002"),
        "not inside the page: {text}"
    );
    assert!(
        frames.iter().any(|frame| frame.contains(" main ")),
        "{text}"
    );
}

fn run(command: &mut Command) -> String {
    finish(command.stdout(Stdio::piped()).spawn().unwrap())
}
