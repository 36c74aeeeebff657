//! A Deployment of one pod, and a session that steals its port: what tests let things happen to.

use std::time::{Duration, Instant};

use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Running};
use serde_json::Value;

use crate::Cluster;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/solo.yaml");

/// How long something that happened may take to be over, on a machine that does other things too.
const OVER: Duration = Duration::from_secs(120);

/// What clients are told by the program on the laptop: that it runs there, what it reads in a file of
/// the pod, and that it reaches what only the pod reaches.
pub const LAPTOP: &str = "laptop shop connected\n";

const SERVER: &str = r#"
import http.server, socket
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            namespace = open('/var/run/secrets/kubernetes.io/serviceaccount/namespace').read()
            socket.create_connection(('10.96.0.1', 443), 20).close()
            told = f'laptop {namespace} connected\n'
        except OSError as error:
            told = f'laptop {error!r}\n'
        self.send_response(200); self.end_headers(); self.wfile.write(told.encode())
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Answer)
print('ready', flush=True)
server.serve_forever()
"#;

/// The Deployment; removed when dropped.
pub struct Solo<'a> {
    cluster: &'a Cluster,
    url: String,
}

impl<'a> Solo<'a> {
    /// Makes it and waits until it is ready.
    pub fn start(cluster: &'a Cluster) -> Self {
        cluster.kubectl(&["apply", "-f", MANIFEST]);
        let address = cluster.kubectl(&[
            "get",
            "service",
            "-n",
            "shop",
            "solo",
            "-o",
            "jsonpath={.spec.clusterIP}",
        ]);
        let solo = Solo {
            cluster,
            url: format!("http://{address}/"),
        };
        solo.rolled_out();
        solo.until("from the pod\n");
        solo
    }

    /// Waits until the Deployment is as it shall be.
    pub fn rolled_out(&self) {
        let status = [
            "rollout",
            "status",
            "-n",
            "shop",
            "deployment/solo",
            "--timeout=90s",
        ];
        self.cluster.kubectl(&status);
    }

    /// A session that steals its port, when it does.
    pub fn stolen(&self) -> Running {
        let argv = [PYTHON, "-uc", SERVER];
        let admin = self.cluster.admin();
        let mut server = self
            .cluster
            .exec(&admin, "deployment/solo", &["--steal"], &argv);
        let (server, _) = Running::start(&mut server, "ready");
        self.until(LAPTOP);
        server
    }

    /// A field of its pod that is not being removed, as text: `/spec/nodeName`, a JSON pointer
    /// (RFC 6901).
    pub fn pod(&self, pointer: &str) -> String {
        let of_solo = ["get", "pods", "-n", "shop", "-l", "app=solo", "-o", "json"];
        let list: Value = serde_json::from_str(&self.cluster.kubectl(&of_solo)).expect("JSON");
        let pods = list["items"].as_array().expect("a list of pods");
        let mut staying = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let pod = staying.next().expect("a pod that stays");
        match pod.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// What a client of the Service hears; what goes wrong is as good as silence.
    pub fn answer(&self) -> String {
        let mut curl = self.cluster.at("node1", "curl");
        run::finish(curl.args(["-sm", "15", &self.url])).stdout
    }

    /// Waits until clients hear that.
    pub fn until(&self, wanted: &str) {
        let deadline = Instant::now() + OVER;
        loop {
            let told = self.answer();
            if told == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{told:?}, and never {wanted:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends the session; the pod answers again, and nothing is left.
    pub fn end(self, session: Running) {
        drop(session);
        self.until("from the pod\n");
        self.cluster.assert_nothing_left();
    }
}

impl Drop for Solo<'_> {
    fn drop(&mut self) {
        let delete = [
            "delete",
            "-f",
            MANIFEST,
            "--wait=false",
            "--ignore-not-found",
        ];
        let mut kubectl = self.cluster.at("node1", "kubectl");
        let ended = run::finish(kubectl.args(delete));
        if !std::thread::panicking() {
            assert!(ended.status.success(), "{ended:?}");
        }
    }
}
