//! The product on a real Kubernetes, from a network that reaches nothing of the cluster but its API
//! server. The stage brings the cluster up (`up.sh`) and names its state folder in
//! `MIRRORD_TEST_CLUSTER`.

pub mod solo;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_tests::{product, run};

/// How long the cluster has to put away what ended: the Job's time to live, and some.
const PUT_AWAY: Duration = Duration::from_secs(60);

/// A program for Python's `-c` that answers on port 8080 what the pod's own server does not.
pub const SERVER: &str = r#"
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b'from the laptop\n')
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Answer)
print('ready', flush=True)
server.serve_forever()
"#;

/// Among the arguments of a process that holds an agent for a session.
pub const HOLDER: &str = "@cluster-agent";

/// The cluster of this run.
pub struct Cluster {
    state: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// The cluster that is up; each test has its own folder for what it writes.
    pub fn get() -> Cluster {
        let state = std::env::var_os("MIRRORD_TEST_CLUSTER").expect(
            "MIRRORD_TEST_CLUSTER names a cluster's state folder: `.ci/run cluster` sets it",
        );
        Cluster {
            state: state.into(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The cluster's own folder: certificates, kubeconfigs, processes.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// A folder of this test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command at a place of the cluster's network: `laptop`, `node1`, `outside`.
    pub fn at(&self, place: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(scripts.join("in.sh"));
        command.arg(&self.state).arg(place).arg(program);
        command
    }

    /// `mirrord-server exec` on the laptop, with the rights of `user` (`admin`, or one that
    /// [`Cluster::user`] made).
    pub fn exec(&self, user: &Path, target: &str, options: &[&str], argv: &[&str]) -> Command {
        self.exec_as(user, target, &serde_json::json!({}), options, argv)
    }

    /// As [`Cluster::exec`], with more in the configuration.
    pub fn exec_as(
        &self,
        user: &Path,
        target: &str,
        more: &serde_json::Value,
        options: &[&str],
        argv: &[&str],
    ) -> Command {
        let config = self.folder().join("mirrord.json");
        let (path, namespace) = target.split_once('@').unwrap_or((target, "shop"));
        let mut text = more.clone();
        text["target"] = serde_json::json!({"path": path, "namespace": namespace});
        // At once: a session that was started before may be reading the one that is there.
        let written = self.folder().join("mirrord.json.new");
        std::fs::write(&written, text.to_string()).expect("a configuration");
        std::fs::rename(&written, &config).expect("a configuration");
        let mut command = self.at("laptop", product::server());
        command
            .env("KUBECONFIG", user)
            .env("XDG_RUNTIME_DIR", self.folder())
            .current_dir(self.folder())
            .arg("exec")
            .arg("--config")
            .arg(config)
            .args(options)
            .arg("--")
            .args(argv);
        command
    }

    /// The kubeconfig of who may do anything.
    pub fn admin(&self) -> PathBuf {
        self.state.join("pki/admin.kubeconfig")
    }

    /// A user of the namespace `shop` who may do what an agent as a Job takes, and nothing else:
    /// its kubeconfig.
    pub fn user(&self, name: &str) -> PathBuf {
        self.may(
            name,
            "shop",
            &["--forms", "job", "--targets", "pod,deployment"],
        )
    }

    /// A user `name` who may do in `namespace` exactly what `mirrord-server rbac` prints for these
    /// options, and nothing else: its kubeconfig.
    pub fn may(&self, name: &str, namespace: &str, options: &[&str]) -> PathBuf {
        let mut rbac = Command::new(product::server());
        rbac.args(["rbac", "--namespace", namespace, "--name", name])
            .args(options);
        let role = run::finish(&mut rbac);
        assert!(role.status.success(), "{role:?}");
        let manifest = format!(
            "{}---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n",
            role.stdout
        );
        // Each of its Roles, in its namespace.
        let bindings = role.stdout.lines().filter_map(|line| {
            let metadata = line.strip_prefix("metadata: ")?;
            Some(format!(
                "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {metadata}\n\
                 subjects: [{{kind: ServiceAccount, name: {name}, namespace: {namespace}}}]\n\
                 roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}\n"
            ))
        });
        let manifest: String = std::iter::once(manifest).chain(bindings).collect();
        self.apply(&manifest);
        let token = self.kubectl(&["-n", namespace, "create", "token", name]);
        let admin = std::fs::read_to_string(self.admin()).expect("a kubeconfig");
        let users = admin.find("users:").expect("users");
        let contexts = admin.find("contexts:").expect("contexts");
        let text = format!(
            "{}users: [{{name: admin, user: {{token: {:?}}}}}]\n{}",
            &admin[..users],
            token.trim(),
            &admin[contexts..]
        );
        let path = self.folder().join(format!("{name}.kubeconfig"));
        std::fs::write(&path, text).expect("a kubeconfig");
        path
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) {
        let path = self.folder().join("manifest.yaml");
        std::fs::write(&path, manifest).expect("a manifest");
        self.kubectl(&["apply", "-f", &path.display().to_string()]);
    }

    /// Applies a manifest of `manifests/` and waits until its pods are ready.
    pub fn apply_file(&self, name: &str, namespace: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("manifests/{name}.yaml"));
        self.kubectl(&["apply", "-f", &file.display().to_string()]);
        let all = [
            "wait",
            "--for=condition=Ready",
            "pod",
            "--all",
            "--timeout=60s",
        ];
        self.kubectl(&[&["-n", namespace], &all[..]].concat());
    }

    /// An object, as JSON.
    pub fn object(&self, namespace: &str, what: &str) -> serde_json::Value {
        let printed = self.kubectl(&["-n", namespace, "get", what, "-o", "json"]);
        serde_json::from_str(&printed).expect("JSON")
    }

    /// What kubectl prints; it must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let ended = run::finish(self.at("node1", "kubectl").args(arguments));
        assert!(ended.status.success(), "kubectl {arguments:?}: {ended:?}");
        ended.stdout
    }

    /// The names of a workload's pods that run on `node`.
    pub fn pods_on(&self, node: &str) -> Vec<String> {
        let field = format!("spec.nodeName={node}");
        let names = [
            "get",
            "pods",
            "-n",
            "shop",
            "-l",
            "app=web",
            "-o",
            "name",
            "--field-selector",
            &field,
        ];
        let printed = self.kubectl(&names);
        let names = printed.lines().filter_map(|line| line.strip_prefix("pod/"));
        names.map(str::to_owned).collect()
    }

    /// The processes that have this test's folder in their environment, and these words among their
    /// arguments.
    pub fn processes(&self, words: &str) -> Vec<u32> {
        let folder = self.folder().to_str().expect("text");
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let found = entries.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let read = |name: &str| std::fs::read(entry.path().join(name)).ok();
            let is_it = String::from_utf8_lossy(&read("cmdline")?).contains(words);
            let is_ours = String::from_utf8_lossy(&read("environ")?).contains(folder);
            (is_it && is_ours).then_some(pid)
        });
        found.collect()
    }

    /// What of ours the cluster has.
    pub fn ours(&self) -> String {
        let label = "app.kubernetes.io/managed-by=mirrord-server";
        self.kubectl(&["get", "jobs,pods", "-A", "-l", label, "-o", "name"])
    }

    /// Waits until nothing of ours is left in the cluster.
    pub fn assert_nothing_left(&self) {
        let deadline = Instant::now() + PUT_AWAY;
        loop {
            let left = self.ours();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still there: {left}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
