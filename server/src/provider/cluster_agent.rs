//! The role `@cluster-agent`: one agent in a cluster, held as a process of this machine. It starts
//! the agent, makes a socket that leads to it, prints what a local agent prints, and lives as long as
//! the agent's container. At its end the Job is gone, whoever ended first.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_kubernetes::{Access, AgentTerms, Cluster, RunningAgent, Target};
use mirrord_link::{Endpoint, Fingerprint};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{SignalKind, signal};

use super::cluster::ClusterAgentOptions;
use super::first_line::FirstLine;

/// The agent's image: of the same version, as its protocol is.
const IMAGE: &str = concat!("docker.io/mirrord-server/agent:", env!("CARGO_PKG_VERSION"));

/// How often it is looked whether the session still waits for the start.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Plays the role to its end; the result is the exit status.
pub fn run() -> i32 {
    match play() {
        Ok(()) => 0,
        Err(error) => {
            // The session shows this line to the user.
            let _ = writeln!(std::io::stderr(), "mirrord-agent: {error:#}");
            1
        }
    }
}

fn play() -> Result<()> {
    let options: ClusterAgentOptions = crate::roles::options()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")?;
    runtime.block_on(hold(options))
}

async fn hold(options: ClusterAgentOptions) -> Result<()> {
    let agent = start(&options).await?;
    let held = serve(&agent, &options).await;
    let removed = agent.remove().await;
    held?;
    Ok(removed?)
}

async fn start(options: &ClusterAgentOptions) -> Result<RunningAgent> {
    let target = Target::parse(&options.target).map_err(anyhow::Error::msg)?;
    let access = Access {
        kubeconfig: options.kubeconfig.clone(),
        context: options.context.clone(),
        namespace: options.namespace.clone(),
        accept_invalid_certificates: options.accept_invalid_certificates,
    };
    let cluster = Cluster::connect(&access).await?;
    let container = cluster.resolve(&target).await?;
    let terms = AgentTerms {
        session: options.session.clone(),
        session_key: options.session_key.clone(),
        image: IMAGE.to_owned(),
        grace: Duration::from_millis(options.grace_ms),
        start_timeout: Duration::from_millis(options.start_timeout_ms),
    };
    Ok(cluster.start_agent(&container, &terms, given_up()).await?)
}

async fn serve(agent: &RunningAgent, options: &ClusterAgentOptions) -> Result<()> {
    let (fingerprint, port) = first_line(&agent.first_line)?;
    let _forward = agent.forward(port, &options.socket)?;
    let line = format!(
        "mirrord-agent {} fingerprint {fingerprint} listening unix:{}\n",
        env!("CARGO_PKG_VERSION"),
        options.socket.display()
    );
    {
        let mut stdout = std::io::stdout().lock();
        let said = stdout.write_all(line.as_bytes());
        said.and_then(|()| stdout.flush())
            .context("the session does not listen any more")?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = agent.until_it_ends(log) => Ok(ended?),
        _ = terminate.recv() => Ok(()),
    }
}

/// The agent's log goes where a local agent's does. Whoever read it may be gone.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The agent's key, and its port on its pod's loopback address.
fn first_line(line: &str) -> Result<(Fingerprint, u16)> {
    let line = FirstLine::read(line).with_context(|| {
        format!("the log of the agent's pod does not begin as our agent's (is {IMAGE} the agent's image?)")
    })?;
    if line.version != env!("CARGO_PKG_VERSION") {
        bail!(
            "the agent in {IMAGE} is of version {}, and this is {}",
            line.version,
            env!("CARGO_PKG_VERSION")
        );
    }
    match line.endpoint {
        Endpoint::Tcp(address) => Ok((line.fingerprint, address.port())),
        other => bail!("the agent listens at {other}, which its cluster cannot forward"),
    }
}

/// Completes when nobody reads our first line any more.
async fn given_up() {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let stdout = std::io::stdout();
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        let polled = poll(&mut fds, Some(&Timespec::default()));
        if polled.is_ok() && fds[0].revents().contains(PollFlags::ERR) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_has_a_port_or_is_refused() {
        let version = env!("CARGO_PKG_VERSION");
        let key = "ab".repeat(32);
        let line =
            format!("mirrord-agent {version} fingerprint {key} listening tcp:127.0.0.1:4711");
        let (fingerprint, port) = first_line(&line).unwrap();
        assert_eq!((fingerprint.to_string(), port), (key.clone(), 4711));
        for (line, words) in [
            ("hello".to_owned(), "does not begin"),
            (line.replace(version, "0.0.1"), "of version 0.0.1"),
            (
                line.replace("tcp:127.0.0.1:4711", "unix:/agent"),
                "cannot forward",
            ),
        ] {
            let error = first_line(&line).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
