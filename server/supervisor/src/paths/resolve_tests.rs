//! Table of names and where they lead.

use super::*;

/// `/data` and `/link/named` are the pod's, `/data/cache` is not, `/usr` is trusted; on this
/// machine there are some links.
struct Machine;

const LINKS: &[(&str, &str)] = &[
    ("/tmp/to-data", "/data"),
    ("/tmp/to-file", "/data/file"),
    ("/tmp/relative", "../data/file"),
    ("/tmp/local", "/home/me"),
    ("/tmp/loop", "loop"),
    ("/tmp/deep", "/home/me/a/b"),
    ("/tmp/fd", "/proc/self/fd"),
    ("/home/me/out", "/data"),
    ("/home/me/up", "../../data"),
];

impl View for Machine {
    fn decide(&self, path: &[u8]) -> Place {
        if below(path, b"/usr") {
            Place::Trusted
        } else if below(path, b"/data/cache") {
            Place::Local
        } else if below(path, b"/data") || below(path, b"/link/named") {
            Place::Elsewhere
        } else {
            Place::Local
        }
    }

    fn link(&self, path: &[u8]) -> Result<Vec<u8>, i32> {
        let found = LINKS.iter().find(|(name, _)| name.as_bytes() == path);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or(libc::EINVAL)
    }

    fn plain(&self, path: &[u8], follow: bool) -> bool {
        !LINKS
            .iter()
            .any(|(name, _)| below(path, name.as_bytes()) && (follow || path.len() > name.len()))
    }
}

fn show(found: Found) -> String {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match found {
        Found::Kernel(_) => "kernel".to_owned(),
        Found::Local(path) => format!("local {}", text(path)),
        Found::Elsewhere { name, raw } if name == raw => format!("pod {}", text(name)),
        Found::Elsewhere { name, raw } => format!("pod {} as {}", text(name), text(raw)),
    }
}

#[track_caller]
fn check(base: Option<(BaseKind, &str)>, follow: bool, cases: &[(&str, &str)]) {
    let base = base.map(|(kind, path)| Base {
        path: path.into(),
        kind,
    });
    for (path, expected) in cases {
        let found = show(resolve(&Machine, base.as_ref(), path.as_bytes(), follow));
        assert_eq!(&found, expected, "{path} from {base:?}");
    }
}

#[test]
fn absolute_names() {
    check(
        None,
        true,
        &[
            ("/usr/lib/x", "kernel"),
            ("/home/me/x", "kernel"),
            ("/data", "pod /data"),
            ("/data/", "pod /data as /data/"),
            ("/data/.", "pod /data as /data/."),
            ("//data", "pod /data"),
            ("/./data", "pod /data"),
            ("/data//x/./y", "pod /data/x/y"),
            ("/tmp/../data", "pod /data"),
            ("/tmp/../../../data", "pod /data"),
            ("/datafile", "kernel"),
            ("/data/cache/x", "kernel"),
            ("/", "kernel"),
            ("//", "kernel"),
        ],
    );
}

#[test]
fn local_links_may_lead_into_the_pod() {
    check(
        None,
        true,
        &[
            ("/tmp/to-data", "pod /data"),
            ("/tmp/to-data/x", "pod /data/x"),
            ("/tmp/to-file", "pod /data/file"),
            ("/tmp/relative", "pod /data/file"),
            ("/tmp/local/x", "kernel"),
            ("/tmp/local/out/x", "pod /data/x"),
            ("/tmp/local/up/x", "pod /data/x"),
            ("/tmp/loop", "kernel"),
            // Not /tmp/a: the kernel goes up from where the link leads.
            ("/tmp/deep/../../../../data", "pod /data"),
            ("/tmp/deep/../../data", "kernel"),
        ],
    );
    check(
        None,
        false,
        &[
            ("/tmp/to-data", "kernel"),
            ("/tmp/to-data/", "pod /data as /data/"),
            ("/tmp/to-data/x", "pod /data/x"),
        ],
    );
}

#[test]
fn going_up_from_the_pod_is_left_to_its_kernel_or_leads_to_a_local_place() {
    check(
        None,
        true,
        &[
            // /data/a may be a link in the pod.
            ("/data/a/../b", "pod /data/b as /data/a/../b"),
            ("/data/a/b/../../c", "pod /data/c as /data/a/b/../../c"),
            // /data need not exist here, so this machine's kernel would not find it.
            ("/data/../home/me/x", "local /home/me/x"),
            ("/data/a/../cache/x", "local /data/cache/x"),
            ("/data/../tmp/to-data/y", "pod /data/y"),
        ],
    );
}

#[test]
fn names_of_the_process_itself_are_local() {
    check(
        None,
        true,
        &[
            ("/proc/self/fd/3", "kernel"),
            ("/proc/self/cwd/x", "kernel"),
            ("//proc//self/exe", "kernel"),
            ("/dev/fd/3", "kernel"),
            ("/dev/stdin", "kernel"),
            ("/tmp/fd/3", "kernel"),
        ],
    );
}

#[test]
fn relative_to_a_local_working_directory() {
    check(
        Some((BaseKind::LocalCwd, "/home/me")),
        true,
        &[
            ("x", "kernel"),
            ("../../data/x", "kernel"),
            ("out/x", "pod /data/x"),
            ("out", "pod /data"),
            (".", "kernel"),
            ("..", "kernel"),
        ],
    );
    check(
        Some((BaseKind::LocalCwd, "/")),
        true,
        &[("data/x", "kernel")],
    );
}

#[test]
fn relative_to_a_local_descriptor() {
    check(
        Some((BaseKind::LocalFd, "/")),
        true,
        &[
            ("data/x", "pod /data/x"),
            ("data", "pod /data"),
            ("usr/x", "kernel"),
            ("tmp/to-file", "pod /data/file"),
        ],
    );
    check(
        Some((BaseKind::LocalFd, "/home/me")),
        true,
        &[("../../data/x", "pod /data/x"), ("x/../y", "kernel")],
    );
}

#[test]
fn relative_to_a_folder_of_the_pod() {
    for kind in [BaseKind::Remote, BaseKind::Virtual] {
        check(
            Some((kind, "/data/a")),
            true,
            &[
                ("x", "pod /data/a/x"),
                (".", "pod /data/a as /data/a/."),
                ("..", "pod /data"),
                ("../b", "pod /data/b"),
                ("b/../c", "pod /data/a/c as /data/a/b/../c"),
                ("../cache/x", "local /data/cache/x"),
                ("../../home/me/x", "local /home/me/x"),
                ("../../tmp/to-file", "pod /data/file"),
                ("../../tmp/fd/3", "local /proc/self/fd/3"),
                ("/home/me/x", "kernel"),
            ],
        );
        check(
            Some((kind, "/")),
            true,
            &[("usr/x", "local /usr/x"), ("data", "pod /data")],
        );
    }
}

#[test]
fn a_name_that_the_pod_has_by_rule_is_not_looked_up_here() {
    check(None, true, &[("/link/named/x", "pod /link/named/x")]);
}
