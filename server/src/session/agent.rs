//! The agent that a session begins with: one that an earlier session kept warm, one that is
//! started now, or one that runs already.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mirrord_link::{Endpoint, SessionIdentity, SigningKey, Socket};
use mirrord_protocol::hello::{AgentHello, Purpose};
use mirrord_protocol::session_control::{SessionAnswer, SessionRequest};

use super::logs::AGENT_LOG;
use super::warm::AGENT_SOCKET;
use super::{AgentChoice, list};
use crate::provider::{self, AgentOptions, AgentProcess, ClusterTerms, StartedAgent, Via};
use crate::runtime_dir::SessionFolder;
use mirrord_target::{ClusterTarget, Target};

/// How long an agent waits for its session when the link was lost; one whose process ended is not
/// waited for.
const GRACE: Duration = Duration::from_secs(10);

/// The same in a cluster, whose networks come and go; the pod has its traffic meanwhile. It is also
/// how long an agent stays whose laptop was lost.
const CLUSTER_GRACE: Duration = Duration::from_secs(60);

/// An agent of ours.
pub struct Agent {
    /// How it is reached.
    pub started: StartedAgent,
    /// How we prove ourselves to it.
    pub identity: SessionIdentity,
    /// It served another session before.
    pub was_warm: bool,
}

impl Agent {
    /// Finds or starts one. `launched`: others launch programs into the session. `warm_key`: see
    /// [`warm_key`].
    pub async fn start(
        target: &Target,
        warm_key: &str,
        choice: AgentChoice,
        folder: &SessionFolder,
        launched: bool,
        cluster: ClusterTerms,
    ) -> Result<Self> {
        let session = folder.id().to_owned();
        let log = launched.then(|| folder.join(AGENT_LOG));
        let key = match &choice {
            AgentChoice::Join { key, .. } => crate::key_file::read(key)?,
            _ => SessionIdentity::new_key()?,
        };
        let (started, was_warm) = match choice {
            AgentChoice::Join {
                endpoint,
                fingerprint,
                ..
            } => (
                StartedAgent {
                    endpoint,
                    fingerprint,
                    process: None,
                    notes: Vec::new(),
                },
                false,
            ),
            AgentChoice::StartOnTcp(address) => {
                let via = Via::Tcp(address);
                (
                    fresh(target, &key, via, &session, log, cluster).await?,
                    false,
                )
            }
            AgentChoice::Start => match warm(warm_key, &key, folder, launched).await {
                Some(started) => (started, true),
                None => {
                    let via = Via::Unix(folder.join(AGENT_SOCKET));
                    (
                        fresh(target, &key, via, &session, log, cluster).await?,
                        false,
                    )
                }
            },
        };
        Ok(Agent::of(started, session, key, was_warm))
    }

    /// Starts one in a pod of the target's workload, for its clients alone. `session` names what is
    /// made for it, and is told to nobody else.
    pub async fn start_in_pod(
        pod: ClusterTarget,
        session: String,
        log: Option<PathBuf>,
        cluster: ClusterTerms,
    ) -> Result<Self> {
        let key = SessionIdentity::new_key()?;
        let target = Target::Kubernetes(pod);
        // Whoever holds it makes a socket of its own.
        let via = Via::Unix(PathBuf::new());
        let started = fresh(&target, &key, via, &session, log, cluster).await?;
        Ok(Agent::of(started, session, key, false))
    }

    fn of(started: StartedAgent, session: String, key: SigningKey, was_warm: bool) -> Self {
        let agent = started.fingerprint;
        Agent {
            started,
            identity: SessionIdentity {
                session,
                key,
                agent,
            },
            was_warm,
        }
    }

    /// Makes one link.
    pub async fn dial(&self, purpose: Purpose) -> Result<(AgentHello, Socket)> {
        let endpoint = &self.started.endpoint;
        mirrord_link::dial(endpoint, &self.identity, purpose)
            .await
            .with_context(|| format!("could not link to the agent at {endpoint}"))
    }
}

async fn fresh(
    target: &Target,
    key: &SigningKey,
    via: Via,
    session: &str,
    log: Option<PathBuf>,
    cluster: ClusterTerms,
) -> Result<StartedAgent> {
    let options = AgentOptions {
        session_key: SessionIdentity::public_hex(key),
        via,
        grace: match target {
            Target::Targetless | Target::Kubernetes(_) => CLUSTER_GRACE,
            _ => GRACE,
        },
        log,
        session: session.to_owned(),
        cluster,
    };
    provider::start_agent(target, &options).await
}

/// What a kept agent is found by: the same for sessions that the same agent can serve. A name in a
/// cluster is not the whole of it: the namespace and the cluster may be others, and an agent that was
/// started with less than is wanted now cannot serve.
pub fn warm_key(target: &Target, cluster: &ClusterTerms) -> Result<String> {
    Ok(match target {
        Target::Targetless | Target::Kubernetes(_) => {
            let how = serde_json::to_string(&(&cluster.settings, &cluster.needs))?;
            let place = cluster.access.place();
            let place = place.with_context(|| format!("{target} cannot be looked for"))?;
            format!("{target} {place} {how}")
        }
        _ => target.to_string(),
    })
}

/// One that an earlier session of this target keeps. Whatever goes wrong, a fresh one does it too.
async fn warm(
    warm_key: &str,
    key: &SigningKey,
    folder: &SessionFolder,
    launched: bool,
) -> Option<StartedAgent> {
    if !launched {
        return None;
    }
    let found = list::warm_for(warm_key).unwrap_or_else(|error| {
        tracing::warn!("could not look for a warm agent: {error:#}");
        Vec::new()
    });
    for session in found {
        match take(&session, key, folder).await {
            Ok(started) => return Some(started),
            Err(error) => tracing::info!("could not take over a warm agent: {error:#}"),
        }
    }
    None
}

async fn take(
    session: &super::client::SessionClient,
    key: &SigningKey,
    folder: &SessionFolder,
) -> Result<StartedAgent> {
    let request = SessionRequest::TakeAgent {
        session_key: SessionIdentity::public_hex(key),
        folder: folder.path().to_owned(),
    };
    match session.ask(request).await? {
        SessionAnswer::AgentTaken {
            endpoint,
            fingerprint,
            pid,
        } => {
            let endpoint: Endpoint = endpoint.parse()?;
            let holds = endpoint.is_held();
            let adopt = |pid| AgentProcess::adopt(pid, holds);
            Ok(StartedAgent {
                endpoint,
                fingerprint: fingerprint.parse()?,
                process: pid.map(adopt).transpose()?,
                notes: Vec::new(),
            })
        }
        other => bail!("a session that was asked for its agent answered {other:?}"),
    }
}
