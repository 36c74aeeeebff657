//! Measures a list of pods against an API server in this process that has 5,000 of them, of the size
//! that pods have: when the first rows were there, when all, and what memory the reading side took.
//! Run with `cargo run --release -p mirrord-kubernetes --example listing`. The server is a process of
//! its own (the same program with an argument), so that its memory is not counted.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use futures::StreamExt;
use mirrord_kubernetes::{Access, Cluster, Environment, Kind, Listed, Query};

const PODS: usize = 5000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut url = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut url)?;
    let measured = measure(url.trim());
    server.kill()?;
    server.wait()?;
    measured
}

fn measure(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("kubeconfig-{}", std::process::id()));
    std::fs::write(
        &path,
        format!(
            "{{current-context: c, clusters: [{{name: c, cluster: {{server: '{url}'}}}}], \
             contexts: [{{name: c, context: {{cluster: c, namespace: shop}}}}]}}"
        ),
    )?;
    let name = path.display().to_string();
    let environment = Environment::of(BTreeMap::from([("KUBECONFIG".into(), name)]));
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(async {
        let cluster = Cluster::connect_in(&Access::default(), &environment).await?;
        let before = memory();
        let begun = Instant::now();
        let query = Query {
            kinds: Some(vec![Kind::Pod]),
            labels: None,
        };
        let (mut first, mut rows) = (None, Vec::new());
        let mut parts = std::pin::pin!(cluster.list(&query));
        while let Some(part) = parts.next().await {
            match part {
                Listed::Rows(part) => rows.extend(part),
                Listed::Problem { error, .. } => return Err(error),
            }
            first.get_or_insert_with(|| begun.elapsed());
        }
        println!("rows {}", rows.len());
        println!("first rows {:?}", first.unwrap_or_default());
        println!("all {:?}", begun.elapsed());
        println!("memory before {before} KiB, at the peak {} KiB", memory());
        Ok(())
    });
    std::fs::remove_file(&path)?;
    Ok(result?)
}

/// The most that this process ever had in memory, in KiB (proc(5), `VmHWM`).
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    let pods: Vec<String> = (0..PODS).map(pod).collect();
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut lines = BufReader::new(stream.try_clone()?);
        loop {
            let mut request = String::new();
            if lines.read_line(&mut request)? == 0 {
                break;
            }
            let mut line = String::new();
            while lines.read_line(&mut line)? > 2 {
                line.clear();
            }
            let number = |name: &str| {
                let (_, rest) = request.split_once(name)?;
                let end = rest.find(|c: char| !c.is_ascii_digit())?;
                rest[..end].parse::<usize>().ok()
            };
            let from = number("continue=").unwrap_or(0);
            let to = PODS.min(from + number("limit=").unwrap_or(PODS));
            let next = if to < PODS {
                to.to_string()
            } else {
                String::new()
            };
            let body = format!(
                "{{\"metadata\": {{\"resourceVersion\": \"1\", \"continue\": \"{next}\"}}, \"items\": [{}]}}",
                pods[from..to].join(",")
            );
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
    }
    Ok(())
}

/// Some 6 KiB, most of which nobody wants.
fn pod(number: usize) -> String {
    let filler = "x".repeat(5000);
    serde_json::json!({
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "uid": number.to_string(),
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": filler}},
        "spec": {"nodeName": "node1", "containers": [
            {"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}], "env": [{"name": "A", "value": "b"}]},
            {"name": "proxy", "image": "proxy:1", "ports": [{"containerPort": 15001}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "state": {"running": {"startedAt": "2024-01-01T00:00:00Z"}}}]},
    })
    .to_string()
}
