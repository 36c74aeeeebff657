//! What an editor feels: the daemon's answers, and what it costs when nobody asks. The daemon is
//! that of a user of its own, whose folders lie on the stage.

use std::os::unix::fs::DirBuilderExt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::client::Client;
use super::figures::{median, milliseconds};
use super::operations::resident;
use super::stage::Stage;

/// Samples of one figure in one round.
const SAMPLES: usize = 15;

/// How long an idle daemon is watched.
const WATCH: Duration = Duration::from_secs(10);

/// After its last work; what was begun for it is done by then.
const SETTLE: Duration = Duration::from_secs(3);

/// `--stdio` from its start to the answer to `initialize`, in ms, with a daemon that runs.
pub fn initialize_running(stage: &Stage) -> Result<f64> {
    let user = User::new(stage)?;
    let stays = user.connect()?;
    let samples = (0..SAMPLES)
        .map(|_| {
            let started = Instant::now();
            let client = user.connect()?;
            let took = milliseconds(started);
            client.end()?;
            Ok(took)
        })
        .collect::<Result<_>>()?;
    stays.end()?;
    median(samples).context("no samples")
}

/// The same when there is no daemon yet: it is started first.
pub fn initialize_cold(stage: &Stage) -> Result<f64> {
    let user = User::new(stage)?;
    let samples = (0..SAMPLES)
        .map(|_| {
            user.stop_daemon()?;
            let started = Instant::now();
            let client = user.connect()?;
            let took = milliseconds(started);
            client.end()?;
            Ok(took)
        })
        .collect::<Result<_>>()?;
    median(samples).context("no samples")
}

/// `launch/prepare`, from the question to the answer, in ms; `warm` when the agent of the session
/// before is there still.
pub fn prepare(stage: &Stage, warm: bool) -> Result<f64> {
    let user = User::new(stage)?;
    let mut client = user.connect()?;
    let params = json!({
        "target": format!("process/{}", stage.sandbox.target_pid()),
        "launch": {
            "name": "bench",
            "kind": "run",
            "program": stage.bench,
            "args": ["nothing"],
            "cwd": stage.file(""),
        },
        "interactive": false,
    });
    if warm {
        give_up(&mut client, &params)?;
    }
    let samples = (0..SAMPLES)
        .map(|_| {
            let took = give_up(&mut client, &params)?;
            if !warm {
                stop_agents(&mut client)?;
            }
            Ok(took)
        })
        .collect::<Result<_>>();
    stop_agents(&mut client)?;
    client.end()?;
    median(samples?).context("no samples")
}

/// Prepares a launch that does not come; how long the preparing took.
fn give_up(client: &mut Client, params: &Value) -> Result<f64> {
    let started = Instant::now();
    let prepared = client.request("mirrord/launch/prepare", params)?;
    let took = milliseconds(started);
    let session = json!({ "sessionId": prepared["sessionId"] });
    client.request("mirrord/launch/abort", &session)?;
    Ok(took)
}

fn stop_agents(client: &mut Client) -> Result<()> {
    let listed = client.request("mirrord/agent/list", &json!({}))?;
    for agent in listed["agents"].as_array().context("no agents listed")? {
        let agent = json!({ "agentId": agent["agentId"] });
        client.request("mirrord/agent/stop", &agent)?;
    }
    Ok(())
}

/// What the daemon holds in MiB, and how often a second one of its threads wakes up, while an
/// editor is connected and nothing happens.
pub fn idle(stage: &Stage) -> Result<(f64, f64)> {
    let user = User::new(stage)?;
    let client = user.connect()?;
    let pid = user.daemon_pid()?;
    std::thread::sleep(SETTLE);
    let (before, started) = (wakeups(pid)?, Instant::now());
    std::thread::sleep(WATCH);
    let rate = (wakeups(pid)? - before) as f64 / started.elapsed().as_secs_f64();
    let memory = resident(pid)?;
    client.end()?;
    Ok((memory, rate))
}

/// How often its threads gave up the processor by themselves: each time one was woken before.
fn wakeups(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
            .context("no voluntary_ctxt_switches in a thread's status")?;
        sum += count.trim().parse::<u64>()?;
    }
    Ok(sum)
}

/// A user with a daemon; nothing of them stays.
struct User<'a>(&'a Stage);

impl<'a> User<'a> {
    fn new(stage: &'a Stage) -> Result<Self> {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(stage.file("user/run"))?;
        let user = User(stage);
        user.stop_daemon()?;
        Ok(user)
    }

    fn server(&self) -> Command {
        let mut command = Command::new(self.0.product().join("mirrord-server"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.file("user"))
            .env("XDG_RUNTIME_DIR", self.0.file("user/run"))
            .current_dir(self.0.file("user"));
        command
    }

    fn connect(&self) -> Result<Client> {
        Client::initialize(self.server().arg("--stdio"))
    }

    fn daemon_pid(&self) -> Result<u32> {
        let mut command = self.server();
        let status = crate::command::output(command.args(["daemon", "status", "--json"]))?;
        let status: Value = serde_json::from_str(&status)?;
        let pid = status["pid"].as_u64().context("the daemon told no pid")?;
        Ok(pid.try_into()?)
    }

    fn stop_daemon(&self) -> Result<()> {
        crate::command::output(self.server().args(["daemon", "stop"])).map(drop)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.stop_daemon() {
            eprintln!("the bench's daemon may still run: {error:#}");
        }
    }
}
