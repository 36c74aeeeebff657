//! Programs in other languages, and what is told about them.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use mirrord_protocol::event::{EventKind, Place};

use super::bed::{Bed, TARGET};

fn source(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub fn python() {
    let bed = Bed::new();
    let printed = bed.run("python3", &[&source("look.py")]);
    let expected = "\
read content of the pod
list ['a', 'b']
scan [('a', True, 1), ('b', True, 2)]
walk [('/data/dir', [], ['a', 'b'])]
glob ['/data/dir/a']
config {'key': 'value'}
made {'made': True} 0o100644
copied here {'made': True}
there False True
across Invalid cross-device link
removed False
host the-pod the-pod
cwd /data/dir a
child abb/data

real /data/file /run/secrets/token
exec FileNotFoundError
exec Permission denied
";
    assert_eq!(printed, expected);
    let made = std::fs::metadata(bed.root().join("data/out.json")).unwrap();
    assert_eq!((made.uid(), made.gid()), (TARGET, TARGET));
    let told = bed.events();
    let decision = |call_path: &str| {
        told.iter().find_map(|event| match event {
            EventKind::File {
                path, place, rule, ..
            } if path == call_path => Some((*place, rule.as_str())),
            _ => None,
        })
    };
    assert_eq!(
        decision("/data/file"),
        Some((Place::Remote, "fs.read_write ^/data(/|$)"))
    );
    let library = decision("/etc/ld.so.cache").expect("a decision about a library");
    assert_eq!(library.0, Place::Local);
    let notice = told.iter().any(|event| {
        matches!(event, EventKind::Notice { text, .. } if text.contains("/data/file is a program"))
    });
    assert!(notice, "that the pod's programs cannot be executed is told");
}

pub fn go() {
    let bed = Bed::new();
    let program = bed.dir.path().join("look-go");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(source("look.go"))
        .env("CGO_ENABLED", "0")
        .status()
        .expect("Go: https://go.dev/dl");
    assert!(built.success());
    let expected = "\
read \"content of the pod\\n\" <nil>
entry a 1 -rw-r--r--
entry b 2 -rw-r-----
open /data/secret: permission denied
true
<nil>
walk /data/dir <nil>
walk /data/dir/a <nil>
walk /data/dir/b <nil>
<nil>
/data/dir <nil>
bb <nil>
the-pod <nil>
";
    assert_eq!(bed.run(&program, &[]), expected);
}

pub fn shell() {
    let bed = Bed::new();
    let script = "cd /data/dir && pwd && cat a && (cd .. && pwd && cat < dir/b) && ls && \
                  echo new > made && cat made && rm made && cd /usr && pwd && test ! -e made";
    let printed = bed.run("sh", &["-c", script]);
    assert_eq!(printed, "/data/dir\na/data\nbba\nb\nnew\n/usr\n");
}

/// A debuggee that began as root and gave it up is that user in the pod too.
pub fn another_user() {
    let bed = Bed::new();
    let script = "\
import os
print(open('/data/file').read().strip())
def refused(what, call):
    try: call()
    except OSError as error: print(what, error.strerror)
refused('secret', lambda: open('/data/secret'))
os.setgroups([])
os.setresgid(3000, 3000, 3000)
os.setresuid(3000, 3000, 3000)
print(open('/data/file').read().strip())
refused('b', lambda: open('/data/dir/b'))
refused('new', lambda: open('/data/new', 'w'))
open('/data/sticky/mine', 'w').close()
print(os.stat('/data/sticky/mine').st_uid)
print(os.access('/data/dir/b', os.R_OK), os.access('/data/dir/a', os.R_OK))
";
    let printed = bed.run("python3", &["-c", script]);
    let expected = "\
content of the pod
secret Permission denied
content of the pod
b Permission denied
new Permission denied
3000
False True
";
    assert_eq!(printed, expected);
    let mine = std::fs::metadata(bed.root().join("data/sticky/mine")).unwrap();
    assert_eq!((mine.uid(), mine.gid()), (3000, 3000));
}

/// What changes in the pod is seen within a second, whatever was asked before.
pub fn changes_of_the_pod() {
    let bed = Bed::new();
    let script = "\
import os, sys, time
def state():
    try: text = open('/data/watched').read()
    except OSError as error: text = error.strerror
    return text, os.path.exists('/data/watched'), os.access('/data/watched', os.R_OK)
last = None
end = time.time() + 8
while time.time() < end:
    now = state()
    if now != last:
        print(*now, flush=True)
        last = now
    time.sleep(0.01)
    if 'end' in now[0]: break
";
    let mut command = bed.command("python3", &["-c", script]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let path = bed.root().join("data/watched");
    let mut lines = {
        use std::io::BufRead;
        std::io::BufReader::new(child.stdout.take().unwrap()).lines()
    };
    // Once it has started, time counts.
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "No such file or directory False False"
    );
    let mut expect = |line: &str, change: &dyn Fn(&Path)| {
        change(&path);
        let begun = Instant::now();
        while lines.next().unwrap().unwrap() != line {
            assert!(begun.elapsed() < Duration::from_secs(2), "{line} is late");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{line} took {:?}",
            begun.elapsed()
        );
    };
    expect("first True True", &|path| {
        std::fs::write(path, "first").unwrap()
    });
    expect("second True True", &|path| {
        std::fs::write(path, "second").unwrap()
    });
    expect("Permission denied True False", &|path| {
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        std::fs::set_permissions(path, closed).unwrap();
    });
    expect("No such file or directory False False", &|path| {
        std::fs::remove_file(path).unwrap();
    });
    expect("end True True", &|path| {
        std::fs::write(path, "end").unwrap()
    });
    assert!(child.wait().unwrap().success());
}
