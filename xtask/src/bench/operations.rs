//! What is measured: each operation knows how to do it plain, over the bare chain, and through us.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use mirrord_sandbox::Place;

use super::figures::{Figure, median};
use super::stage::{
    CARGOS_LIBRARIES, Distance, FIRST_PORT, HTTP_PORT, POD_FROM_SERVICE, SERVICE, STOLEN_PORT,
    STREAM_PORT, Stage, UDP_PORT, listening, result, stop,
};
use super::{daemon, language};

/// Rounds of each figure.
const ROUNDS: usize = 3;

/// One operation.
pub struct Operation {
    /// Its name in the list.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    work: fn(&Stage) -> Result<Sides>,
}

/// Plain, bare, ours.
type Sides = (Option<f64>, Option<f64>, Option<f64>);

impl Operation {
    /// Measures all sides, in turn, some rounds.
    pub fn measure(&self, stage: &Stage) -> Result<Figure> {
        let mut rounds: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let (plain, bare, ours) = (self.work)(stage)?;
            for (samples, sample) in rounds.iter_mut().zip([plain, bare, ours]) {
                samples.extend(sample);
            }
        }
        let [plain, bare, ours] = rounds.map(median);
        Ok(Figure {
            operation: self.name,
            plain,
            bare,
            ours,
            unit: self.unit,
        })
    }
}

macro_rules! operations {
    ($($name:literal $unit:literal $work:expr;)*) => {
        &[$(Operation { name: $name, unit: $unit, work: $work }),*]
    };
}

/// All of them, in the table's order.
pub const ALL: &[Operation] = operations! {
    "file.open_2read_close.cached" "µs" |s| pod_and_ours(s, &["file-small", "/data/bench/small", "20000"]);
    "file.stat.cached" "µs" |s| pod_and_ours(s, &["file-stat", "/data/bench/small", "20000"]);
    "file.readdir100.cached" "µs" |s| pod_and_ours(s, &["readdir", "/data/bench/hundred", "2000"]);
    "file.open.local" "µs" |s| local_open(s, true);
    "file.open.local.notified" "µs" |s| local_open(s, false);
    "file.sequential.first" "MB/s" sequential_first;
    "tcp.connect_echo" "µs" |s| service(s, "connect", STREAM_PORT, &["2000"]);
    "tcp.pingpong64" "µs" |s| service(s, "pingpong", STREAM_PORT, &["5000"]);
    "udp.pingpong64" "µs" |s| {
        let call = ["udp", SERVICE, &UDP_PORT.to_string(), "5000"];
        Ok((Some(s.at(Place::PodNetwork, &call)?), None, Some(s.ours(Distance::Near, &[], &call)?)))
    };
    "dns.lookup" "µs" |s| pod_and_ours(s, &["dns", "orders.shop.svc.cluster.local", "1000"]);
    "tcp.download" "MB/s" |s| service(s, "down", STREAM_PORT, &["1000000000"]);
    "tcp.upload" "MB/s" |s| service(s, "up", STREAM_PORT, &["1000000000"]);
    "http.out.c32" "requests/s" |s| service(s, "http-load", HTTP_PORT, &["32", "2000"]);
    "http.out.c1" "requests/s" |s| service(s, "http-load", HTTP_PORT, &["1", "2000"]);
    "http.stolen.c32" "requests/s" |s| stolen(s, "32");
    "http.stolen.c1" "requests/s" |s| stolen(s, "1");
    "session.from_zero" "ms" session_from_zero;
    "far.file.open_read.first" "ms" |s| far_difference(s, &["file-small", "/data/bench/small", "1"], 1e-3);
    "far.file.readdir100.first" "ms" |s| far_difference(s, &["readdir", "/data/bench/hundred", "1"], 1e-3);
    "far.file.read1mib_4k" "ms" |s| {
        let rate = s.ours(Distance::Far, &[], &["file-seq", "/data/bench/one-mib", "4096"])?;
        Ok((None, None, Some((1 << 20) as f64 / rate / 1e3)))
    };
    "far.tcp.connect" "ms" |s| far_difference(s, &["connect-only", SERVICE, "9000", "20"], 1e-3);
    "far.tcp.connect_echo" "ms" |s| far_difference(s, &["connect", SERVICE, "9000", "20"], 1e-3);
    "far.tcp.connect_first_byte" "ms" |s| {
        far_difference(s, &["connect-first-byte", SERVICE, &FIRST_PORT.to_string(), "20"], 1e-3)
    };
    "far.tcp.pingpong64" "ms" |s| far_difference(s, &["pingpong", SERVICE, "9000", "50"], 1e-3);
    "far.tcp.download" "MB/s" |s| {
        let call = ["down", SERVICE, "9000", "300000000"];
        Ok((None, None, Some(s.ours(Distance::Far, &[], &call)?)))
    };
    "far.dns.lookup" "ms" |s| far_difference(s, &["dns", "orders.shop.svc.cluster.local", "20"], 1e-3);
    "far.session.from_zero" "ms" |s| {
        // Beside it, as *plain*, the same over one veth: the difference is round trips.
        let near = exec_of_nothing(s, Distance::Near)?;
        Ok((Some(near), None, Some(exec_of_nothing(s, Distance::Far)?)))
    };
    "daemon.initialize.running" "ms" |s| alone(daemon::initialize_running(s));
    "daemon.initialize.cold" "ms" |s| alone(daemon::initialize_cold(s));
    "daemon.prepare.warm" "ms" |s| alone(daemon::prepare(s, true));
    "daemon.prepare.cold" "ms" |s| alone(daemon::prepare(s, false));
    "daemon.wakeups" "1/s" |s| alone(daemon::idle(s).map(|idle| idle.1));
    "memory.daemon.idle" "MiB" |s| alone(daemon::idle(s).map(|idle| idle.0));
    "language.completion.p95.json" "ms" |s| alone(language::p95(s, "json", "completion"));
    "language.completion.p95.yaml" "ms" |s| alone(language::p95(s, "yaml", "completion"));
    "language.completion.p95.toml" "ms" |s| alone(language::p95(s, "toml", "completion"));
    "language.hover.p95.json" "ms" |s| alone(language::p95(s, "json", "hover"));
    "language.hover.p95.yaml" "ms" |s| alone(language::p95(s, "yaml", "hover"));
    "language.hover.p95.toml" "ms" |s| alone(language::p95(s, "toml", "hover"));
    "language.diagnostics.p95.json" "ms" |s| alone(language::p95(s, "json", "diagnostics"));
    "language.diagnostics.p95.yaml" "ms" |s| alone(language::p95(s, "yaml", "diagnostics"));
    "language.diagnostics.p95.toml" "ms" |s| alone(language::p95(s, "toml", "diagnostics"));
    "memory.server" "MiB" |s| Ok((None, None, Some(memory(s)?.0)));
    "memory.agent" "MiB" |s| Ok((None, None, Some(memory(s)?.1)));
    "size.agent" "MiB" |s| {
        let file = s.file("agent-stripped");
        crate::command::run(Command::new("strip").arg("-o").arg(&file).arg(s.product().join("mirrord-agent")))?;
        Ok((None, None, Some(file.metadata()?.len() as f64 / (1 << 20) as f64)))
    };
};

/// What only we do.
fn alone(figure: Result<f64>) -> Result<Sides> {
    Ok((None, None, Some(figure?)))
}

/// Plain inside the pod, with its files, and through us.
fn pod_and_ours(stage: &Stage, call: &[&str]) -> Result<Sides> {
    Ok((
        Some(stage.at(Place::Pod, call)?),
        None,
        Some(stage.ours(Distance::Near, &[], call)?),
    ))
}

/// A call to the service: from the pod's network, over the bare chain, through us.
fn service(stage: &Stage, what: &str, port: u16, rest: &[&str]) -> Result<Sides> {
    let (plain_port, bare_port) = (port.to_string(), Stage::bare_port(port).to_string());
    let call = |ip, port| [&[what, ip, port][..], rest].concat();
    Ok((
        Some(stage.at(Place::PodNetwork, &call(SERVICE, &plain_port))?),
        Some(stage.at(Place::Client, &call("127.0.0.1", &bare_port))?),
        Some(stage.ours(Distance::Near, &[], &call(SERVICE, &plain_port))?),
    ))
}

/// A path that stays local: what deciding so costs. Interposed is the layer's way; notified is
/// that of a program without it.
fn local_open(stage: &Stage, interposed: bool) -> Result<Sides> {
    let call = ["file-open", "/usr/bin/env", "50000"];
    let plain = stage.at(Place::Client, &call)?;
    let through = stage.exec(Distance::Near)?;
    let mut command = through.command(stage, &[]);
    command.arg("--");
    if !interposed {
        command.args(["/usr/bin/env", "-u", "LD_PRELOAD"]);
    }
    Ok((
        Some(plain),
        None,
        Some(result(command.arg(&stage.bench).args(call))?),
    ))
}

fn sequential_first(stage: &Stage) -> Result<Sides> {
    // Each side has its own file, so that neither reads what the other left in a cache of ours;
    // the pod's own page cache is warm for both, for the files were just written.
    let (ours, plain) = (
        stage.new_large_file("large-ours")?,
        stage.new_large_file("large-plain")?,
    );
    Ok((
        Some(stage.at(Place::Pod, &["file-seq", &plain, "65536"])?),
        None,
        Some(stage.ours(Distance::Near, &[], &["file-seq", &ours, "65536"])?),
    ))
}

/// Requests of the pod's clients: answered by the pod's own program, by a program behind the bare
/// chain, by a program that has stolen the port.
fn stolen(stage: &Stage, connections: &str) -> Result<Sides> {
    let load = |port: u16| {
        let port = port.to_string();
        stage.at(
            Place::Service,
            &["http-load", POD_FROM_SERVICE, &port, connections, "2000"],
        )
    };
    let plain = load(STOLEN_PORT + 1)?;
    let bare = load(Stage::bare_port(STOLEN_PORT))?;
    // The developer's own port is held by the bare chain's program: the stolen one moves aside.
    let port = STOLEN_PORT.to_string();
    let (through, program) = stage.start_ours(&["--steal"], &["serve-http", "0.0.0.0", &port])?;
    let ours = load(STOLEN_PORT);
    stop(program)?;
    drop(through);
    Ok((Some(plain), Some(bare), Some(ours?)))
}

/// From nothing to a program that has run: agent, link, environment, files, program.
fn session_from_zero(stage: &Stage) -> Result<Sides> {
    let started = Instant::now();
    stage.at(Place::Client, &["nothing"])?;
    let plain = started.elapsed().as_secs_f64() * 1e3;
    // As users start it: `exec` starts the agent itself.
    let mut command = Command::new(stage.product().join("mirrord-server"));
    command
        .env("XDG_RUNTIME_DIR", stage.file(""))
        .env_remove(CARGOS_LIBRARIES)
        .args([
            "exec",
            "--target",
            &format!("process/{}", stage.sandbox.target_pid()),
            "--",
        ])
        .arg(&stage.bench)
        .arg("nothing");
    let started = Instant::now();
    result(&mut command)?;
    Ok((
        Some(plain),
        None,
        Some(started.elapsed().as_secs_f64() * 1e3),
    ))
}

/// The same with the agent there already: link, environment, files, program.
fn exec_of_nothing(stage: &Stage, distance: Distance) -> Result<f64> {
    let through = stage.exec(distance)?;
    let mut command = through.command(stage, &[]);
    command.arg("--").arg(&stage.bench).arg("nothing");
    let started = Instant::now();
    result(&mut command)?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// What an operation takes at 20 ms round trip.
fn far_difference(stage: &Stage, call: &[&str], scale: f64) -> Result<Sides> {
    Ok((
        None,
        None,
        Some(stage.ours(Distance::Far, &[], call)? * scale),
    ))
}

/// Resident memory of all our processes on the developer's side, and of the agent, after a
/// download of 100 MB and a read of 100 MiB.
fn memory(stage: &Stage) -> Result<(f64, f64)> {
    let file = stage.new_large_file("large-memory")?;
    let through = stage.exec(Distance::Near)?;
    let script = format!(
        "{bench} down {SERVICE} {STREAM_PORT} 100000000 >&2 && {bench} file-seq {file} 65536 >&2 && \
         echo listening && exec sleep 600",
        bench = stage.bench.display()
    );
    let program = listening(
        through
            .command(stage, &[])
            .stderr(Stdio::null())
            .args(["--", "/bin/sh", "-c", &script]),
    )?;
    let measured = (|| {
        let mut server = 0.0;
        let mut agent = 0.0;
        for process in std::fs::read_dir("/proc")?.flatten() {
            let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else {
                continue;
            };
            let command = String::from_utf8_lossy(&command).into_owned();
            let Ok(resident) = resident(pid) else {
                continue;
            };
            let ours = stage.product().join("mirrord-server").display().to_string();
            let agents = stage.product().join("mirrord-agent").display().to_string();
            if command.starts_with(&agents) {
                agent += resident;
            } else if command.starts_with(&ours) && !command.contains("sandbox-") {
                server += resident;
            }
        }
        anyhow::Ok((server, agent))
    })();
    stop(program)?;
    measured
}

/// Proportional set size in MiB: what several processes of one binary share is counted once.
pub fn resident(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .context("no Pss line")?;
    let kib: f64 = line
        .split_whitespace()
        .next()
        .context("no number")?
        .parse()?;
    Ok(kib / 1024.0)
}
