//! Sessions over every pod of a workload (`agent.replicas: all`), with the Role that `rbac
//! --replicas all` prints.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_cluster_tests::{Cluster, HOLDER, SERVER};
use mirrord_tests::product;
use mirrord_tests::programs::PYTHON;
use mirrord_tests::run::{self, Running};
use serde_json::{Value, json};

const LAPTOP: &str = "from the laptop\n";
const POD: &str = "from the pod\n";

/// How long something may take on a machine that does other things too.
const IN_TIME: Duration = Duration::from_secs(120);

/// The workload `web` with as many pods as the other tests expect, whatever a test did.
struct Web<'a> {
    cluster: &'a Cluster,
    url: String,
}

impl<'a> Web<'a> {
    fn start(cluster: &'a Cluster) -> Self {
        let address = "jsonpath={.spec.clusterIP}";
        let address = cluster.kubectl(&["get", "service", "-n", "shop", "web", "-o", address]);
        let web = Web {
            cluster,
            url: format!("http://{address}/index.html"),
        };
        web.scale(2);
        web
    }

    fn scale(&self, pods: u32) {
        let replicas = format!("--replicas={pods}");
        let scale = ["scale", "-n", "shop", "deployment/web", &replicas];
        self.cluster.kubectl(&scale);
        self.rolled_out();
    }

    fn rolled_out(&self) {
        let rollout = ["rollout", "status", "-n", "shop", "deployment/web"];
        self.cluster
            .kubectl(&[&rollout[..], &["--timeout=90s"]].concat());
    }

    /// A session that covers all pods, once its program listens.
    fn session(&self, options: &[&str], argv: &[&str]) -> Running {
        let rights = [
            "--forms",
            "job",
            "--targets",
            "deployment",
            "--replicas",
            "all",
        ];
        let user = self.cluster.may("replicas", "shop", &rights);
        let more = json!({"agent": {"replicas": "all"}});
        let mut command = self
            .cluster
            .exec_as(&user, "deployment/web", &more, options, argv);
        Running::start(&mut command, "ready").0
    }

    fn stolen(&self) -> Running {
        let events = self.events().display().to_string();
        let options = ["--steal", "--events", &events];
        let session = self.session(&options, &[PYTHON, "-uc", SERVER]);
        self.covered(2);
        session
    }

    fn events(&self) -> PathBuf {
        self.cluster.folder().join("events.jsonl")
    }

    /// The session's events of one kind.
    fn told(&self, kind: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.events()).unwrap_or_default();
        let events = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        events
            .filter(|event: &Value| event["kind"] == kind)
            .collect()
    }

    /// The session's agents, the primary one first.
    fn agents(&self) -> Vec<Value> {
        let mut command = self.cluster.at("laptop", product::server());
        command.env("XDG_RUNTIME_DIR", self.cluster.folder());
        let listed = run::finish(command.args(["agent", "list", "--json"]));
        assert!(listed.status.success(), "{listed:?}");
        let rows: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let agents = rows[0]["agent"]["agents"].as_array();
        agents.cloned().unwrap_or_default()
    }

    /// Waits until that many pods have an agent, and each of the others all ports; their names, the
    /// primary's first.
    fn covered(&self, pods: usize) -> Vec<String> {
        let deadline = Instant::now() + IN_TIME;
        loop {
            let agents = self.agents();
            let name = |agent: &Value| agent["pod"].as_str().expect("a name").to_owned();
            let names: Vec<String> = agents.iter().map(name).collect();
            let linked = agents.iter().filter(|agent| agent["phase"] == "linked");
            let has_ports = |name: &String| {
                let mut last = self.told("pod").into_iter().rev();
                let last = last.find(|event| event["pod"] == name.as_str());
                last.is_some_and(|event| event["state"] == "taken")
            };
            let mut others = names.iter().skip(1);
            let is_told = !self.events().exists() || others.all(has_ports);
            if linked.count() == pods && agents.len() == pods && is_told {
                assert_eq!(agents[0]["primary"], true, "{agents:?}");
                return names;
            }
            assert!(
                Instant::now() < deadline,
                "{agents:?} {:?}",
                self.told("pod")
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What so many clients of the Service hear.
    fn answers(&self, clients: usize) -> Vec<String> {
        let calls = format!(
            "for i in $(seq {clients}); do curl -sSm 15 {} || echo failed; done",
            self.url
        );
        let heard = run::finish(self.cluster.at("node1", "sh").args(["-c", &calls]));
        assert!(heard.status.success(), "{heard:?}");
        heard
            .stdout
            .split_inclusive('\n')
            .map(str::to_owned)
            .collect()
    }

    /// So many clients hear all the same.
    fn assert_all(&self, clients: usize, wanted: &str) {
        let answers = self.answers(clients);
        assert_eq!(answers.len(), clients);
        let others = answers.iter().filter(|answer| *answer != wanted);
        assert_eq!(others.count(), 0, "{answers:?}");
    }

    /// Waits until ten clients in a row hear that.
    fn until(&self, wanted: &str) {
        let deadline = Instant::now() + IN_TIME;
        while self.answers(10).iter().any(|answer| answer != wanted) {
            assert!(Instant::now() < deadline, "never only {wanted:?}");
        }
    }

    /// Ends the session; the pods answer again, and nothing is left.
    fn end(self, session: Running) {
        drop(session);
        self.until(POD);
        self.assert_all(20, POD);
        self.cluster.assert_nothing_left();
    }
}

impl Drop for Web<'_> {
    fn drop(&mut self) {
        let scale = ["scale", "-n", "shop", "deployment/web", "--replicas=2"];
        let ended = run::finish(self.cluster.at("node1", "kubectl").args(scale));
        if !std::thread::panicking() {
            assert!(ended.status.success(), "{ended:?}");
        }
    }
}

#[test]
fn every_pod_is_stolen_as_the_workload_grows_and_shrinks() {
    let cluster = Cluster::get();
    let web = Web::start(&cluster);
    let session = web.stolen();
    web.assert_all(50, LAPTOP);
    let seen = |pods: &[String]| {
        let came = web.told("incoming");
        let through = |pod: &&String| came.iter().any(|event| event["pod"] == pod.as_str());
        pods.iter().filter(through).count()
    };
    let pods = web.covered(2);
    assert_eq!(
        seen(&pods),
        2,
        "each answer names its pod: {:?}",
        web.told("incoming")
    );

    web.scale(4);
    let pods = web.covered(4);
    web.assert_all(50, LAPTOP);
    assert_eq!(seen(&pods), 4, "{pods:?}: {:?}", web.told("incoming"));

    web.scale(1);
    let last = web.covered(1);
    web.until(LAPTOP);
    web.assert_all(20, LAPTOP);
    // The others went without a word.
    let warnings = web.told("notice").into_iter().filter(|notice| {
        let text = notice["text"].as_str().unwrap_or_default();
        notice["level"] == "warn" && pods.iter().any(|pod| text.contains(pod.as_str()))
    });
    assert_eq!(warnings.count(), 0, "{last:?}: {:?}", web.told("notice"));
    web.end(session);
}

#[test]
fn a_primary_pod_that_is_deleted_costs_the_others_no_answer() {
    let cluster = Cluster::get();
    let web = Web::start(&cluster);
    let session = web.stolen();
    let before = web.covered(2);
    let address = [
        "get",
        "pod",
        "-n",
        "shop",
        &before[1],
        "-o",
        "jsonpath={.status.podIP}",
    ];
    let url = format!("http://{}:8080/", cluster.kubectl(&address));
    let delete = ["delete", "pod", "-n", "shop", "--wait=false", &before[0]];
    cluster.kubectl(&delete);
    // The other pod is asked without a pause until the primary agent has moved and all is well.
    let deadline = Instant::now() + IN_TIME;
    let mut asked = 0;
    loop {
        let calls = format!("for i in $(seq 20); do curl -sSm 15 {url} || echo failed; done");
        let heard = run::finish(cluster.at("node1", "sh").args(["-c", &calls]));
        assert_eq!(heard.stdout, LAPTOP.repeat(20), "after {asked}: {heard:?}");
        asked += 20;
        let agents = web.agents();
        let is_well = agents.len() == 2
            && agents.iter().all(|agent| agent["phase"] == "linked")
            && agents
                .iter()
                .all(|agent| agent["pod"] != before[0].as_str());
        if is_well {
            break;
        }
        assert!(Instant::now() < deadline, "{agents:?}");
    }
    let after = web.covered(2);
    assert!(!after.contains(&before[0]), "{after:?}");
    web.assert_all(50, LAPTOP);
    web.end(session);
}

#[test]
fn two_pods_are_mirrored_and_no_client_notices() {
    let cluster = Cluster::get();
    let web = Web::start(&cluster);
    let seen = cluster.folder().join("seen");
    let program = SERVER.replace(
        "def do_GET(self):",
        &format!("def do_GET(self):\n        open({seen:?}, 'a').write(self.path + '\\n')"),
    );
    let events = web.events().display().to_string();
    let session = web.session(&["--events", &events], &[PYTHON, "-uc", &program]);
    web.covered(2);
    web.assert_all(40, POD);
    let copies = || {
        let seen = std::fs::read_to_string(&seen).unwrap_or_default();
        seen.matches("/index.html").count()
    };
    let deadline = Instant::now() + IN_TIME;
    while copies() < 40 {
        assert!(Instant::now() < deadline, "{} copies", copies());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(copies(), 40, "each once");
    web.end(session);
}

fn kill(pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let killed = run::finish(Command::new("kill").arg("-9").args(pids));
    assert!(killed.status.success(), "{killed:?}");
}

#[test]
fn a_killed_session_leaves_no_agent_in_any_pod() {
    let cluster = Cluster::get();
    let web = Web::start(&cluster);
    let mut session = web.stolen();
    kill(&[session.child.id()]);
    session.child.wait().expect("its end");
    web.end(session);
    assert_eq!(cluster.processes(HOLDER), Vec::<u32>::new());
}

#[test]
fn what_a_session_left_that_was_killed_with_all_its_processes_is_removed_by_the_next() {
    let cluster = Cluster::get();
    let web = Web::start(&cluster);
    let mut session = web.stolen();
    let holders = cluster.processes(HOLDER);
    assert_eq!(holders.len(), 2);
    kill(&[&holders[..], &[session.child.id()]].concat());
    session.child.wait().expect("its end");
    // Fail open, long before the agents give their session up.
    web.until(POD);
    let left = cluster.ours();
    assert_eq!(left.matches("job").count(), 2, "{left}");
    let mut next = cluster.exec(&cluster.admin(), "deployment/web", &[], &["true"]);
    let next = run::finish(&mut next);
    assert!(next.status.success(), "{next:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while left.lines().any(|one| cluster.ours().contains(one)) {
        assert!(Instant::now() < deadline, "{}", cluster.ours());
        std::thread::sleep(Duration::from_millis(200));
    }
    web.end(session);
}

#[test]
fn one_pod_is_no_workload() {
    let cluster = Cluster::get();
    let pod = cluster.pods_on("node1").remove(0);
    let more = json!({"agent": {"replicas": "all"}});
    let target = format!("pod/{pod}");
    let mut command = cluster.exec_as(&cluster.admin(), &target, &more, &[], &["true"]);
    let refused = run::finish(&mut command);
    assert!(!refused.status.success());
    let words = format!("`all` needs a workload of a cluster as its target; {target} is one pod");
    assert!(refused.stderr.contains(&words), "{refused:?}");
    cluster.assert_nothing_left();
}
