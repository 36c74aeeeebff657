//! What a cluster costs: starts of each form of agent, a request to a service beside kubectl's own
//! port-forward, and a `stat` while the link is full. Asked from the laptop of `tests/cluster`, which
//! reaches the API server and nothing else.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::figures::{Figure, heading, median, milliseconds};
use crate::cluster::Cluster;
use crate::{build, command, test};

/// Starts of one kind.
const STARTS: usize = 7;

/// Between two starts: the kubelet looks once a second for containers that ended, and a start that
/// follows an end at once waits for that.
const PAUSE: Duration = Duration::from_secs(4);

/// Folders in the target's pods, each of which is asked about once.
const FOLDERS: usize = 6_000;

/// Echoes on port 7000, endless zeroes on 7001.
const PEER: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: peer, namespace: shop, labels: {app: peer}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: echo, image: docker.io/local/web:1, imagePullPolicy: Never, command: [busybox, nc, -ll, -p, "7000", -e, cat]}
    - {name: zeroes, image: docker.io/local/web:1, imagePullPolicy: Never, command: [busybox, nc, -ll, -p, "7001", -e, cat, /dev/zero]}
---
apiVersion: v1
kind: Service
metadata: {name: peer, namespace: shop}
spec: {selector: {app: peer}, ports: [{name: echo, port: 7000}, {name: zeroes, port: 7001}]}
"#;

/// Host and port; prints the median of 1 KiB there and back in µs.
const PING: &str = r#"
import socket, sys, time
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
took = []
for _ in range(3000):
    began = time.perf_counter()
    peer.sendall(b'x' * 1024)
    left = 1024
    while left:
        left -= len(peer.recv(left))
    took.append(time.perf_counter() - began)
print(sorted(took)[len(took) // 2] * 1e6)
"#;

/// Asks about a file in each of many folders, a round trip each, alone and beside a download of 1 GB; prints
/// medians, 95 of 100, longest in ms, and the download's MB/s.
const STATS: &str = r#"
import os, socket, threading, time
def stats(name, more):
    took = []
    while more(len(took)):
        began = time.perf_counter()
        os.stat(f'/many/{name}{len(took)}/file')
        took.append((time.perf_counter() - began) * 1e3)
        time.sleep(0.002)
    took.sort()
    return took[len(took) // 2], took[len(took) * 95 // 100], took[-1]
os.stat('/many')
alone = stats('alone', lambda count: count < 500)
begins, speed = threading.Event(), []
def download():
    source, size, left, buffer = socket.create_connection(('peer', 7001)), 10**9, 10**9, bytearray(1 << 20)
    begins.set()
    began = time.perf_counter()
    while left > 0: left -= source.recv_into(buffer)
    speed.append(size / (time.perf_counter() - began) / 1e6)
thread = threading.Thread(target=download); thread.start(); begins.wait()
print(*alone, *stats('busy', lambda count: thread.is_alive()))
thread.join()
print(*speed)
"#;

/// Measures, prints a table, and writes the JSON list.
pub fn run(json: Option<&Path>, only: &str) -> Result<()> {
    if let Some(why) = test::cluster::impossible()? {
        bail!("there can be no cluster here: {why}");
    }
    let product = build::product(build::Profile::Release)?;
    let folder = tempfile::Builder::new()
        .prefix("mirrord-bench-")
        .tempdir()?;
    let cluster = Cluster::up(folder.path())?;
    let laptop = std::fs::read_to_string(cluster.state.join("pids/laptop"))?;
    let measured = Laptop {
        laptop: laptop.trim(),
        cluster: &cluster,
        product: &product,
        folder: folder.path(),
    }
    .measure(only);
    ensure!(cluster.down(), "something of the cluster was left");
    let figures = measured?;
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&figures)?)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

struct Laptop<'a> {
    /// A process in its network.
    laptop: &'a str,
    cluster: &'a Cluster,
    product: &'a Path,
    folder: &'a Path,
}

impl Laptop<'_> {
    fn measure(&self, only: &str) -> Result<Vec<Figure>> {
        let manifest = self.folder.join("peer.yaml");
        std::fs::write(&manifest, PEER)?;
        command::run(self.cluster.kubectl().arg("apply").arg("-f").arg(&manifest))?;
        let ready = [
            "-n",
            "shop",
            "wait",
            "--for=condition=Ready",
            "pod/peer",
            "--timeout=60s",
        ];
        command::run(self.cluster.kubectl().args(ready))?;
        println!("{}", heading());
        let mut figures = Vec::new();
        type Measure<'a> = fn(&Laptop<'a>) -> Result<Vec<Figure>>;
        let all: [(&str, Measure<'_>); 4] = [
            ("cluster.start", Self::starts),
            ("cluster.start.warm", Self::warm),
            ("cluster.request", Self::request),
            ("cluster.stat", Self::stat),
        ];
        for (_, measure) in all.iter().filter(|(name, _)| name.contains(only)) {
            for figure in measure(self)? {
                println!("{figure}");
                figures.push(figure);
            }
        }
        Ok(figures)
    }

    /// From the start of `exec` to the program's first line, with an agent of its own.
    fn starts(&self) -> Result<Vec<Figure>> {
        let forms = [
            ("cluster.start.job", false),
            ("cluster.start.ephemeral", true),
        ];
        let mut figures = Vec::new();
        for (operation, ephemeral) in forms {
            let config = self.config(&json!({ "agent": { "ephemeral": ephemeral } }))?;
            let samples = (0..STARTS).map(|_| {
                let mut exec = self.server();
                exec.arg("exec").arg("--config").arg(&config);
                exec.args(["--", "echo", "here"]);
                let started = Instant::now();
                let mut child = Background::start(&mut exec)?;
                child.line()?;
                let took = milliseconds(started);
                child.end()?;
                std::thread::sleep(PAUSE);
                Ok(took)
            });
            let samples = samples.collect::<Result<_>>()?;
            figures.push(ours(operation, "ms", median(samples)));
        }
        Ok(figures)
    }

    /// From `session prepare` to the first line of a program that is launched into the session, whose
    /// agent the session before has left.
    fn warm(&self) -> Result<Vec<Figure>> {
        let config = self.config(&json!({}))?;
        let prepare = || -> Result<Value> {
            let mut prepare = self.server();
            prepare.args(["session", "prepare", "--keep-agent-ms", "60000", "--config"]);
            Ok(serde_json::from_str(&command::output(
                prepare.arg(&config),
            )?)?)
        };
        let text = |session: &Value, key: &str| {
            let text = session[key].as_str().map(str::to_owned);
            text.with_context(|| format!("a prepared session without {key}"))
        };
        let mut samples = Vec::new();
        let mut last = String::new();
        for _ in 0..=STARTS {
            let started = Instant::now();
            let session = prepare()?;
            let mut program = self.at_laptop("env");
            program
                .arg(format!("LD_PRELOAD={}", text(&session, "layer")?))
                .args(["/bin/echo", "here"])
                .env("MIRRORD_SUPERVISOR", text(&session, "socket")?)
                .env("MIRRORD_LAUNCH_TOKEN", text(&session, "token")?);
            let mut program = Background::start(&mut program)?;
            program.line()?;
            if session["wasWarm"] == true {
                samples.push(milliseconds(started));
            }
            program.end()?;
            last = text(&session, "sessionId")?;
            // It is over with its last program, or is told so.
            let _ = self.server().args(["session", "stop", &last]).output();
            std::thread::sleep(PAUSE);
        }
        ensure!(samples.len() == STARTS, "{} warm starts", samples.len());
        command::run(self.server().args(["agent", "stop", &last]))?;
        Ok(vec![ours("cluster.start.warm", "ms", median(samples))])
    }

    /// 1 KiB to a service and back: through the agent, and (as *plain*) through kubectl's port-forward.
    fn request(&self) -> Result<Vec<Figure>> {
        let config = self.config(&json!({}))?;
        let mut exec = self.server();
        exec.arg("exec").arg("--config").arg(&config).arg("--");
        exec.args(["/usr/bin/python3", "-c", PING, "peer", "7000"]);
        let ours = number(&command::output(&mut exec)?, 0)?;
        let mut forward = self.at_laptop(self.cluster.state.join("made/bin/kubectl"));
        forward.args(["-n", "shop", "port-forward", "service/peer", "7000:7000"]);
        let mut forward = Background::start(&mut forward)?;
        forward.line()?;
        let mut ping = self.at_laptop("/usr/bin/python3");
        ping.args(["-c", PING, "127.0.0.1", "7000"]);
        let plain = number(&command::output(&mut ping)?, 0)?;
        forward.kill()?;
        Ok(vec![Figure {
            operation: "cluster.request.1KiB",
            plain: Some(plain),
            bare: None,
            ours: Some(ours),
            unit: "µs",
        }])
    }

    fn stat(&self) -> Result<Vec<Figure>> {
        let make = format!(
            "cd /; mkdir many; for i in $(seq 0 {FOLDERS}); do mkdir many/alone$i many/busy$i; \
             echo > many/alone$i/file; echo > many/busy$i/file; done"
        );
        let mut names = self.cluster.kubectl();
        names.args(["-n", "shop", "get", "pods", "-l", "app=web", "-o", "name"]);
        for pod in command::output(&mut names)?.lines() {
            let inside = ["-n", "shop", "exec", pod, "--", "bash", "-c", &make];
            command::run(self.cluster.kubectl().args(inside))?;
        }
        let config = self.config(&json!({}))?;
        let mut exec = self.server();
        exec.arg("exec").arg("--config").arg(&config).arg("--");
        exec.args(["/usr/bin/python3", "-c", STATS]);
        let printed = command::output(&mut exec)?;
        let names = [
            "cluster.stat.alone",
            "cluster.stat.alone.p95",
            "cluster.stat.alone.longest",
            "cluster.stat.beside_download",
            "cluster.stat.beside_download.p95",
            "cluster.stat.beside_download.longest",
            "cluster.download",
        ];
        let figures = names.iter().enumerate().map(|(at, name)| {
            let unit = if *name == "cluster.download" {
                "MB/s"
            } else {
                "ms"
            };
            Ok(ours(name, unit, Some(number(&printed, at)?)))
        });
        figures.collect()
    }

    /// A configuration for the pods of `web`, with more in it.
    fn config(&self, more: &Value) -> Result<std::path::PathBuf> {
        let mut text = more.clone();
        text["target"] = json!({ "path": "deployment/web", "namespace": "shop" });
        let path = self.folder.join("mirrord.json");
        std::fs::write(&path, text.to_string())?;
        Ok(path)
    }

    fn server(&self) -> Command {
        self.at_laptop(self.product.join("mirrord-server"))
    }

    /// Without a shell on the way, which would be measured too.
    fn at_laptop(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        let network = format!("--net=/proc/{}/ns/net", self.laptop);
        command.arg(network).arg("--").arg(program);
        command
            .env(
                "KUBECONFIG",
                self.cluster.state.join("pki/admin.kubeconfig"),
            )
            .env("XDG_RUNTIME_DIR", self.folder)
            .env("HOME", self.folder)
            .current_dir(self.folder);
        command
    }
}

/// A program whose output is read while it runs; killed when dropped.
struct Background {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Background {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {command:?}"))?;
        let output = BufReader::new(child.stdout.take().context("piped")?);
        Ok(Background { child, output })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(
            self.output.read_line(&mut line)? > 0,
            "it ended without a line"
        );
        Ok(line)
    }

    fn end(mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Of a measurement that failed; otherwise it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ours(operation: &'static str, unit: &'static str, value: Option<f64>) -> Figure {
    Figure {
        operation,
        plain: None,
        bare: None,
        ours: value,
        unit,
    }
}

fn number(printed: &str, at: usize) -> Result<f64> {
    let word = printed.split_whitespace().nth(at);
    let word = word.with_context(|| format!("{at} numbers in {printed:?}"))?;
    Ok(word.parse()?)
}
