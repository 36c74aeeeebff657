//! What a cluster has to choose from, on the command line and for editors.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mirrord_cluster_tests::Cluster;
use mirrord_tests::{product, run};
use serde_json::{Value, json};

fn server(cluster: &Cluster, user: &Path, arguments: &[&str]) -> Command {
    let mut command = cluster.at("laptop", product::server());
    command
        .env("KUBECONFIG", user)
        .env("XDG_RUNTIME_DIR", cluster.folder())
        .current_dir(cluster.folder())
        .args(arguments);
    command
}

fn listed(cluster: &Cluster, user: &Path, arguments: &[&str]) -> (Vec<Value>, String) {
    let ended = run::finish(&mut server(cluster, user, arguments));
    assert!(ended.status.success(), "{ended:?}");
    let rows: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    (rows.as_array().expect("rows").clone(), ended.stderr)
}

#[test]
fn the_command_line_lists_what_a_namespace_has() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    let (rows, problems) = listed(&cluster, &admin, &["targets", "--json", "-n", "shop"]);
    assert_eq!(problems, "");
    let row = |path: &str| {
        let found = rows.iter().find(|row| row["path"] == path);
        found.unwrap_or_else(|| panic!("no {path} in {rows:?}"))
    };
    let web = row("deployment/web");
    assert_eq!(web["containers"], json!(["web"]));
    assert_eq!(web["ports"], json!([8080]));
    assert_eq!(web["pods"], json!({"ready": 2, "wanted": 2}));
    assert_eq!(web["ready"], true);
    assert_eq!(row("service/web")["ports"], json!([80]));
    let pods = rows.iter().filter(|row| row["kind"] == "pod");
    assert_eq!(pods.filter(|row| row["ready"] == true).count(), 2);
    // Parts of a deployment are no rows of their own.
    assert!(!rows.iter().any(|row| row["kind"] == "replicaset"));
    let (names, _) = listed(
        &cluster,
        &admin,
        &["ls", "-o", "json", "-n", "shop", "-t", "deployment,service"],
    );
    assert_eq!(names, [json!("deployment/web"), json!("service/web")]);
    let (none, _) = listed(
        &cluster,
        &admin,
        &["ls", "--json", "-n", "shop", "-l", "app=nothing"],
    );
    assert_eq!(none, [] as [Value; 0]);
}

#[test]
fn with_the_least_rights_the_rest_is_listed_and_the_reason_told() {
    let cluster = Cluster::get();
    let developer = cluster.user("developer");
    let (rows, problems) = listed(&cluster, &developer, &["targets", "--json", "-n", "shop"]);
    let pods = rows.iter().filter(|row| row["kind"] == "pod");
    assert_eq!(pods.count(), 2, "{rows:?}");
    assert!(problems.contains("is forbidden"), "{problems}");
    // One line, not one for each kind; and Rollouts are not there at all.
    assert_eq!(problems.lines().count(), 1, "{problems}");
    assert!(!problems.contains("rollout"), "{problems}");
}

#[test]
fn a_cluster_that_cannot_be_used_says_why() {
    let cluster = Cluster::get();
    let admin = cluster.admin();
    let missing = cluster.folder().join("missing");
    let expired = cluster.folder().join("expired");
    let text = std::fs::read_to_string(cluster.user("developer")).unwrap();
    let from = text.find("token:").unwrap();
    let to = from + text[from..].find('}').unwrap();
    std::fs::write(
        &expired,
        format!("{}token: old{}", &text[..from], &text[to..]),
    )
    .unwrap();
    let unreachable = cluster.folder().join("unreachable");
    let text = std::fs::read_to_string(&admin).unwrap();
    std::fs::write(&unreachable, text.replace(":6443", ":6444")).unwrap();
    for (config, arguments, words) in [
        (&missing, &["-n", "shop"][..], "no cluster is configured"),
        (&admin, &["--context", "moon"], "no context moon"),
        (&expired, &["-n", "shop"], "log in again"),
        (&unreachable, &["-n", "shop"], "cannot be reached"),
    ] {
        let ended = run::finish(server(&cluster, config, &["targets"]).args(arguments));
        assert_eq!(ended.status.code(), Some(1), "{words}: {ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{words}: {ended:?}");
    }
}

/// An editor's connection, in the laptop's network.
struct Editor {
    child: Child,
    read: BufReader<std::process::ChildStdout>,
    next: u64,
    told: Vec<Value>,
}

impl Editor {
    fn start(cluster: &Cluster, environment: &Value) -> Editor {
        let home = cluster.folder().join("home");
        std::fs::create_dir_all(&home).unwrap();
        // The daemon's own environment leads nowhere; the client's decides.
        let mut child = server(cluster, Path::new("/nowhere"), &["--stdio", "--no-daemon"])
            .env("HOME", &home)
            .env("XDG_STATE_HOME", &home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let read = BufReader::new(child.stdout.take().unwrap());
        let mut editor = Editor {
            child,
            read,
            next: 0,
            told: Vec::new(),
        };
        let options = json!({"environment": environment, "editor": {"name": "test"}});
        editor.ask(
            "initialize",
            json!({"capabilities": {}, "initializationOptions": options}),
        );
        editor.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let stdin = self.child.stdin.as_mut().unwrap();
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        stdin.flush().unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.read.read_line(&mut line).unwrap(), 0, "it ended");
            match line.trim().split_once(": ") {
                Some((_, value)) => length = value.parse().unwrap(),
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.read.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.told.push(message);
        }
    }

    /// The first notification that fits, now or later.
    fn hear(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.told.iter().position(&fits) {
            return self.told.remove(at);
        }
        loop {
            let message = self.receive();
            if fits(&message) {
                return message;
            }
            self.told.push(message);
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn an_editor_sees_the_cluster_of_its_own_environment() {
    let cluster = Cluster::get();
    let environment = json!({"KUBECONFIG": cluster.admin(), "PATH": "/usr/bin:/bin"});
    let mut editor = Editor::start(&cluster, &environment);
    let contexts = &editor.ask("mirrord/kube/contexts", json!({}))["result"];
    assert_eq!(contexts["contexts"][0]["current"], true, "{contexts}");
    let namespaces = editor.ask("mirrord/kube/namespaces", json!({"query": "sho"}));
    assert_eq!(namespaces["result"], json!({"namespaces": ["shop"]}));
    let params = json!({"namespace": "shop", "types": ["deployment", "service"]});
    let rows = &editor.ask("mirrord/targets/list", params)["result"];
    let paths: Vec<&str> = rows["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&"deployment/web") && paths.contains(&"service/web"),
        "{rows}"
    );
    let params = json!({"path": "deployment/web", "namespace": "shop"});
    let web = &editor.ask("mirrord/targets/describe", params)["result"];
    let container = &web["containers"][0];
    assert_eq!(container["name"], "web");
    assert_eq!(container["ports"], json!([8080]));
    assert_eq!(
        container["envNames"],
        json!(["GREETING", "PASSWORD", "POD_NAME"])
    );
    assert_eq!(container["probes"][0]["port"], 8080);
    assert_eq!(web["target"]["pods"], json!({"ready": 2, "wanted": 2}));
    let secret = "correct horse";
    assert!(!web.to_string().contains(secret), "{web}");
    let params = json!({"path": "deployment/nobody", "namespace": "shop"});
    let error = &editor.ask("mirrord/targets/describe", params)["error"]["data"];
    assert_eq!(error["kind"], "targetUnavailable", "{error}");
}

#[test]
fn an_editor_without_rights_keeps_what_it_may_see() {
    let cluster = Cluster::get();
    let environment = json!({"KUBECONFIG": cluster.user("developer"), "PATH": "/usr/bin:/bin"});
    let mut editor = Editor::start(&cluster, &environment);
    let namespaces = &editor.ask("mirrord/kube/namespaces", json!({}))["result"];
    // What the kubeconfig names is offered, with the cluster's refusal.
    assert!(
        !namespaces["namespaces"].as_array().unwrap().is_empty(),
        "{namespaces}"
    );
    assert!(
        namespaces["reason"].as_str().unwrap().contains("forbidden"),
        "{namespaces}"
    );
    let params = json!({"namespace": "shop", "types": ["deployment", "pod"]});
    let listed = &editor.ask("mirrord/targets/list", params)["result"];
    assert_eq!(listed["targets"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["problems"][0]["scope"], "deployment", "{listed}");
    let params = json!({"path": "deployment/web", "namespace": "kube-system"});
    let error = &editor.ask("mirrord/targets/describe", params)["error"]["data"];
    assert_eq!(error["kind"], "forbidden", "{error}");
}

#[test]
fn a_watched_list_follows_the_cluster() {
    let cluster = Cluster::get();
    let pod = |verb: &str, more: &[&str]| {
        cluster.kubectl(&[&[verb, "pod", "passing", "-n", "shop"], more].concat())
    };
    let environment = json!({"KUBECONFIG": cluster.admin(), "PATH": "/usr/bin:/bin"});
    let mut editor = Editor::start(&cluster, &environment);
    let params = json!({"namespace": "shop", "types": ["pod"]});
    let watch = &editor.ask("mirrord/targets/watch", params)["result"]["watchId"].clone();
    let mut hear = |what: &str, fits: &dyn Fn(&Value) -> bool| {
        let heard = editor.hear(|message| {
            let params = &message["params"];
            params["watchId"] == *watch
                && params[what]
                    .as_array()
                    .is_some_and(|rows| rows.iter().any(fits))
        });
        heard["params"].clone()
    };
    hear("updated", &|row| {
        row["path"]
            .as_str()
            .is_some_and(|path| path.starts_with("pod/web-"))
    });
    cluster.kubectl(&[
        "run",
        "passing",
        "-n",
        "shop",
        "--image=docker.io/local/web:1",
        "--image-pull-policy=Never",
        "--overrides={\"spec\":{\"terminationGracePeriodSeconds\":0}}",
    ]);
    hear("updated", &|row| {
        row["path"] == "pod/passing" && row["ready"] == true
    });
    pod("delete", &["--wait=false"]);
    hear("removed", &|path| *path == "pod/passing");
}

/// The labels that completion offers at the end of a line.
fn offered(editor: &mut Editor, uri: &str, line: u32, character: u32) -> Vec<String> {
    let at =
        json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}});
    let answer = editor.ask("textDocument/completion", at);
    let items = answer["result"]["items"].as_array().expect("items").clone();
    let label = |item: &Value| item["label"].as_str().map(str::to_owned);
    items.iter().filter_map(label).collect()
}

#[test]
fn a_configuration_is_completed_and_checked_with_the_cluster() {
    let cluster = Cluster::get();
    let environment = json!({"KUBECONFIG": cluster.admin(), "PATH": "/usr/bin:/bin"});
    let mut editor = Editor::start(&cluster, &environment);
    let uri = "file:///nowhere/.mirrord/mirrord.yaml";
    let text =
        "target:\n  namespace: shop\n  path: deployment/wob\nfeature:\n  env:\n    include: \n";
    let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
    editor.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}}));
    // Said when it was heard, without being asked again.
    let heard = editor.hear(|message| {
        let found = message["params"]["diagnostics"].as_array();
        found.is_some_and(|found| found.iter().any(|one| one["code"] == "target-not-found"))
    });
    let told = &heard["params"]["diagnostics"][0];
    let words = "there is no deployment wob in the namespace shop";
    assert!(told["message"].as_str().unwrap().contains(words), "{told}");
    assert_eq!(told["range"]["start"], json!({"line": 2, "character": 8}));
    // The first answer waits for nobody; the cluster's targets are there a little later.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !offered(&mut editor, uri, 2, 22).contains(&"deployment/web".to_owned()) {
        assert!(std::time::Instant::now() < deadline, "never offered");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mended = json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": text.replace("wob", "web")}]});
    editor.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": mended}));
    while !offered(&mut editor, uri, 5, 13).contains(&"GREETING".to_owned()) {
        assert!(std::time::Instant::now() < deadline, "never offered");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}});
    let hints = editor.ask(
        "textDocument/inlayHint",
        json!({"textDocument": {"uri": uri}, "range": range}),
    );
    assert_eq!(hints["result"][0]["label"], "2 of 2 pods", "{hints}");
    let at = json!({"textDocument": {"uri": uri}, "position": {"line": 2, "character": 3}});
    let hover = editor.ask("textDocument/hover", at);
    let hover = hover["result"]["contents"]["value"].as_str().unwrap();
    assert!(
        hover.contains("containers web; ports 8080; ready"),
        "{hover}"
    );
}

#[test]
fn doctor_asks_the_cluster() {
    let cluster = Cluster::get();
    let checks = |user: &Path, namespace: &str| {
        let config = json!({"target": {"namespace": namespace}});
        let folder = cluster.folder().join(".mirrord");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("mirrord.json"), config.to_string()).unwrap();
        let ended = run::finish(&mut server(&cluster, user, &["doctor", "--json"]));
        let checks: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
        move |id: &str| {
            let found = checks.iter().find(|check| check["id"] == id);
            let found = found.unwrap_or_else(|| panic!("no {id} in {checks:?}"));
            let text = |key: &str| found[key].as_str().unwrap().to_owned();
            (text("status"), text("detail"))
        }
    };
    let developer = cluster.user("developer");
    let shop = checks(&developer, "shop");
    assert_eq!(shop("cluster.configured").0, "ok");
    assert_eq!(shop("cluster.reachable").0, "ok");
    assert_eq!(
        shop("cluster.rights").0,
        "ok",
        "{:?}",
        shop("cluster.rights")
    );
    let elsewhere = checks(&developer, "kube-system");
    let (status, detail) = elsewhere("cluster.rights");
    assert_eq!(status, "fail");
    assert!(
        detail.contains("create jobs") && detail.contains("create pods/portforward"),
        "{detail}"
    );
    let nowhere = checks(&cluster.admin(), "nowhere");
    assert_eq!(nowhere("cluster.podSecurity").0, "fail");
}
