//! What a program sees of a workload, beside what the same commands see inside its pod; traffic of a
//! Service with several pods; many sessions at once.

use std::process::Stdio;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Running};

/// Prints the same in the pod and through us, whatever the machine.
const LOOKS: &str = r#"
    echo "$PASSWORD" "$COLOURS" "$NODE"; hostname
    token=/var/run/secrets/kubernetes.io/serviceaccount
    for folder in /config /secret /about /data /data/folder $token; do echo "$folder:"; ls $folder; done
    readlink /config/settings.ini; readlink /data/link
    cat /config/settings.ini /config/other.ini /secret/password /about/labels /data/link $token/namespace
    cat /config/nothing 2> /dev/null || echo nothing
    for url in http://web http://web.shop.svc.cluster.local http://localhost:9000 http://external.example.test:8000/; do
        curl -sSm 20 $url
    done
    curl -sSm 20 --cacert $token/ca.crt -H "Authorization: Bearer $(cat $token/token)" \
        https://kubernetes.default.svc/api/v1/namespaces/shop
    curl -sm 20 http://nobody.shop.svc.cluster.local; echo "without a name: $?"
    curl -sm 20 http://web:81; echo "without a port: $?"
"#;

#[test]
fn a_program_sees_what_the_pod_sees() {
    let cluster = Cluster::get();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/full.yaml");
    cluster.kubectl(&["apply", "-f", manifest]);
    let rolled_out = [
        "rollout",
        "status",
        "-n",
        "shop",
        "deployment/full",
        "--timeout=90s",
    ];
    cluster.kubectl(&rolled_out);
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "from outside\n").unwrap();
    let serve = ["-u", "-m", "http.server", "--bind", "203.0.113.5", "8000"];
    let mut outside = cluster.at("outside", "python3");
    let (_outside, _) = Running::start(outside.args(serve).current_dir(page.path()), "Serving");
    let inside = cluster.kubectl(&[
        "exec",
        "-n",
        "shop",
        "deployment/full",
        "-c",
        "web",
        "--",
        "sh",
        "-c",
        LOOKS,
    ]);
    let admin = cluster.admin();
    let argv = ["sh", "-c", LOOKS];
    let us = run::finish(&mut cluster.exec(&admin, "deployment/full", &[], &argv));
    for words in [
        "made before",
        "from the sidecar",
        "from outside",
        "tier=\"front\"",
        "system:serviceaccount:shop:default",
    ] {
        assert!(inside.contains(words), "{words} is not in {inside}");
    }
    assert_eq!(us.stdout, inside, "{}", us.stderr);
    cluster.assert_nothing_left();
    cluster.kubectl(&["delete", "-f", manifest, "--wait=false"]);
}

const SERVER: &str = r#"
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, file=open(sys.argv[1], 'a'), flush=True)
        self.send_response(200); self.end_headers(); self.wfile.write(b'from the laptop\n')
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Answer)
print('ready', flush=True)
server.serve_forever()
"#;

/// Calls the Service until `enough`; what was answered.
fn called(cluster: &Cluster, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
    let address = [
        "get",
        "service",
        "-n",
        "shop",
        "web",
        "-o",
        "jsonpath={.spec.clusterIP}",
    ];
    let url = format!("http://{}/index.html", cluster.kubectl(&address));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut answers = Vec::new();
    while !enough(&answers) {
        assert!(Instant::now() < deadline, "{answers:?}");
        let answer = run::finish(cluster.at("node1", "curl").args(["-sSm", "15", &url]));
        assert!(answer.status.success(), "{answer:?}");
        answers.push(answer.stdout);
    }
    answers
}

#[test]
fn of_two_pods_one_is_stolen_and_the_service_goes_on_with_both() {
    let cluster = Cluster::get();
    let seen = cluster.folder().join("seen");
    let argv = [PYTHON, "-uc", SERVER, seen.to_str().unwrap()];
    let mut server = cluster.exec(&cluster.admin(), "deployment/web", &["--steal"], &argv);
    let (server, _) = Running::start(&mut server, "ready");
    let both = |answers: &[String]| {
        let from = |who: &str| {
            answers
                .iter()
                .filter(|answer| answer.as_str() == who)
                .count()
        };
        assert_eq!(
            from("from the laptop\n") + from("from the pod\n"),
            answers.len()
        );
        from("from the laptop\n") >= 5 && from("from the pod\n") >= 5
    };
    called(&cluster, both);
    drop(server);
    cluster.assert_nothing_left();
}

#[test]
fn of_two_pods_one_is_mirrored_and_no_client_notices() {
    let cluster = Cluster::get();
    let seen = cluster.folder().join("seen");
    let argv = [PYTHON, "-uc", SERVER, seen.to_str().unwrap()];
    let mut server = cluster.exec(&cluster.admin(), "deployment/web", &[], &argv);
    let (server, _) = Running::start(&mut server, "ready");
    let copies = || {
        let seen = std::fs::read_to_string(&seen).unwrap_or_default();
        seen.matches("/index.html").count()
    };
    let answers = called(&cluster, |_| copies() >= 3);
    assert!(
        answers.iter().all(|answer| answer == "from the pod\n"),
        "{answers:?}"
    );
    assert!(
        copies() <= answers.len(),
        "{} of {}",
        copies(),
        answers.len()
    );
    drop(server);
    cluster.assert_nothing_left();
}

#[test]
fn twenty_sessions_at_once_serve_twenty_programs() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    let argv = ["sh", "-c", "hostname; curl -sSm 30 http://web"];
    let mut sessions: Vec<_> = (0..20)
        .map(|_| {
            let mut command = cluster.exec(&admin, "deployment/web", &[], &argv);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().expect("a session")
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(240);
    while sessions
        .iter_mut()
        .any(|session| session.try_wait().unwrap().is_none())
    {
        assert!(Instant::now() < deadline, "{}", cluster.ours());
        std::thread::sleep(Duration::from_millis(100));
    }
    for session in sessions {
        let ended = session.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&ended.stdout);
        let is_right = printed.starts_with("web-") && printed.ends_with("\nfrom the pod\n");
        assert!(ended.status.success() && is_right, "{ended:?}");
    }
    cluster.assert_nothing_left();
}
