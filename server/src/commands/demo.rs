//! `mirrord-server demo`: the whole path once, in a sandbox pod of its own, plain and through us
//! side by side. It checks what it shows: a demo that does not work ends with an error.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mirrord_sandbox::{DownOnDrop, HttpCall, Sandbox, SandboxSpec, addresses};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::sandboxes::sandboxes;

const SAMPLE: &str = include_str!("../../demo/sample.py");

/// Nothing in the demo takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

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
        tokio::select! {
            result = demo() => result.map(|()| 0),
            signal = tokio::signal::ctrl_c() => {
                signal.context("could not wait for Ctrl-C")?;
                println!("\ninterrupted; cleaning up");
                Ok(130)
            }
        }
    })
}

async fn demo() -> Result<()> {
    let folder = tempfile::tempdir().context("could not make a folder for the sample program")?;
    let sample = folder.path().join("sample.py");
    std::fs::write(&sample, SAMPLE).context("could not write the sample program")?;

    step("starting a sandbox pod (namespaces on this machine, a name server, two services)");
    let sandboxes = sandboxes()?;
    let name = format!("demo-{}", std::process::id());
    let sandbox = DownOnDrop::up(&sandboxes, &SandboxSpec::new(&name))?;

    step("asking the pod from outside");
    let pod_before = ask_the_pod(&sandbox)?;

    step("running a sample program plain:    python3 sample.py");
    let mut plain = Command::new(python());
    plain.arg(&sample);
    let (plain, mut child, _) = start(&mut plain).await?;
    child
        .wait()
        .await
        .context("could not wait for the sample program")?;

    step(&format!(
        "and inside the pod:  mirrord-server exec --target sandbox/{name} --steal -- python3 sample.py"
    ));
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
    let (inside, mut child, mut lines) = start(&mut through).await?;
    let line = tokio::time::timeout(DEADLINE, lines.next_line()).await;
    ensure!(
        matches!(&line, Ok(Ok(Some(line))) if line == "listening"),
        "the sample program does not listen: {line:?}"
    );

    step("asking the pod from outside again, while the program has its port");
    let pod_stolen = ask_the_pod(&sandbox)?;
    let status = tokio::time::timeout(DEADLINE, child.wait())
        .await
        .context("the sample program did not end")?
        .context("could not wait for the sample program")?;
    ensure!(status.success(), "the sample program ended with {status}");

    step("and once more, now that the program has ended");
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

fn step(text: &str) {
    println!("• {text}");
}

type Lines = tokio::io::Lines<BufReader<tokio::process::ChildStdout>>;

/// Starts the sample program and reads what it saw.
async fn start(command: &mut Command) -> Result<(Seen, Child, Lines)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("could not start {:?}", command.as_std()))?;
    let stdout = child.stdout.take().context("the program has no stdout")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(DEADLINE, lines.next_line())
        .await
        .context("the sample program said nothing")?
        .context("could not read what the sample program said")?;
    let Some(line) = line else {
        let status = child
            .wait()
            .await
            .context("could not wait for the sample program")?;
        bail!("the sample program ended at once ({status}); is python3 installed?");
    };
    let seen = serde_json::from_str(&line)
        .with_context(|| format!("the sample program said something else: {line}"))?;
    Ok((seen, child, lines))
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
