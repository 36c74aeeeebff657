//! The kubelet's probes of a pod whose ports are stolen.

use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Running};

/// Longer than any probe of the pod may fail, twice: period times threshold, and the time-outs.
const LONG: Duration = Duration::from_secs(14);

/// Takes the ports of the pod and answers clients only: to a probe it is unwell, and on the other
/// ports it says nothing.
const SERVER: &str = r#"
import http.server, socket, sys, threading
def unwell(port):
    listener = socket.create_server(('0.0.0.0', port))
    held = []
    def hold():
        while True:
            held.append(listener.accept()[0])
            print('held', port, file=seen, flush=True)
    threading.Thread(target=hold, daemon=True).start()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        agent = self.headers['User-Agent']
        print('asked by', agent, file=seen, flush=True)
        self.send_response(503 if agent.startswith('kube-probe') else 200); self.end_headers()
        self.wfile.write(f'{self.client_address[0]} is answered from the laptop\n'.encode())
    def log_message(self, *a): pass
seen = open(sys.argv[1], 'w')
unwell(9000)
unwell(50051)
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Answer)
print('ready', flush=True)
server.serve_forever()
"#;

fn get(cluster: &Cluster, path: &str) -> String {
    let path = format!("jsonpath={{{path}}}");
    cluster.kubectl(&["get", "pod", "-n", "shop", "probed", "-o", &path])
}

fn ready_and_restarts(cluster: &Cluster) -> String {
    get(
        cluster,
        ".status.containerStatuses[*]['ready','restartCount']",
    )
}

fn says(command: &mut Command) -> String {
    let ended = run::finish(command);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

#[test]
fn a_pod_stays_well_while_all_its_ports_are_stolen_and_clients_behind_the_node_are_served() {
    let cluster = Cluster::get();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/probed.yaml");
    cluster.kubectl(&["apply", "-f", manifest]);
    let ready = [
        "-n",
        "shop",
        "wait",
        "--for=condition=Ready",
        "pod/probed",
        "--timeout=60s",
    ];
    cluster.kubectl(&ready);
    let well = ready_and_restarts(&cluster);
    assert_eq!(well.matches("true").count(), 2, "{well}");
    let seen = cluster.folder().join("seen");
    let seen = seen.to_str().unwrap();
    let argv = [PYTHON, "-uc", SERVER, seen];
    let mut server = cluster.exec(&cluster.admin(), "pod/probed", &["--steal"], &argv);
    let (server, _) = Running::start(&mut server, "ready");
    // Through the node of the pod, whose address the client then has, as the kubelet has it.
    let node = get(&cluster, ".status.hostIP");
    let kubelet = get(&cluster, ".status.podIP");
    let kubelet = format!("{}.1", kubelet.rsplit_once('.').unwrap().0);
    let url = format!("http://{node}:30080/");
    let ask = || says(cluster.at("outside", "curl").args(["-sSm", "10", &url]));
    let wanted = format!("{kubelet} is answered from the laptop\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask() != wanted {
        assert!(Instant::now() < deadline, "{:?}", ask());
    }
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        assert_eq!(ask(), wanted);
        assert_eq!(ready_and_restarts(&cluster), well);
    }
    // A client of the node itself has the kubelet's address too, and a socket there.
    let inside = format!("http://{}:8080/", get(&cluster, ".status.podIP"));
    let place = match &get(&cluster, ".spec.nodeName")[..] {
        "node1" => "node1",
        _ => "node2",
    };
    assert_eq!(
        says(cluster.at(place, "curl").args(["-sSm", "10", &inside])),
        wanted
    );
    // And one inside of the pod, beside the probe that is a program there.
    let inside = ["exec", "-n", "shop", "probed", "-c", "beside", "--"];
    let asked = ["curl", "-sSm", "10", "http://127.0.0.1:8080/"];
    assert_eq!(
        cluster.kubectl(&[&inside[..], &asked].concat()),
        "127.0.0.1 is answered from the laptop\n"
    );
    let told = std::fs::read_to_string(seen).unwrap();
    assert!(told.contains("asked by curl"), "{told}");
    for probe in ["kube-probe", "held"] {
        assert!(!told.contains(probe), "{told}");
    }
    drop(server);
    cluster.assert_nothing_left();
    cluster.kubectl(&["delete", "-f", manifest, "--wait=true"]);
}
