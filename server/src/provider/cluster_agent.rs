//! The role `@cluster-agent`: one agent in a cluster, held as a process of this machine. It starts
//! the agent, carries the session's links to it ([`hold`]), and starts another when it is lost: the
//! agent was killed or evicted, or its target was replaced. It ends when it is told to, when nobody
//! calls any more, or when there can be no agent; at its end nothing is left in the cluster.

mod hold;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_kubernetes::{
    Access, AgentSettings, AgentTerms, Cluster, Environment, Error, Kind, Plan, RunningAgent,
    kubeconfig,
};
use mirrord_link::{Endpoint, Fingerprint, HeldState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::Place;
use super::agent_folder::{AgentFolder, Jobs, SESSION_KEY, reap};
use super::cluster::ClusterAgentOptions;
use super::first_line::{FirstLine, NOTE, WAITS};
use hold::Over;
use mirrord_target::Target;

/// A login that takes longer is told of.
const SLOW_LOGIN: Duration = Duration::from_secs(5);

/// How often it is looked whether the session still waits for the start.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a target that is gone may take to come back (a container that starts anew, a pod that is
/// replaced), while the cluster can be asked.
const REPLACED_WITHIN: Duration = Duration::from_secs(120);
/// How long a cluster may be out of reach.
const REACHED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// Between two attempts to start another agent.
const PAUSE: Duration = Duration::from_secs(1);

/// An agent whose session is over ends by itself within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

/// A session has that long to hear why there is no agent any more.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How long removing what is in the cluster may take. What is not removed then, is at the next start.
const REMOVE_WITHIN: Duration = Duration::from_secs(8);

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
    runtime.block_on(async {
        let access = options.access();
        let mut holder = tokio::select! {
            holder = Holder::new(options) => holder?,
            never = wait_for_helper(&access) => match never {},
            () = given_up() => {
                // A helper that logs in may wait for ever. It is of our process group, which nobody
                // else is in, and nothing was begun.
                rustix::process::kill_current_process_group(rustix::process::Signal::KILL)?;
                return Ok(());
            }
        };
        let reaping = tokio::spawn(async {
            if let Err(error) = reap().await {
                tracing::warn!("could not look for what killed sessions left: {error:#}");
            }
        });
        let held = holder.play().await;
        let removed = holder.remove_all().await;
        reaping.abort();
        held.and(removed)
    })
}

/// Says after a while who is waited for.
async fn wait_for_helper(access: &Access) -> std::convert::Infallible {
    tokio::time::sleep(SLOW_LOGIN).await;
    if let Some(helper) = kubeconfig::helper(access, &Environment::own()) {
        // Who does not listen any more is noticed elsewhere.
        let _ = say(&format!(
            "{WAITS}still waiting for {helper} to log in to the cluster"
        ));
    }
    std::future::pending().await
}

/// Who holds an agent.
struct Holder {
    options: ClusterAgentOptions,
    settings: AgentSettings,
    target: Target,
    cluster: Cluster,
    terminate: Signal,
    folder: AgentFolder,
    /// What is in the cluster, or may be.
    jobs: Jobs,
    /// Agents that were started; each has a name of its own.
    started: u32,
}

impl Holder {
    async fn new(options: ClusterAgentOptions) -> Result<Holder> {
        let terminate = signal(SignalKind::terminate())?;
        let target: Target = options.target.parse()?;
        let settings = serde_json::from_str(&options.settings)
            .context("could not read how the agent is started")?;
        let access = options.access();
        Ok(Holder {
            settings,
            target,
            cluster: Cluster::connect(&access).await?,
            terminate,
            folder: AgentFolder::create(&options.folder)?,
            jobs: Jobs {
                kubeconfig: access.kubeconfig,
                context: access.context,
                accept_invalid_certificates: access.accept_invalid_certificates,
                jobs: Vec::new(),
            },
            started: 0,
            options,
        })
    }

    async fn play(&mut self) -> Result<()> {
        let mut agent = self.start(true).await?;
        let (fingerprint, mut port) = first_line(&agent.first_line, &self.settings.image)?;
        HeldState::Ready(fingerprint).write(self.folder.path())?;
        let mut socket = self.listen()?;
        self.say_first_line(fingerprint)?;
        loop {
            let reason = match hold::serve(&agent, port, &socket, &mut self.terminate).await {
                Over::Enough => return self.keep_the_log(&agent).await,
                Over::Lost(reason) => reason,
            };
            tracing::warn!("{reason}; the session waits for another agent");
            // Nobody is led to an agent that is gone from here on.
            HeldState::Coming(reason.clone()).write(self.folder.path())?;
            drop(socket);
            std::fs::remove_file(HeldState::socket(self.folder.path()))
                .context("could not remove the socket that led to the agent")?;
            let again = match self.start_again().await {
                Ok(Some(again)) => again,
                Ok(None) => return Ok(()),
                Err(error) => return self.give_up(&reason, error).await,
            };
            let fingerprint;
            (agent, fingerprint, port) = again;
            HeldState::Ready(fingerprint).write(self.folder.path())?;
            socket = self.listen()?;
        }
    }

    fn listen(&self) -> Result<tokio::net::UnixListener> {
        let path = HeldState::socket(self.folder.path());
        tokio::net::UnixListener::bind(&path)
            .with_context(|| format!("could not make the socket {}", path.display()))
    }

    fn say_first_line(&self, fingerprint: Fingerprint) -> Result<()> {
        say(&format!(
            "mirrord-agent {} fingerprint {fingerprint} listening {}",
            env!("CARGO_PKG_VERSION"),
            Endpoint::Held(self.folder.path().to_owned()),
        ))
        .context("the session does not listen any more")
    }

    /// Whoever gave a time to live wants to read the log of an agent that ended with its session; the
    /// cluster removes it then.
    async fn keep_the_log(&mut self, agent: &RunningAgent) -> Result<()> {
        if self.settings.ttl.is_none() {
            return Ok(());
        }
        let ended = tokio::time::timeout(ENDS_WITHIN, agent.until_it_ends(|_| {}));
        if matches!(ended.await, Ok(Ok(_))) {
            self.jobs.jobs.clear();
            self.folder.remember(&self.jobs)?;
        }
        Ok(())
    }

    /// One attempt. `first`: a session reads what we print, and may go away.
    async fn start(&mut self, first: bool) -> Result<RunningAgent, Error> {
        self.started += 1;
        let mut session = self.options.session.clone();
        if self.started > 1 {
            session = format!("{session}-{}", self.started);
        }
        let found = match &self.target {
            Target::Kubernetes(target) => Some(self.cluster.resolve(target).await?),
            _ => None,
        };
        let terms = AgentTerms {
            session,
            session_key: self.session_key(),
            grace: Duration::from_millis(self.options.grace_ms),
            settings: self.settings.clone(),
            needs: self.options.needs.clone(),
        };
        // What another pod of the workload took, this one takes too; if not, the next start asks.
        let known = self.options.form.filter(|_| first);
        let plan = match (known, found) {
            (Some(form), Some(found)) => Plan {
                form,
                found: Some(found),
                notes: Vec::new(),
            },
            (_, found) => self.cluster.plan(found, &terms).await?,
        };
        for note in &plan.notes {
            tracing::info!("{note}");
            if first {
                // Who does not listen any more is noticed below.
                let _ = say(&format!("{NOTE}{note}"));
            }
        }
        if let Some(place) = Place::of(&plan)
            && let Err(error) = place.write(self.folder.path())
        {
            tracing::warn!("{error:#}");
        }
        if !plan.form.is_in_the_targets_pod() {
            let namespace = self.cluster.namespace_of(&plan, &terms);
            self.jobs.jobs.push((namespace, terms.name()));
        }
        if let Err(error) = self.folder.remember(&self.jobs) {
            // It is removed all the same, unless we are killed.
            tracing::warn!("{error:#}");
        }
        let terminate = &mut self.terminate;
        let enough = async {
            tokio::select! {
                () = given_up(), if first => {}
                _ = terminate.recv() => {}
            }
        };
        self.cluster.start_agent(&plan, &terms, enough).await
    }

    /// The public key of the session that is to be served now.
    fn session_key(&self) -> String {
        let other = std::fs::read_to_string(self.folder.path().join(SESSION_KEY));
        other.unwrap_or_else(|_| self.options.session_key.clone())
    }

    /// Starts another agent where the target is now; `None`: nobody wants it any more.
    async fn start_again(&mut self) -> Result<Option<(RunningAgent, Fingerprint, u16)>> {
        if let Err(error) = self.remove_all().await {
            tracing::debug!("the lost agent: {error:#}");
        }
        let (mut replaced_by, reached_by) = (
            Instant::now() + REPLACED_WITHIN,
            Instant::now() + REACHED_WITHIN,
        );
        loop {
            let began = Instant::now();
            let error = match self.start(false).await {
                Ok(agent) => {
                    let (fingerprint, port) = first_line(&agent.first_line, &self.settings.image)?;
                    return Ok(Some((agent, fingerprint, port)));
                }
                Err(Error::GivenUp) => return Ok(None),
                Err(error) => error,
            };
            tracing::debug!("starting another agent: {error}");
            // A pod of that name may come again (a StatefulSet's does); a workload is not replaced.
            let is_pod =
                matches!(&self.target, Target::Kubernetes(target) if target.kind == Kind::Pod);
            let is_gone = matches!(error, Error::NoTarget(_)) && !is_pod;
            if is_gone || error.is_lasting() {
                return Err(error.into());
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = self.terminate.recv() => return Ok(None),
            }
            if error.is_out_of_reach() {
                replaced_by += began.elapsed();
            }
            if Instant::now() > replaced_by.min(reached_by) {
                return Err(error.into());
            }
        }
    }

    /// There will be no agent: the session hears why, when it asks.
    async fn give_up(&mut self, lost: &str, error: anyhow::Error) -> Result<()> {
        let error = error.context(format!("{lost}, and there is no other"));
        HeldState::Gone(format!("{error:#}")).write(self.folder.path())?;
        tokio::select! {
            () = tokio::time::sleep(LAST_WORDS) => {}
            _ = self.terminate.recv() => {}
        }
        Err(error)
    }

    /// Removes what is in the cluster.
    async fn remove_all(&mut self) -> Result<()> {
        let removing = async {
            for (namespace, job) in &self.jobs.jobs {
                self.cluster.remove_agent(namespace, job).await?;
            }
            Ok::<(), Error>(())
        };
        match tokio::time::timeout(REMOVE_WITHIN, removing).await {
            Ok(removed) => removed?,
            Err(_) => bail!(
                "the cluster did not remove the agent within {} s",
                REMOVE_WITHIN.as_secs()
            ),
        }
        self.jobs.jobs.clear();
        self.folder.remember(&self.jobs)
    }
}

/// A line for the session.
fn say(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())
}

/// The agent's log goes where a local agent's does. Whoever read it may be gone.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The agent's key, and its port on its pod's loopback address.
fn first_line(line: &str, image: &str) -> Result<(Fingerprint, u16)> {
    let line = FirstLine::read(line).with_context(|| {
        format!("the log of the agent's pod does not begin as our agent's (is {image} the agent's image?)")
    })?;
    if line.version != env!("CARGO_PKG_VERSION") {
        bail!(
            "the agent in {image} is of version {}, and this is {}",
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
        let (fingerprint, port) = first_line(&line, "agent:1").unwrap();
        assert_eq!((fingerprint.to_string(), port), (key.clone(), 4711));
        for (line, words) in [
            ("hello".to_owned(), "does not begin"),
            (line.replace(version, "0.0.1"), "of version 0.0.1"),
            (
                line.replace("tcp:127.0.0.1:4711", "unix:/agent"),
                "cannot forward",
            ),
        ] {
            let error = first_line(&line, "agent:1").unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
