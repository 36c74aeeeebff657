//! Path decisions, with the cases that mirrord's documentation and tests give.

use mirrord_rules::{
    Access, AlignedBlock, FsMode, FsSource, Machine, Mapper, PathPlace, RuleSource, compile,
    is_plain,
};

use Access::{Read, Write};
use PathPlace::{Local, LocalTrusted, NotFound};

const READ_ONLY: PathPlace = PathPlace::Remote { writable: false };
const WRITABLE: PathPlace = PathPlace::Remote { writable: true };

fn machine() -> Machine {
    Machine {
        home: Some(b"/home/bear/".to_vec()),
        working_directory: Some(b"/work/my (app)".to_vec()),
        executable: Some(b"/work/target/app".to_vec()),
        tools: vec![b"/srv/gdb/".to_vec(), b"/".to_vec()],
        temporary_directory: Some(b"/scratch".to_vec()),
    }
}

fn block(fs: FsSource) -> AlignedBlock {
    let source = RuleSource {
        fs,
        machine: machine(),
        ..RuleSource::default()
    };
    AlignedBlock::new(&compile(&source).unwrap())
}

fn place(block: &AlignedBlock, path: &str, access: Access) -> PathPlace {
    block.rules().unwrap().path(path.as_bytes(), access).place
}

fn list(patterns: &[&str]) -> Vec<String> {
    patterns
        .iter()
        .map(|pattern| (*pattern).to_owned())
        .collect()
}

fn with_all_lists(mode: FsMode) -> AlignedBlock {
    block(FsSource {
        mode,
        read_write: list(&[r"/pain/read_write.*\.a"]),
        read_only: list(&[r"/pain/read_only.*\.a"]),
        local: list(&[r"/pain/local.*\.a"]),
        not_found: list(&[r"/pain/not_found.*\.a"]),
        mapping: Vec::new(),
    })
}

#[test]
fn the_way_to_the_project_and_its_tools_is_local_and_what_is_beside_it_is_not() {
    let block = block(FsSource::default());
    for path in ["/work", "/srv", "/work/my (app)", "/srv/gdb/lib"] {
        assert_eq!(place(&block, path, Read), Local, "{path}");
    }
    for path in ["/work/other", "/srv/data", "/workshop", "/srvs"] {
        assert_eq!(place(&block, path, Read), READ_ONLY, "{path}");
    }
}

#[test]
fn lists_and_modes_decide_as_in_the_peer() {
    use FsMode::{Local as ModeLocal, LocalWithOverrides, Read as ModeRead, Write as ModeWrite};
    let blocks = [ModeWrite, ModeRead, LocalWithOverrides].map(|mode| (mode, with_all_lists(mode)));
    let all_local = with_all_lists(ModeLocal);
    // Columns: path; then, for the modes write, read and localwithoverrides, reading and writing.
    for (path, decisions) in [
        (
            "/a/test.a",
            [WRITABLE, WRITABLE, READ_ONLY, Local, Local, Local],
        ),
        (
            "/pain/write.a",
            [WRITABLE, WRITABLE, READ_ONLY, Local, Local, Local],
        ),
        ("/pain/read_write/test.a", [WRITABLE; 6]),
        ("/PAIN/Read_Write/test.A", [WRITABLE; 6]),
        (
            "/pain/read_only/test.a",
            [READ_ONLY, Local, READ_ONLY, Local, READ_ONLY, Local],
        ),
        ("/pain/local/test.a", [Local; 6]),
        ("/opt/test.a", [Local; 6]),
        ("/opt/pain/read_write/test.a", [WRITABLE; 6]),
        ("/pain/not_found/test.a", [NotFound; 6]),
        (
            "/etc/resolv.conf",
            [READ_ONLY, Local, READ_ONLY, Local, READ_ONLY, Local],
        ),
        (
            "/etc/hosts",
            [READ_ONLY, Local, READ_ONLY, Local, READ_ONLY, Local],
        ),
        (
            "/etc/hostname",
            [READ_ONLY, Local, READ_ONLY, Local, READ_ONLY, Local],
        ),
        (
            "/etc/ssl/certs/ca.pem",
            [READ_ONLY, Local, READ_ONLY, Local, READ_ONLY, Local],
        ),
        ("/etc/passwd", [Local; 6]),
    ] {
        let cases = blocks
            .iter()
            .flat_map(|block| [(block, Read), (block, Write)]);
        for (((mode, block), access), expected) in cases.zip(decisions) {
            let decided = place(block, path, access);
            assert_eq!(decided, expected, "{path} {mode:?} {access:?}");
        }
        for access in [Read, Write] {
            assert_eq!(place(&all_local, path, access), Local, "{path}");
        }
    }
}

#[test]
fn what_is_local_without_any_configuration() {
    let block = block(FsSource::default());
    for (path, expected) in [
        // Of the machine.
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", LocalTrusted),
        ("/lib64/ld-linux-x86-64.so.2", LocalTrusted),
        ("/bin/sh", LocalTrusted),
        ("/usr/local/bin/tool", Local),
        ("/proc/self/cwd/data", Local),
        ("/dev/null", Local),
        ("/", Local),
        ("/scratch/file", Local),
        ("/tmp", Local),
        ("/tmpfile", READ_ONLY),
        // Of the developer.
        ("/work/my (app)/config.yaml", Local),
        ("/WORK/My (App)", Local),
        ("/work/my (app)2/config.yaml", READ_ONLY),
        ("/work/target/app", Local),
        ("/home/bear/.bashrc", Local),
        ("/home/bear/.kube/config", NotFound),
        ("/home/bear/.config/gcloud/credentials.db", NotFound),
        ("/home/bear/.azure", NotFound),
        ("/nowhere/.kube/config", READ_ONLY),
        ("/nowhere/.nuget/packages/microsoft.azure.amqp", READ_ONLY),
        // Of the local program, wherever it lies.
        ("/data/lib/libfoo.so", Local),
        ("/data/lib/libfoo.so.1.2.3", Local),
        ("/data/.so", Local),
        ("/app/main.py", Local),
        ("/app/node_modules/x/y.txt", Local),
        ("/app/package.json", Local),
        ("/x/jvm.cfg", Local),
        ("/x/clr-debug-pipe-1", Local),
        // Of the pod.
        ("/data/settings.json", READ_ONLY),
        (
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            READ_ONLY,
        ),
        ("/app/config.yaml", READ_ONLY),
        ("/srv", Local),
    ] {
        assert_eq!(place(&block, path, Read), expected, "{path}");
    }
}

#[test]
fn the_documented_example_means_what_it_says() {
    let block = block(FsSource {
        mode: FsMode::Write,
        read_write: list(&[r".+\.json"]),
        read_only: list(&[r".+\.yaml", r".+important-file\.txt"]),
        local: list(&[r".+\.js", r".+\.mjs"]),
        not_found: list(&[r"\.config/gcloud"]),
        ..FsSource::default()
    });
    assert_eq!(place(&block, "/etc/a.json", Write), WRITABLE);
    assert_eq!(place(&block, "/data/a.yaml", Read), READ_ONLY);
    assert_eq!(place(&block, "/data/a.yaml", Write), Local);
    assert_eq!(place(&block, "/data/important-file.txt", Read), READ_ONLY);
    assert_eq!(place(&block, "/data/a.mjs", Read), Local);
    // `.+\.js` also matches inside `.json`, but `read_write` comes first.
    assert_eq!(place(&block, "/data/a.json", Read), WRITABLE);
    assert_eq!(place(&block, "/any/.config/gcloud/x", Read), NotFound);
}

#[test]
fn each_decision_names_its_rule() {
    let block = block(FsSource {
        read_only: list(&["^/etc/app(/|$)"]),
        mapping: vec![("^/a/(.+)".into(), "/b/$1".into())],
        ..FsSource::default()
    });
    let rules = block.rules().unwrap();
    let rule = |path: &str, access| rules.path(path.as_bytes(), access).rule.to_string();
    assert_eq!(rule("/etc/app/x", Read), "fs.read_only ^/etc/app(/|$)");
    assert_eq!(rule("/usr/x", Read), "fs.local (default) ^/usr(/|$)");
    assert_eq!(rule("/data", Read), "fs.mode read");
    assert_eq!(rule("/data", Write), "fs.mode read (writes are local)");
    assert_eq!(rule("/a/x", Read), "fs.mapping ^/a/(.+) => /b/$1");
    assert_eq!(
        rule("/home/bear/.kube", Read),
        r"fs.not_found (default) ^/home/bear/\.kube"
    );
}

#[test]
fn paths_are_mapped_as_documented() {
    let block = block(FsSource {
        mapping: [
            (r"^/home/(?<user>\S+)/dev/tomcat", "/etc/tomcat"),
            (
                r"^/home/(?<user>\S+)/dev/config/(?<app>\S+)",
                "/mnt/configs/${user}-$app",
            ),
            ("/foo", "/bar"),
            ("/(baz)", "/tmp/mirrord-$1"),
        ]
        .map(|(pattern, replacement)| (pattern.to_owned(), replacement.to_owned()))
        .to_vec(),
        ..FsSource::default()
    });
    let rules = block.rules().unwrap();
    let mapper = Mapper::new(&rules).unwrap();
    for (path, mapped) in [
        (
            "/home/johndoe/dev/tomcat/context.xml",
            Some("/etc/tomcat/context.xml"),
        ),
        // As `Regex::replace` does it: `$app` takes the rest of the path with it.
        (
            "/home/johndoe/dev/config/api/app.conf",
            Some("/mnt/configs/johndoe-api/app.conf"),
        ),
        ("/app/foo/test/foo", Some("/app/bar/test/foo")),
        ("/FOO", Some("/bar")),
        ("/baz/test", Some("/tmp/mirrord-baz/test")),
        ("/app/test", None),
    ] {
        let mut out = Vec::new();
        let done = mapper.map(path.as_bytes(), &mut out);
        assert_eq!(
            done.then(|| String::from_utf8(out).unwrap()).as_deref(),
            mapped,
            "{path}"
        );
        let decided = rules.path(path.as_bytes(), Read).place == PathPlace::Mapped;
        assert_eq!(decided, mapped.is_some(), "{path}");
    }
    assert_eq!(rules.path_as_is(b"/foo", Read).place, READ_ONLY);
}

#[test]
fn bytes_that_are_not_text_are_matched_too() {
    let block = block(FsSource {
        read_write: list(&[r"^/data/(?-u:\xFF)", r"\.json$"]),
        ..FsSource::default()
    });
    let rules = block.rules().unwrap();
    assert_eq!(rules.path(b"/data/\xff\xfe", Write).place, WRITABLE);
    assert_eq!(rules.path(b"/x/\xff.json", Write).place, WRITABLE);
    assert_eq!(rules.path(b"/usr/\xff", Read).place, LocalTrusted);
    assert_eq!(rules.path(b"/x/\xff", Read).place, READ_ONLY);
}

#[test]
fn only_plain_paths_may_be_decided() {
    for (path, plain) in [
        ("/", true),
        ("/a", true),
        ("/a/b", true),
        ("/a/..b/.c", true),
        ("", false),
        ("a", false),
        ("/a/", false),
        ("//a", false),
        ("/a/./b", false),
        ("/usr/../data", false),
        ("/a/..", false),
    ] {
        assert_eq!(is_plain(path.as_bytes()), plain, "{path:?}");
    }
}

#[test]
fn the_debuggers_own_files_are_this_machines() {
    let read = block(FsSource::default());
    assert_eq!(place(&read, "/srv/gdb", Read), Local);
    assert_eq!(place(&read, "/srv/gdb/share/gdb/python/x.txt", Read), Local);
    assert_eq!(place(&read, "/srv/gdbs", Read), READ_ONLY);
    assert_eq!(
        place(&read, "/srv/data", Read),
        READ_ONLY,
        "the root is nobody's folder"
    );
    let listed = block(FsSource {
        read_only: list(&["^/srv/gdb/data"]),
        ..FsSource::default()
    });
    assert_eq!(
        place(&listed, "/srv/gdb/data", Read),
        READ_ONLY,
        "a list comes first"
    );
}
