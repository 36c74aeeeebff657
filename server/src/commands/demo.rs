//! `mirrord-server demo`: the whole path once, in a sandbox pod of its own, plain and through us
//! side by side. It checks what it shows: a demo that does not work ends with an error.

mod program;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mirrord_sandbox::{DownOnDrop, HttpCall, Sandbox, SandboxSpec, addresses};
use serde::Deserialize;
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sandboxes::sandboxes;
use program::Program;

const SAMPLE: &str = include_str!("../../demo/sample.py");

/// Nothing in the demo takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A signal that came with something else has arrived by then.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What the sample program saw.
#[derive(Debug, Deserialize)]
struct Seen {
    environment: String,
    file: String,
    name: String,
    call: String,
}

/// Runs the demo; Ctrl-C ends it and cleans up.
pub fn run() -> Result<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")?;
    runtime.block_on(async {
        // Before anything is there that would be left behind.
        let mut interrupts = Interrupts::listen()?;
        let mut demo = Box::pin(demo());
        let number = tokio::select! {
            number = interrupts.next() => number,
            result = &mut demo => match result {
                Ok(()) => return Ok(0),
                // A terminal's Ctrl-C goes to the processes that we started too, and that one of
                // them failed may be noticed first.
                Err(error) => match tokio::time::timeout(AT_ONCE, interrupts.next()).await {
                    Ok(number) => number,
                    Err(_) => return Err(error),
                },
            },
        };
        let _ = writeln!(std::io::stdout(), "\ninterrupted; cleaning up");
        drop(demo);
        Ok(128 + number)
    })
}

/// The signals that ask for an early end.
struct Interrupts([Signal; 3]);

impl Interrupts {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("could not listen to signals");
        Ok(Interrupts([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) -> i32 {
        let [interrupt, terminate, hangup] = &mut self.0;
        let kind = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hangup.recv() => SignalKind::hangup(),
        };
        kind.as_raw_value()
    }
}

async fn demo() -> Result<()> {
    let folder = tempfile::tempdir().context("could not make a folder for the sample program")?;
    let sample = folder.path().join("sample.py");
    std::fs::write(&sample, SAMPLE).context("could not write the sample program")?;

    step("starting a sandbox pod (namespaces on this machine, a name server, two services)")?;
    let sandboxes = sandboxes()?;
    let name = format!("demo-{}", std::process::id());
    let sandbox = DownOnDrop::up(&sandboxes, &SandboxSpec::new(&name))?;

    step("asking the pod from outside")?;
    let pod_before = ask_the_pod(&sandbox)?;

    step("running a sample program plain:    python3 sample.py")?;
    let mut plain = Command::new(python());
    plain.arg(&sample);
    let (plain, mut program) = Program::start(&mut plain).await?;
    program.end().await?;

    step(&format!(
        "and inside the pod:  mirrord-server exec --target sandbox/{name} --steal -- python3 sample.py"
    ))?;
    let us = std::env::current_exe().context("could not find our own executable")?;
    let mut through = Command::new(us);
    through.args([
        "exec",
        "--target",
        &format!("sandbox/{name}"),
        "--steal",
        "--",
    ]);
    through.arg(python()).arg(&sample).arg("serve");
    let (inside, mut program) = Program::start(&mut through).await?;
    let line = program.line().await?;
    ensure!(
        line.as_deref() == Some("listening"),
        "the sample program does not listen: {line:?}"
    );

    step("asking the pod from outside again, while the program has its port")?;
    let pod_stolen = ask_the_pod(&sandbox)?;
    let status = program.end().await?;
    ensure!(status.success(), "the sample program ended with {status}");

    step("and once more, now that the program has ended")?;
    let pod_after = ask_the_pod(&sandbox)?;

    show(&plain, &inside, [&pod_before, &pod_stolen, &pod_after]);
    check(&plain, &inside, [&pod_before, &pod_stolen, &pod_after])
}

/// The distribution's Python where there is one: a version manager's lives in the user's home,
/// which is the pod's inside the session.
fn python() -> &'static str {
    let distribution = "/usr/bin/python3";
    if std::path::Path::new(distribution).exists() {
        distribution
    } else {
        "python3"
    }
}

fn step(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "• {text}").context("could not show what is done")
}

fn ask_the_pod(sandbox: &Sandbox) -> Result<String> {
    let answer = sandbox.client_http(&HttpCall::get(
        (addresses::POD_V4, addresses::WEB_PORT),
        "/",
    ))?;
    Ok(answer.text().lines().next().unwrap_or_default().to_owned())
}

fn show(plain: &Seen, inside: &Seen, pod: [&str; 3]) {
    println!("\n{:<22} {:<44} inside the pod", "", "plain");
    for (what, plain, inside) in [
        ("DATABASE_URL", &plain.environment, &inside.environment),
        ("/data/hello.txt", &plain.file, &inside.file),
        ("address of `orders`", &plain.name, &inside.name),
        ("http://orders/", &plain.call, &inside.call),
    ] {
        println!("{what:<22} {:<44} {}", cut(plain, 43), cut(inside, 60));
    }
    println!("\nwho answers the pod's clients:");
    for (when, answer) in ["before", "stolen by the program", "after"].iter().zip(pod) {
        println!("{when:<22} {}", cut(answer, 100));
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

/// What the table must have shown.
fn check(plain: &Seen, inside: &Seen, pod: [&str; 3]) -> Result<()> {
    let service = addresses::SERVICE_V4.to_string();
    for (what, holds) in [
        (
            "the pod's environment",
            !inside.environment.contains("not set"),
        ),
        (
            "the pod's file",
            inside.file != plain.file && !inside.file.contains("Error"),
        ),
        ("the pod's name", inside.name == service),
        ("the pod's service", !inside.call.contains("Error")),
        (
            "the stolen request",
            pod[1].starts_with("the local program"),
        ),
        (
            "the client's address",
            pod[1].ends_with(&addresses::CLIENT_V4.to_string()),
        ),
        (
            "the pod answering before and after",
            pod[0] == pod[2] && pod[0] != pod[1],
        ),
    ] {
        ensure!(
            holds,
            "the demo did not work: {what} is not as it should be"
        );
    }
    println!("\neverything is as it should be, and nothing is left behind");
    Ok(())
}
