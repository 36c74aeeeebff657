//! Starting a session. Whatever fails on the way, what was begun is put away: processes die with
//! their handles, folders go with theirs.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use anyhow::{Context, Result};
use mirrord_link::{IncomingStreams, SessionIdentity, Side};
use mirrord_net::incoming::IncomingRelays;
use mirrord_net::outgoing::OutgoingRelays;
use mirrord_net::peers::PeerTable;
use mirrord_protocol::control::TargetFacts;
use mirrord_protocol::hello::Purpose;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::sync::{mpsc, watch};

use super::agent_link::AgentLink;
use super::channel::SupervisorChannel;
use super::listeners::Listeners;
use super::parts::{Parts, state};
use super::program::{self, Program};
use super::role_process::{empty_memory_file, fill_memory_file};
use super::{AgentChoice, Options, role_process};
use crate::provider::{self, StartedAgent, Via};
use crate::roles::{FileServerOptions, Role, SupervisorOptions};
use crate::runtime_dir::SessionFolder;

/// Starts everything, the program last.
pub async fn start(options: Options) -> Result<Parts> {
    let Options {
        config,
        target,
        agent,
        mut events,
        command,
        log,
    } = options;
    state(
        &mut events,
        "preparing",
        &format!("starting an agent for {target}"),
    );
    let layer = provider::local::beside_us("libmirrord_layer.so")?;
    let session = random_id()?;
    let folder = SessionFolder::create(&session)?;

    // Our other processes load while the rules are compiled and the agent starts.
    let (files_ours, files_theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .context("could not make a socket pair for the file server")?;
    let file_server = role_process::load(Role::FileServer, &[files_theirs.as_fd()])?;
    drop(files_theirs);
    let (supervisor, supervisor_fd) = SupervisorChannel::pair()?;
    let supervisor = Arc::new(supervisor);
    let socket = folder.join("supervisor");
    let hand_over = UnixListener::bind(&socket)
        .with_context(|| format!("could not make the socket {}", socket.display()))?;
    let peers = Arc::new(PeerTable::create().context("could not make shared memory")?);
    let rules_file = empty_memory_file("mirrord-rules")?;
    let supervisor_role = role_process::load(
        Role::Supervisor,
        &[
            supervisor_fd.as_fd(),
            hand_over.as_fd(),
            rules_file.as_fd(),
            peers.as_fd(),
            files_ours.as_fd(),
        ],
    )?;
    drop((supervisor_fd, hand_over, files_ours));

    let program = program::find(&command[0]);
    let rules = config
        .config
        .compiled_rules_for(&mirrord_config::machine(program.as_deref()))?;
    fill_memory_file(&rules_file, rules.as_bytes())?;

    let (started, identity) = start_agent(&target, agent, &folder, session).await?;
    // Its links are made beside ours.
    let files_process = file_server.give(&FileServerOptions {
        endpoint: started.endpoint.to_string(),
        identity: identity.to_bytes()?,
        writable: config.config.may_write(),
        callers_ids: rustix::process::getuid().is_root(),
        log: log.clone(),
    })?;
    let (control, streams) = tokio::try_join!(
        dial(&started, &identity, Purpose::Control),
        dial(&started, &identity, Purpose::Streams),
    )?;
    let (sender, receiver) = control.into_messages();
    let (agent, facts, agent_news_rx) = AgentLink::start(sender, receiver).await?;
    let (streams, incoming_streams) = streams.into_streams(Side::Session);
    let supervisor_process = supervisor_role.give(&SupervisorOptions {
        has_files: true,
        report_all: events.is_wanted(),
        skipped: config.config.skipped_programs(),
        folder: folder.path().to_owned(),
        hostname: config
            .config
            .hostname()
            .then(|| facts.hostname.clone().into_bytes()),
        launch: None,
        log,
    })?;

    let (answer_tx, answer_rx) = mpsc::unbounded_channel();
    let (event_tx, event_rx) = mpsc::unbounded_channel();
    let (streams_tx, streams_rx) = watch::channel(Some(streams));
    let outgoing = OutgoingRelays::new(streams_rx, peers.clone(), answer_tx.clone())
        .context("could not make the loopback sockets of outgoing connections")?;
    let listeners = Listeners::new(agent.clone(), rules, peers, answer_tx.clone(), event_tx);
    tokio::spawn(take_clients(incoming_streams, listeners.relays()));

    let environment = environment(&config, &facts)?;
    state(&mut events, "ready", &format!("linked to {target}"));
    let program = Program::start(&command, &environment, &socket, &layer)?;
    state(&mut events, "running", &command[0].to_string_lossy());
    Ok(Parts {
        target,
        events,
        said: std::collections::HashSet::new(),
        agent,
        agent_news_rx,
        agent_process: started.process,
        supervisor,
        supervisor_process,
        files_process,
        program,
        outgoing,
        listeners,
        answer_tx,
        answer_rx,
        event_rx,
        streams_tx,
        _folder: folder,
    })
}

async fn start_agent(
    target: &crate::target::Target,
    choice: AgentChoice,
    folder: &SessionFolder,
    session: String,
) -> Result<(StartedAgent, SessionIdentity)> {
    let (key, started) = match choice {
        AgentChoice::Join {
            endpoint,
            fingerprint,
            key,
        } => {
            let key = crate::key_file::read(&key)?;
            (
                key,
                StartedAgent {
                    endpoint,
                    fingerprint,
                    process: None,
                },
            )
        }
        choice => {
            let key = SessionIdentity::new_key()?;
            let via = match choice {
                AgentChoice::StartOnTcp(address) => Via::Tcp(address),
                _ => Via::Unix(folder.join("agent")),
            };
            let public = SessionIdentity::public_hex(&key);
            (key, provider::start_agent(target, &public, via).await?)
        }
    };
    let agent = started.fingerprint;
    Ok((
        started,
        SessionIdentity {
            session,
            key,
            agent,
        },
    ))
}

async fn dial(
    agent: &StartedAgent,
    identity: &SessionIdentity,
    purpose: Purpose,
) -> Result<mirrord_link::Socket> {
    let (_hello, socket) = mirrord_link::dial(&agent.endpoint, identity, purpose)
        .await
        .with_context(|| format!("could not link to the agent at {}", agent.endpoint))?;
    Ok(socket)
}

async fn take_clients(mut incoming: IncomingStreams, relays: IncomingRelays) {
    while let Some((header, stream)) = incoming.next().await {
        let relays = relays.clone();
        tokio::spawn(async move {
            if let Err(error) = relays.serve(header, stream).await {
                tracing::debug!("an incoming connection ended with an error: {error}");
            }
        });
    }
}

/// The program's environment: this machine's and the pod's, merged by the configuration.
fn environment(
    config: &mirrord_config::LoadedConfig,
    facts: &TargetFacts,
) -> Result<Vec<(OsString, OsString)>> {
    let local: Vec<(Vec<u8>, Vec<u8>)> = std::env::vars_os()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    let merged = config
        .config
        .merge_environment(&local, &facts.environment)?;
    Ok(merged
        .into_iter()
        .map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)))
        .collect())
}

/// A name for the session that nobody can guess or meet by chance.
fn random_id() -> Result<String> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).context("could not get random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
