//! An API server that answers what a test says: just enough of HTTP/1.1, so that what is tested is
//! the whole client with its kubeconfig, its helpers, its retries and its connections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mirrord_kubernetes::{Access, Cluster, Environment};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as the server sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// With the query.
    pub path: String,
    pub authorization: Option<String>,
}

impl Asked {
    /// A parameter of the query, without its escapes.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.path.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(key, _)| *key == name)?;
        Some(
            found
                .1
                .replace("%3D", "=")
                .replace("%2F", "/")
                .replace("%2C", ","),
        )
    }

    pub fn is(&self, ending: &str) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        path.ends_with(ending)
    }

    pub fn watches(&self) -> bool {
        self.parameter("watch").is_some()
    }
}

/// What is answered.
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    after: Duration,
    /// The connection stays open without an end of the body.
    stays: bool,
}

impl Answer {
    pub fn json(body: Value) -> Answer {
        Answer {
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
            after: Duration::ZERO,
            stays: false,
        }
    }

    /// An error in the API's own form.
    pub fn error(status: u16, message: &str) -> Answer {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "x", "code": status});
        Answer {
            status,
            ..Answer::json(body)
        }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Answer {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn after(mut self, pause: Duration) -> Answer {
        self.after = pause;
        self
    }

    /// A watch: one event a line, and then nothing more.
    pub fn events(events: &[Value]) -> Answer {
        let lines = events.iter().map(|event| format!("{event}\n"));
        Answer {
            body: lines.collect(),
            stays: true,
            ..Answer::json(Value::Null)
        }
    }
}

/// A list in the API's form.
pub fn list(items: &[Value], next: Option<&str>) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1", "continue": next.unwrap_or("")}, "items": items})
}

/// A pod that runs.
pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"},
        "spec": {"nodeName": "node1", "containers": [{"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "image": "web:1", "imageID": "", "containerID": "containerd://1", "ready": true, "restartCount": 0, "state": {"running": {}}}],
        },
    })
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The server, and a folder with a kubeconfig that leads to it.
pub struct Mock {
    pub folder: tempfile::TempDir,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

impl Mock {
    pub async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Mock {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, handler): (_, Arc<Handler>) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&seen)));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let mock = Mock { folder, asked, url };
        mock.kubeconfig(&json!({"token": "secret-token"}));
        mock
    }

    /// Writes the kubeconfig, with this user.
    pub fn kubeconfig(&self, user: &Value) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "mock",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [
                {"name": "mock", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
                {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "cart"}},
            ],
        });
        let path = self.folder.path().join("kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// An environment that leads to it, with these variables beside.
    pub fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let path = self.folder.path().join("kubeconfig").display().to_string();
        environment(&[&[("KUBECONFIG", &*path)], more].concat())
    }

    pub async fn cluster(&self) -> Cluster {
        let environment = self.environment(&[]);
        let cluster = Cluster::connect_in(&Access::default(), &environment).await;
        cluster.unwrap_or_else(|error| panic!("{error}"))
    }

    /// How often a path of this ending was asked for.
    pub fn times(&self, ending: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.is(ending)).count()
    }
}

pub fn environment(pairs: &[(&str, &str)]) -> Environment {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Environment::of(pairs.collect::<BTreeMap<_, _>>())
}

/// A program in a folder.
pub fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn serve(stream: TcpStream, handler: Arc<Handler>, seen: Arc<Mutex<Vec<Asked>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        seen.lock().unwrap().push(asked.clone());
        let answer = handler(&asked);
        tokio::time::sleep(answer.after).await;
        let mut text = format!(
            "HTTP/1.1 {} x\r\ncontent-type: application/json\r\n",
            answer.status
        );
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if answer.stays {
            text.push_str("transfer-encoding: chunked\r\n\r\n");
            // A chunk of no bytes would be the end.
            if !answer.body.is_empty() {
                text.push_str(&format!("{:x}\r\n{}\r\n", answer.body.len(), answer.body));
            }
        } else {
            text.push_str(&format!(
                "content-length: {}\r\n\r\n{}",
                answer.body.len(),
                answer.body
            ));
        }
        if stream.get_mut().write_all(text.as_bytes()).await.is_err() {
            return;
        }
        if answer.stays {
            // Until the client goes.
            let _ = stream.read(&mut [0]).await;
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut first = String::new();
    stream.read_line(&mut first).await.ok()?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let path = words.nth(1)?;
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        path,
        authorization,
    })
}
