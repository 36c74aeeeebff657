//! Starting a session. Whatever fails on the way, what was begun is put away: processes die with
//! their handles, folders go with theirs.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use mirrord_link::{IncomingStreams, LinkError, Side};
use mirrord_net::incoming::IncomingRelays;
use mirrord_net::outgoing::{NameRules, OutgoingRelays};
use mirrord_net::peers::PeerTable;
use mirrord_protocol::control::TargetFacts;
use mirrord_protocol::event::EventKind;
use mirrord_protocol::hello::Purpose;
use mirrord_protocol::session_control::{Chosen, SessionState, SessionStatus};
use mirrord_supervisor::{LaunchTerms, tell};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::sync::{mpsc, watch};

use super::agent::{Agent, warm_key};
use super::agent_link::{self, AgentLink};
use super::board::Board;
use super::channel::SupervisorChannel;
use super::least::Kept;
use super::life::Life;
use super::listeners::Listeners;
use super::parts::Parts;
use super::program::{self, Program};
use super::reconnect::Linking;
use super::replicas::{self, Replicas, Roster};
use super::role_process::empty_memory_file;
use super::rules::RuleBook;
use super::{About, Options, Work, control, role_process};
use crate::events::{self, Wanted};
use crate::provider::{self, ClusterTerms, Place};
use crate::roles::{FileServerOptions, Role, SupervisorOptions};
use crate::runtime_dir::SessionFolder;

/// Name of the supervisor's socket in the session's folder.
pub const SUPERVISOR_SOCKET: &str = "supervisor";

/// Starts everything, the program last. `step` hears what is being done.
pub async fn start(options: Options, step: &dyn Fn(&str)) -> Result<Parts> {
    let folder = SessionFolder::create(&random_id()?)?;
    start_in(folder, options, step).await
}

/// As [`start`], in a folder that is there.
pub async fn start_in(
    folder: SessionFolder,
    options: Options,
    step: &dyn Fn(&str),
) -> Result<Parts> {
    let Options {
        config,
        target,
        agent,
        events,
        work,
        about,
        log,
    } = options;
    let wanted_rx = events.wanted();
    let board = Board::new(first_status(&folder, &target, &config, about), events);
    let (order_tx, order_rx) = mpsc::channel(64);
    control::listen(folder.path(), board.clone(), order_tx.clone())?;
    let text = format!("starting an agent for {target}");
    step(&text);
    board.enter(SessionState::Preparing, &text);
    let layer = provider::local::beside_us("libmirrord_layer.so")?;

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
    let socket = folder.join(SUPERVISOR_SOCKET);
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

    let machine = machine(&work);
    let rules = config.config.compiled_rules_for(&machine)?;
    let source = config.config.rule_source(&machine);
    let rule_book = RuleBook::new(source, rules_file, rules.as_bytes())?;

    let launched = matches!(work, Work::Launch(_));
    let cluster = ClusterTerms::of(&config);
    let warm_key = warm_key(&target, &cluster)?;
    let terms = cluster.clone();
    let agent = Agent::start(&target, &warm_key, agent, &folder, launched, terms).await?;
    for text in agent.started.notes.iter().cloned() {
        // Whoever launches programs into the session gets them with the launch.
        if !launched {
            tell(format_args!("{text}"));
        }
        let level = "warn".into();
        board.events.add(EventKind::Notice { level, text });
    }
    step(&format!("linking to the agent for {target}"));
    // Its links are made beside ours.
    let files_process = file_server.give(&FileServerOptions {
        endpoint: agent.started.endpoint.to_string(),
        identity: agent.identity.to_bytes()?,
        writable: config.config.may_write(),
        callers_ids: rustix::process::getuid().is_root(),
        log: log.clone(),
    })?;
    let ((hello, control), (_, streams)) =
        tokio::try_join!(agent.dial(Purpose::Control), agent.dial(Purpose::Streams),)?;
    let (sender, mut receiver) = control.into_messages();
    let facts = agent_link::facts(&mut receiver).await?;
    let (link, agent_news_rx) =
        AgentLink::start((sender, receiver), agent.started.endpoint.is_held());
    let linking = Linking::new(agent.started.endpoint, agent.identity, &hello);
    let (streams, incoming_streams) = streams.into_streams(Side::Session);
    let token = random_bytes::<32>()?;
    let launch = match &work {
        Work::Program(_) => None,
        Work::Launch(_) => Some(launch_terms(&config, &facts, token, &layer)?),
    };
    let supervisor_process = supervisor_role.give(&SupervisorOptions {
        has_files: true,
        report_all: *wanted_rx.borrow() == Wanted::All,
        skipped: config.config.skipped_programs(),
        folder: folder.path().to_owned(),
        hostname: config
            .config
            .hostname()
            .then(|| facts.hostname.clone().into_bytes()),
        launch,
        log,
    })?;

    let (answer_tx, answer_rx) = mpsc::unbounded_channel();
    let (event_tx, event_rx) = mpsc::unbounded_channel();
    let (streams_tx, streams_rx) = watch::channel(Some(streams));
    let names = NameRules::new(&rules, &facts.search, event_tx.clone())?;
    let outgoing = OutgoingRelays::new(streams_rx, peers.clone(), answer_tx.clone(), names)
        .context("could not make the loopback sockets of outgoing connections")?;
    let listeners = Listeners::new(
        link.clone(),
        rules,
        peers,
        answer_tx.clone(),
        event_tx.clone(),
        board.clone(),
    );
    let place = Place::behind(&linking.endpoint);
    let pod = place.as_ref().map(|place| place.pod.clone());
    listeners.relays().name_pod(pod);
    let roster = Roster::new(board.clone());
    roster.primary(place.as_ref(), "linked", 0);
    let replicas = Replicas::start(
        &replicas::Terms {
            target: &target,
            session: folder.id(),
            logs: launched.then(|| folder.path().to_owned()),
            cluster: &cluster,
            listeners: &listeners,
            event_tx: &event_tx,
            roster: &roster,
        },
        place.clone(),
    )?;
    tokio::spawn(take_clients(
        incoming_streams,
        listeners.relays(),
        link.clone(),
        linking.link,
    ));

    let (program, life) = match &work {
        Work::Program(command) => {
            let environment = environment(&config, &facts)?;
            let state = SessionState::Ready { expires_at: None };
            board.enter(state, &format!("linked to {target}"));
            let program = Program::start(command, &environment, &socket, &layer)?;
            board.enter(SessionState::Running, &command[0].to_string_lossy());
            (Some(program), Life::new(Duration::ZERO))
        }
        Work::Launch(launch) => (None, Life::new(launch.expires)),
    };
    let parts = Parts {
        target,
        board,
        said: std::collections::HashSet::new(),
        agent: link,
        agent_news_rx,
        agent_process: agent.started.process,
        agent_notes: agent.started.notes,
        linking,
        agent_fingerprint: agent.started.fingerprint,
        agent_version: hello.agent_version,
        was_warm: agent.was_warm,
        warm_key,
        hostname: facts.hostname.clone(),
        place,
        roster,
        replicas,
        token: hex(&token),
        supervisor,
        supervisor_process,
        files_process,
        program,
        life,
        stopping: None,
        ended_txs: Vec::new(),
        order_tx,
        order_rx,
        wanted_rx,
        outgoing,
        listeners,
        rules: rule_book,
        kept: Kept::of(&config),
        may_write: config.config.may_write(),
        answer_tx,
        answer_rx,
        event_rx,
        streams_tx,
        folder,
    };
    let wanted = *parts.wanted_rx.borrow();
    parts.want(wanted).await?;
    Ok(parts)
}

/// What is known of the session at its start.
fn first_status(
    folder: &SessionFolder,
    target: &mirrord_target::Target,
    config: &mirrord_config::LoadedConfig,
    about: About,
) -> SessionStatus {
    SessionStatus {
        id: folder.id().to_owned(),
        name: about.name,
        state: SessionState::Preparing,
        target: target.to_string(),
        workspace: about.workspace,
        owned_by: about.owned_by,
        pid: rustix::process::getpid().as_raw_nonzero().get(),
        started_at: events::now(),
        config_file: config.file.clone(),
        config_chosen: about.chosen.unwrap_or_else(|| Chosen {
            source: config.source.name().to_owned(),
            why: config.why.clone(),
        }),
        processes: Vec::new(),
        ports: Vec::new(),
        paused: false,
        next_seq: 0,
        warm_until: None,
        agents: Vec::new(),
    }
}

/// The facts of this machine that the rules depend on.
fn machine(work: &Work) -> mirrord_rules::Machine {
    match work {
        Work::Program(command) => mirrord_config::machine(program::find(&command[0]).as_deref()),
        Work::Launch(launch) => {
            let mut machine = mirrord_config::machine(launch.program.as_deref());
            let folder = launch.working_directory.clone().into_os_string();
            machine.working_directory = Some(folder.into_vec());
            let tools = launch.tools.iter().cloned();
            machine.tools = tools.map(|tool| tool.into_os_string().into_vec()).collect();
            machine
        }
    }
}

/// Hands out the pod's clients until this streams link ends; the session hears of a loss.
pub async fn take_clients(
    mut incoming: IncomingStreams,
    relays: IncomingRelays,
    agent: AgentLink,
    link: u64,
) {
    while let Some((header, stream)) = incoming.next().await {
        let relays = relays.clone();
        tokio::spawn(async move {
            if let Err(error) = relays.serve(header, stream).await {
                tracing::debug!("an incoming connection ended with an error: {error}");
            }
        });
    }
    match incoming.end() {
        // By us, or by the agent, which says so on the control link too.
        None | Some(LinkError::Closed { .. }) => {}
        Some(error) => agent.streams_lost(link, error.to_string()).await,
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

/// What programs get that others launch.
fn launch_terms(
    config: &mirrord_config::LoadedConfig,
    facts: &TargetFacts,
    token: [u8; 32],
    layer: &Path,
) -> Result<LaunchTerms> {
    let changes = config.config.environment_changes(&facts.environment)?;
    let set = changes.set.into_iter();
    Ok(LaunchTerms {
        token,
        set: set
            .map(|variable| (variable.name, variable.value))
            .collect(),
        unset: changes.unset.into_iter().map(String::into_bytes).collect(),
        layer: layer.as_os_str().as_bytes().to_vec(),
    })
}

/// A name that nobody can guess or meet by chance.
pub fn random_id() -> Result<String> {
    Ok(hex(&random_bytes::<8>()?))
}

fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0u8; LENGTH];
    getrandom::fill(&mut bytes).context("could not get random bytes")?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
