//! The way to the agent, when somebody else stands in it.

use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_cluster_tests::solo::Solo;
use mirrord_tests::run::{self, Running};

/// Takes every link for its own, as a WebSocket server does, and writes down all that it is sent.
const SQUATTER: &str = r#"
import base64, hashlib, socket, sys, threading
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1], flush=True)
heard = open(sys.argv[1], 'wb', buffering=0)
def squat(caller):
    request = b''
    while b'\r\n\r\n' not in request:
        request += caller.recv(65536)
    heard.write(request)
    fields = dict(line.split(b': ', 1) for line in request.split(b'\r\n')[1:] if b': ' in line)
    key = {name.lower(): value for name, value in fields.items()}[b'sec-websocket-key']
    accept = base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
    caller.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                   b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n')
    while more := caller.recv(65536):
        heard.write(b'MORE ' + more)
while True:
    threading.Thread(target=squat, args=listener.accept()[:1], daemon=True).start()
"#;

#[test]
fn a_squatter_on_the_agents_port_is_told_nothing_and_the_session_ends() {
    let cluster = Cluster::get();
    let solo = Solo::start(&cluster);
    let session = solo.stolen();
    let node = format!("{}:", solo.pod("/spec/nodeName"));
    let ok = |place: &str, argv: &[&str]| {
        let ended = run::finish(cluster.at(place, argv[0]).args(&argv[1..]));
        assert!(ended.status.success(), "{argv:?}: {ended:?}");
        ended.stdout.trim().to_owned()
    };
    let agent = ok(&node, &["pgrep", "-x", "mirrord-agent"]);
    // Its own network is its pod's, not the target's that it works in: its first thread is in that
    // one, so the way in is the pod's other process.
    let ours = cluster.ours();
    let pod = ours.lines().find_map(|name| name.strip_prefix("pod/"));
    let pod = pod.expect("an agent");
    let line = cluster.kubectl(&["logs", "-n", "shop", pod, "--limit-bytes=300"]);
    let port = line.lines().next().and_then(|line| line.rsplit_once(':'));
    let port = port.expect("a first line").1;
    let pause = holder_of_pod(&ok, &node, &agent);
    let heard = cluster.folder().join("heard");
    let inside = ["-t", &pause, "-n"];
    let mut squatter = cluster.at(&node, "nsenter");
    let squats = ["python3", "-uc", SQUATTER, heard.to_str().unwrap()];
    let (_squatter, line) = Running::start(squatter.args(inside).args(squats), "port");
    let squats_at = line.split(' ').nth(1).unwrap();
    let nft = |rules: &str| {
        ok(
            &node,
            &[
                &["nsenter"],
                &inside[..],
                &["nft"],
                &rules.split(' ').collect::<Vec<_>>(),
            ]
            .concat(),
        )
    };
    nft("add table ip squat");
    nft("add chain ip squat out { type nat hook output priority -100 ; }");
    nft(&format!(
        "add rule ip squat out tcp dport {port} redirect to :{squats_at}"
    ));
    // The links break; those that are made again meet the squatter.
    ok("node1:", &["pkill", "-9", "-x", "kube-apiserver"]);
    let ended = session.finish();
    assert!(!ended.status.success(), "{ended:?}");
    let words = "is not the agent that was started";
    assert!(ended.stderr.contains(words), "{ended:?}");
    let heard = String::from_utf8_lossy(&std::fs::read(&heard).unwrap()).into_owned();
    assert!(heard.contains("x-mirrord-hello"), "{heard}");
    assert!(!heard.contains("MORE"), "{heard}");
    let deadline = Instant::now() + Duration::from_secs(90);
    let ready = ["get", "--raw", "/readyz"];
    while run::finish(cluster.at("node1", "kubectl").args(ready)).stdout != "ok" {
        assert!(Instant::now() < deadline, "no API server");
    }
    cluster.assert_nothing_left();
}

/// The process that holds the namespaces of a process's pod: `pause` of the same control group.
fn holder_of_pod(ok: &dyn Fn(&str, &[&str]) -> String, node: &str, pid: &str) -> String {
    let script = r#"
        pod=$(grep -o 'pod[0-9a-f-]\{36\}' /proc/$1/cgroup | head -n 1)
        for pause in $(pgrep -x pause); do grep -q "$pod" /proc/$pause/cgroup && echo $pause; done"#;
    ok(node, &["sh", "-c", script, "sh", pid])
}
