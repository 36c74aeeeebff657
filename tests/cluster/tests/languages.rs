//! The differential suite on the cluster: programs in every language print the same inside a pod and
//! through us. The pod has this machine's own programs and libraries, and files of every kind.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::data;
use mirrord_tests::differences::assert_same;
use mirrord_tests::programs::{self, PYTHON, Program};
use mirrord_tests::run::{self, Running};
use serde_json::{Value, json};

const NAME: &str = "languages";
/// The host that is no part of the cluster (`up.sh`).
const OUTSIDE: &str = "203.0.113.5";

/// Echoes over TCP what comes until its end, and over UDP each datagram.
const ECHO: &str = r#"
import socket, sys, threading
address = (sys.argv[1], 7000)
listener = socket.create_server(address)
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(address)
def stream(client):
    with client:
        while data := client.recv(65536): client.sendall(data)
def each():
    while True: datagrams.sendto(*datagrams.recvfrom(65536))
threading.Thread(target=each, daemon=True).start()
print('ready', flush=True)
while True: threading.Thread(target=stream, args=listener.accept()[:1], daemon=True).start()
"#;

/// What Kubernetes itself puts into pods, beside `/data`.
const FILES: &[&str] = &[
    "/data",
    "/data/does-not-exist",
    "/config",
    "/config/settings.ini",
    "/config/..data",
    "/secret/password",
    "/about/labels",
    "/etc/hostname",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
];
const NAMES: &[&str] = &[
    "web",
    "web.shop.svc.cluster.local",
    "kubernetes.default",
    "external.example.test",
    "nowhere.shop.svc.cluster.local",
    "localhost",
];

/// The pod, which ends with the test.
struct Pod<'a> {
    cluster: &'a Cluster,
    data: PathBuf,
    written: PathBuf,
    config: Value,
}

impl<'a> Pod<'a> {
    fn up(cluster: &'a Cluster) -> Pod<'a> {
        let data = cluster.folder().join("data");
        std::fs::create_dir(&data).unwrap();
        mirrord_sandbox::write_data(&data, 0).unwrap();
        let written = cluster.folder().join("written");
        std::fs::create_dir(&written).unwrap();
        let mut mounts = vec![
            mount("/data", &data, false),
            mount("/written", &written, false),
            mount(programs::folder(), programs::folder(), true),
        ];
        for folder in programs::java_settings() {
            mounts.push(mount(&folder, &folder, true));
        }
        for folder in ["/usr", "/bin", "/sbin", "/lib", "/lib64"] {
            // Some of them are links into /usr here, and folders in the image.
            mounts.push(mount(folder, std::fs::canonicalize(folder).unwrap(), true));
        }
        for (path, kind) in [
            ("/config", json!({"configMap": {"name": NAME}})),
            ("/secret", json!({"secret": {"secretName": NAME}})),
            (
                "/about",
                json!({"downwardAPI": {"items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                ]}}),
            ),
        ] {
            mounts.push((json!({"mountPath": path}), kind));
        }
        let (volume_mounts, volumes): (Vec<_>, Vec<_>) = mounts
            .into_iter()
            .enumerate()
            .map(|(number, (mut mount, mut volume))| {
                mount["name"] = format!("v{number}").into();
                volume["name"] = mount["name"].clone();
                (mount, volume)
            })
            .unzip();
        let metadata = json!({"name": NAME, "namespace": "shop", "labels": {"app": NAME}});
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "main",
                    "image": "docker.io/local/web:1",
                    "imagePullPolicy": "Never",
                    "command": ["sleep", "infinity"],
                    "env": [
                        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": NAME, "key": "password"}}},
                        {"name": "ODD", "value": "two\nlines, größe, \"quoted\" = $X"},
                        {"name": "EMPTY", "value": ""},
                    ],
                    "volumeMounts": volume_mounts,
                }],
                "volumes": volumes,
            },
        });
        let settings = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": {"settings.ini": "colour=green\n"},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata,
            "stringData": {"password": "correct horse\n"},
        });
        cluster.apply(&format!("{settings}\n---\n{secret}\n---\n{pod}\n"));
        let ready = ["--for=condition=Ready", "pod/languages", "--timeout=90s"];
        cluster.kubectl(&[&["wait", "-n", "shop"], &ready[..]].concat());
        let config = json!({
            "kubeconfig": cluster.admin(),
            "feature": {"fs": {
                "read_write": ["^/written(/|$)"],
                "read_only": ["^/(data|config|secret|about)(/|$)", "^/(var/)?run(/|$)"],
            }},
        });
        Pod {
            cluster,
            data,
            written,
            config,
        }
    }

    /// Runs a script inside the pod.
    fn inside(&self, script: &str) -> String {
        let exec = ["exec", "-n", "shop", NAME, "--", "/bin/sh", "-c", script];
        self.cluster.kubectl(&exec)
    }

    /// Runs it on the laptop, through us.
    fn through_us(&self, script: &str) -> String {
        let argv = ["/bin/sh", "-c", script];
        let user = self.cluster.admin();
        let exec = self
            .cluster
            .exec_as(&user, "pod/languages", &self.config, &[], &argv);
        let argv: Vec<_> = exec.get_args().skip(2).collect();
        let mut alone = self.cluster.at("laptop", "env");
        // The place's own word of it, which the pod does not have.
        alone.args(["-u", "KUBECONFIG"]).args(argv);
        alone
            .env_clear()
            .env("PATH", run::PATH)
            .env("HOME", self.cluster.folder())
            .env("XDG_RUNTIME_DIR", self.cluster.folder());
        let ended = run::finish(&mut alone);
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let objects = ["pod/languages", "configmap/languages", "secret/languages"];
        let delete = ["delete", "-n", "shop", "--wait=true"];
        self.cluster.kubectl(&[&delete[..], &objects].concat());
    }
}

/// A mount and its volume: a folder of the node.
fn mount(at: impl AsRef<Path>, folder: impl AsRef<Path>, read_only: bool) -> (Value, Value) {
    (
        json!({"mountPath": at.as_ref(), "readOnly": read_only}),
        json!({"hostPath": {"path": folder.as_ref(), "type": "Directory"}}),
    )
}

/// A part of a script for each call: its name, what it prints, its status.
fn script(program: &Program, calls: &[(&str, Vec<String>)]) -> String {
    let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let mut script = String::new();
    for (command, arguments) in calls {
        write!(script, "echo '{MARK}{command}'; ").unwrap();
        for word in &program.argv {
            write!(script, "{} ", quoted(word.to_str().unwrap())).unwrap();
        }
        write!(script, "{command}").unwrap();
        for word in arguments {
            write!(script, " {}", quoted(word)).unwrap();
        }
        writeln!(script, "; status=$?; echo; echo \"status $status\"").unwrap();
    }
    script
}

const MARK: &str = "=== ";

/// The web server tells the second of its answer (RFC 9110, 5.6.7: 29 characters).
fn without_dates(printed: &str) -> String {
    let mut parts = printed.split("Date: ");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + &part[29..])
}

/// What each call printed.
fn parts(printed: &str) -> Vec<(&str, &str)> {
    let parts = printed.split(MARK).skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

fn prints_the_same(pod: &Pod<'_>, program: &Program, web: &str) {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.into()).collect() };
    let in_c = ["c", "c-static", "c-musl"].contains(&program.name);
    let mut data = data::names(&pod.data);
    if !in_c {
        // Reading a pipe that nobody writes to waits for ever, inside the pod as here.
        data.retain(|path| path != "/data/pipe");
    }
    let mut calls = vec![
        ("env", Vec::new()),
        ("files", [words(FILES), data].concat()),
        ("write", words(&["/written"])),
        ("dns", words(NAMES)),
        ("tcp", words(&[web, "80"])),
        ("tcp", words(&[web, "81"])),
    ];
    if program.name != "shell" {
        calls.extend([
            ("tcp", words(&[OUTSIDE, "7000"])),
            ("tcp", words(&[OUTSIDE, "7999"])),
            ("udp", words(&[OUTSIDE, "7000"])),
        ]);
    }
    if in_c {
        calls.push(("tcp-nonblocking", words(&[OUTSIDE, "7000"])));
    }
    if in_c || ["go-cgo", "go-static", "python"].contains(&program.name) {
        calls.push(("messages", words(&[OUTSIDE, "7000"])));
    }
    let script = script(program, &calls);
    let inside = without_dates(&pod.inside(&script));
    let us = without_dates(&pod.through_us(&script));
    let (inside, us) = (parts(&inside), parts(&us));
    assert_eq!(inside.len(), calls.len(), "{inside:?}");
    assert_eq!(us.len(), calls.len(), "{us:?}");
    for ((command, inside), (_, us)) in inside.iter().zip(&us) {
        assert!(
            inside.contains("status "),
            "{} {command}: {inside}",
            program.name
        );
        assert_same(program.name, command, inside, us);
    }
    let left = std::fs::read_dir(&pod.written).unwrap();
    assert_eq!(left.count(), 0, "both runs clean up, in the pod");
}

#[test]
fn programs_in_every_language_print_the_same() {
    let cluster = Cluster::get();
    let mut echo = cluster.at("outside", PYTHON);
    let (_echo, _) = Running::start(echo.args(["-uc", ECHO, OUTSIDE]), "ready");
    let pod = Pod::up(&cluster);
    let service = cluster.object("shop", "service/web");
    let web = service["spec"]["clusterIP"].as_str().unwrap();
    let mut differ = Vec::new();
    for program in programs::all() {
        let started = std::time::Instant::now();
        let compared = std::panic::AssertUnwindSafe(|| prints_the_same(&pod, program, web));
        // The others are of interest as well.
        if std::panic::catch_unwind(compared).is_err() {
            differ.push(program.name);
        }
        eprintln!("{}: {:?}", program.name, started.elapsed());
    }
    assert!(differ.is_empty(), "see above: {differ:?}");
    cluster.assert_nothing_left();
}
