//! The process that does the work: it starts the crews for the listeners that the keeper gives,
//! and ends when the session does.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread,
};

use mirrord_protocol::event::EventKind;
use mirrord_rules::Rules;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    SupervisorError,
    answering::Core,
    context::Context,
    crew::{Crew, First},
    ending,
    handler::Handler,
    keeper::Held,
    listener::{Listener, Reply},
    live_rules::LiveRules,
    net::Net,
    packets::{self, Packet},
    paths::Paths,
    session_link::SessionLink,
    shared_table::SharedTable,
};

/// Runs until the session ends; returns only with an error.
pub(crate) fn run(held: &Held, keeper: OwnedFd) -> Result<(), SupervisorError> {
    let setup = SupervisorError::setup::<io::Error>;
    raise_descriptor_limit();
    let config = &held.config;
    let socket = config
        .session
        .try_clone()
        .map_err(setup("duplicate the session's socket"))?;
    let session = SessionLink::new(socket, held.generation, held.table.report());
    let table = held.table.clone();
    session.on_report(move |remote, local| table.set_report(remote, local));
    let rules = LiveRules::new(held.table.rules())?;
    let file = config
        .rules
        .try_clone()
        .map_err(setup("duplicate the rules"))?;
    let (table, live) = (held.table.clone(), rules.clone());
    session.on_rules(move |offset, len| change_rules(&file, offset, len, &table, &live));
    let files = match &config.files {
        Some(fd) => Some(
            fd.try_clone()
                .map_err(setup("duplicate the file server's socket"))?,
        ),
        None => None,
    };
    let peers = config
        .peers
        .try_clone()
        .map_err(setup("duplicate the peer table"))?;
    let context = Context {
        session: session.clone(),
        hostname: config.hostname.as_deref().map(Arc::from),
        generation: held.generation,
        table: held.table.clone(),
        files: files.map(Arc::new),
        peers: Arc::new(peers),
        roots: held.roots.clone(),
        rules,
    };
    let handlers = (config.handlers)(&context)?;
    let launch = held.launch.clone();
    let core = Core::new(
        session.clone(),
        held.shared,
        held.table.clone(),
        launch,
        handlers,
    )
    .map_err(SupervisorError::setup("watch processes"))?;
    let core = Arc::new(core);
    if held.generation > 0 {
        core.processes.take_up();
        let text = "the process that answers system calls died and was replaced; calls in work were begun again".into();
        session.event(EventKind::Notice {
            level: "error".into(),
            text,
        });
    }
    background(&core).map_err(setup("start a thread"))?;
    serve(&core, &keeper)
}

/// Takes the rules that the session put into the file: first here, then in the layer, which turns
/// to us as long as it has not read them.
fn change_rules(
    file: &OwnedFd,
    offset: u64,
    len: usize,
    table: &SharedTable,
    live: &LiveRules,
) -> Result<(), String> {
    let mut block = vec![0; len];
    let mut read = 0;
    while read < len {
        match rustix::io::pread(file, &mut block[read..], offset + read as u64) {
            Ok(0) => return Err("the new rules are cut".into()),
            Ok(more) => read += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(format!("could not read the new rules: {errno}")),
        }
    }
    let (place, kept) = table
        .add(&block)
        .map_err(|error| format!("could not keep the new rules: {error}"))?;
    let rules = Rules::from_bytes(kept).map_err(|error| error.to_string())?;
    live.set(rules);
    table.put_in_force(place);
    Ok(())
}

/// The two usual handlers.
pub(crate) fn handlers(context: &Context) -> Result<Vec<Arc<dyn Handler>>, SupervisorError> {
    Ok(vec![
        Arc::new(Paths::new(context)?),
        Arc::new(Net::new(context)?),
    ])
}

/// Threads for what comes by itself: signals for waiting callers, ends of processes, the
/// session.
fn background(core: &Arc<Core>) -> io::Result<()> {
    let named = |name: &str| thread::Builder::new().name(name.into());
    let watcher = core.clone();
    named("signals").spawn(move || watcher.flights.watch_for_ever())?;
    let reaper = core.clone();
    named("processes").spawn(move || {
        loop {
            for tgid in reaper.processes.wait_for_ends() {
                reaper.process_ended(tgid);
            }
        }
    })?;
    let core = core.clone();
    named("session").spawn(move || {
        let end = core.session.read_until_end();
        // Whatever goes wrong on the way, a worker without a session ends.
        let _ = catch_unwind(AssertUnwindSafe(|| ending::end(&core, &end)));
        std::process::exit(0);
    })?;
    Ok(())
}

/// Takes listeners from the keeper for ever.
fn serve(core: &Arc<Core>, keeper: &OwnedFd) -> Result<(), SupervisorError> {
    // Before any crew takes places of its own.
    let mut orphans = core.shared.orphans();
    let crews: Arc<Mutex<HashMap<u32, Arc<Crew>>>> = Arc::default();
    let lock = |crews: &Mutex<HashMap<u32, Arc<Crew>>>, index: u32, crew: Option<Arc<Crew>>| {
        let mut crews = crews.lock().unwrap_or_else(PoisonError::into_inner);
        match crew {
            Some(crew) => crews.insert(index, crew),
            None => crews.remove(&index),
        }
    };
    while let Some((packet, fd)) = packets::receive(keeper.as_fd()) {
        match (packet, fd.and_then(Listener::new)) {
            (Packet::Listener { index, of }, Some(listener)) => {
                core.session.listeners.fetch_add(1, Ordering::AcqRel);
                if of != 0 {
                    core.process_joins(of);
                }
                let (session, crews_then) = (core.session.clone(), crews.clone());
                let core_then = core.clone();
                let closed = move || {
                    drop(lock(&crews_then, index, None));
                    // Before it is said that nobody is left.
                    for tgid in core_then.processes.take_ends() {
                        core_then.process_ended(tgid);
                    }
                    if session.listeners.fetch_sub(1, Ordering::AcqRel) == 1 {
                        session.idle();
                    }
                };
                let to_keeper = keeper
                    .try_clone()
                    .map_err(SupervisorError::setup("duplicate the keeper's socket"))?;
                let refused = move || packets::send(&to_keeper, Packet::Refused(index), None);
                let first = First::new(of, refused);
                let crew = Crew::start(core.clone(), Arc::new(listener), index, first, closed)
                    .map_err(SupervisorError::setup("start a thread for calls"))?;
                lock(&crews, index, Some(crew));
            }
            (Packet::Listener { index, .. }, None) => {
                tracing::error!(index, "the keeper gave a listener that is none");
            }
            // Only we say that.
            (Packet::Refused(_), _) => {}
            (Packet::AllGiven, _) => {
                for orphan in orphans.drain(..) {
                    let crews = crews.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(crew) = crews.get(&orphan.listener).cloned() else {
                        continue;
                    };
                    drop(crews);
                    // Its answer may just have been given.
                    if !crew.listener().is_valid(orphan.call.id) {
                        continue;
                    }
                    // A call over which a worker died twice may be the reason.
                    if orphan.attempts > 1 {
                        let _ = crew
                            .listener()
                            .reply(orphan.call.id, Reply::Errno(libc::EIO));
                    } else {
                        crew.take_up(orphan)
                            .map_err(SupervisorError::setup("start a thread"))?;
                    }
                }
            }
        }
    }
    // The keeper was killed. What we hold we serve to its end; new programs cannot join.
    let text = "the process that keeps the supervision alive was killed; running programs go on, but no new ones can be started in this session".into();
    core.session.event(EventKind::Notice {
        level: "error".into(),
        text,
    });
    loop {
        thread::park();
    }
}

/// One pidfd for each process, and what callers wait for.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(errno) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!(%errno, "could not raise the limit of open files");
    }
}
