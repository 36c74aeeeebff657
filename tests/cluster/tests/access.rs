//! Ways to the API server: through a proxy, from inside of a pod, and by a helper that logs in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Running};

/// What a program sees of its pod.
const LOOK: [&str; 3] = ["sh", "-c", "echo $GREETING; curl -sSm 10 http://web"];
const SEEN: &str = "hello from the pod\nfrom the pod\n";

/// A proxy for HTTP's CONNECT (RFC 9110, 9.3.6) that writes down where it was asked to go.
const PROXY: &str = r#"
import socket, sys, threading
listener = socket.create_server(('127.0.0.1', 0))
asked = open(sys.argv[1], 'w')
def copy(source, sink):
    try:
        while data := source.recv(65536): sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError: pass
def serve(client):
    request = b''
    while b'\r\n\r\n' not in request: request += client.recv(65536)
    line = request.split(b'\r\n')[0].decode()
    print(line, file=asked, flush=True)
    host, port = line.split(' ')[1].rsplit(':', 1)
    server = socket.create_connection((host, int(port)))
    client.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')
    threading.Thread(target=copy, args=(server, client), daemon=True).start()
    copy(client, server)
print('port', listener.getsockname()[1], flush=True)
while True: threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"#;

/// The kubeconfig of who may do anything, with something put into the text.
fn changed(cluster: &Cluster, change: impl Fn(&str) -> String) -> PathBuf {
    let text = std::fs::read_to_string(cluster.admin()).unwrap();
    let path = cluster.folder().join("changed.kubeconfig");
    let new = change(&text);
    assert_ne!(new, text);
    std::fs::write(&path, new).unwrap();
    path
}

fn sees_its_pod(command: &mut Command) {
    let ended = run::finish(command);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout, SEEN, "{ended:?}");
}

/// Text of the kubeconfig between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect("its start");
    rest.split_once(end).expect("its end").0
}

#[test]
fn everything_goes_through_the_clusters_proxy() {
    let cluster = Cluster::get();
    let asked = cluster.folder().join("asked");
    let mut proxy = cluster.at("laptop", PYTHON);
    proxy.args(["-uc", PROXY]).arg(&asked);
    let (_proxy, line) = Running::start(&mut proxy, "port");
    let port = line.split(' ').nth(1).unwrap().to_owned();
    let user = changed(&cluster, |text| {
        text.replace(
            "cluster: {server:",
            &format!("cluster: {{proxy-url: \"http://127.0.0.1:{port}\", server:"),
        )
    });
    sees_its_pod(&mut cluster.exec(&user, "deployment/web", &[], &LOOK));
    let connects = std::fs::read_to_string(&asked).unwrap();
    // The API, and the links: a forward each.
    assert!(connects.lines().count() >= 3, "{connects}");
    cluster.assert_nothing_left();
}

#[test]
fn a_helper_logs_in_and_one_that_takes_long_is_named() {
    let cluster = Cluster::get();
    let user = std::fs::read_to_string(cluster.user("helped")).unwrap();
    let key = |name: &str| std::fs::read_to_string(cluster.state().join("pki").join(name)).unwrap();
    let answer = cluster.folder().join("credential.json");
    let answers = |status: serde_json::Value| {
        let credential = serde_json::json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": status,
        });
        std::fs::write(&answer, credential.to_string()).unwrap();
    };
    let with_helper = |command: &str, argument: &Path| {
        changed(&cluster, |text| {
            let users = between(text, "users:", "contexts:");
            let helper = serde_json::json!([{"name": "admin", "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": command,
                "args": [argument],
                "interactiveMode": "Never",
            }}}]);
            text.replace(users, &format!(" {helper}\n"))
        })
    };
    let user_token = between(&user, "token: \"", "\"");
    let user = with_helper("cat", &answer);
    for status in [
        serde_json::json!({"token": user_token}),
        serde_json::json!({
            "clientCertificateData": key("admin.crt"),
            "clientKeyData": key("admin.key"),
        }),
    ] {
        answers(status);
        sees_its_pod(&mut cluster.exec(&user, "deployment/web", &[], &LOOK));
        cluster.assert_nothing_left();
    }

    let user = with_helper("sleep", Path::new("100.25"));
    let mut waits = cluster.exec(&user, "deployment/web", &[], &LOOK);
    waits.stderr(Stdio::piped());
    let mut waits = waits.spawn().unwrap();
    let mut told = std::io::BufReader::new(waits.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    assert!(line.contains("sleep to log in to the cluster"), "{line}");
    let helper = || run::finish(Command::new("pgrep").args(["-f", "sleep 100[.]25$"])).stdout;
    assert!(!helper().is_empty());
    let done = run::finish(Command::new("kill").args(["-INT", &waits.id().to_string()]));
    assert!(done.status.success(), "{done:?}");
    assert!(!waits.wait().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !helper().is_empty() {
        assert!(Instant::now() < deadline, "the helper is still there");
    }
}

#[test]
fn inside_of_a_pod_its_service_account_is_used() {
    let cluster = Cluster::get();
    let options = ["--forms", "job", "--targets", "pod,deployment"];
    let user = cluster.may("inside", "shop", &options);
    let text = std::fs::read_to_string(&user).unwrap();
    let account = cluster.folder().join("account");
    std::fs::create_dir(&account).unwrap();
    let token = between(&text, "token: \"", "\"");
    std::fs::write(account.join("token"), token).unwrap();
    std::fs::write(account.join("namespace"), "shop").unwrap();
    let authority = cluster.state().join("pki/ca.crt");
    std::fs::copy(authority, account.join("ca.crt")).unwrap();
    let server = between(&text, "https://", "\"");
    let (host, port) = server.split_once(':').unwrap();
    // Where a pod has its account; in mounts of its own.
    let script = r#"
        mount -t tmpfs tmpfs /run
        mkdir -p /run/secrets/kubernetes.io /run/user
        ln -s "$1" /run/secrets/kubernetes.io/serviceaccount
        shift; exec "$@""#;
    let exec = cluster.exec(&user, "deployment/web", &[], &LOOK);
    let argv: Vec<_> = exec.get_args().skip(2).collect();
    let mut inside = cluster.at("laptop", "unshare");
    inside
        .args(["--mount", "sh", "-ec", script, "sh"])
        .arg(&account)
        .args(argv)
        .current_dir(cluster.folder())
        .env("XDG_RUNTIME_DIR", cluster.folder())
        .env("HOME", cluster.folder())
        .env("KUBECONFIG", "/nowhere")
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port);
    sees_its_pod(&mut inside);
    cluster.assert_nothing_left();
}
