//! The process that must not die: it holds the listeners, and a worker that it forked serves
//! them.
//!
//! If a listener were closed, every listed call of the supervised programs would fail with
//! ENOSYS. So the keeper does as little as can be done: it takes hand-overs, passes them to the
//! worker, and replaces a worker that died with the same descriptors. It is single threaded, so
//! that it may fork(2) at any time.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
};

use crate::{
    SupervisorConfig, SupervisorError, fork,
    joining::{self, Joining, Progress},
    packets::{self, Packet},
    paths::roots::Roots,
    shared::Shared,
    shared_table::SharedTable,
    tell,
    terms::Launch,
    worker,
};

/// After this many deaths within this time the session is given up.
const DEATHS: usize = 5;
const WITHIN: Duration = Duration::from_secs(10);

/// What the keeper holds, and a worker inherits.
pub(crate) struct Held {
    pub config: SupervisorConfig,
    pub shared: Shared,
    pub table: SharedTable,
    pub launch: Option<Arc<Launch>>,
    /// Of programs that joined: a worker that follows another one sees none of them join.
    pub roots: Arc<Roots>,
    pub generation: u16,
}

struct Worker {
    pid: Pid,
    socket: OwnedFd,
}

/// Runs until a worker ends in peace.
pub(crate) fn keep(mut held: Held) -> Result<(), SupervisorError> {
    let mut listeners: Vec<Option<OwnedFd>> = Vec::new();
    let mut joining: Vec<Joining> = Vec::new();
    let mut deaths: Vec<Instant> = Vec::new();
    let mut worker = start(&held, &listeners)?;
    loop {
        match wait(&held, &worker, &listeners, &joining)? {
            News::Client => {
                let client = Joining::accept(&held.config.hand_over, held.config.owner);
                joining.extend(client);
            }
            News::Said(at) => {
                let token = held.launch.as_ref().map(|launch| &launch.token);
                let progress = joining.get_mut(at).map(|client| client.advance(token));
                if let Some(Progress::Waits) | None = progress {
                    continue;
                }
                let client = joining.swap_remove(at);
                if let Some(Progress::Listener(listener)) = progress {
                    // What goes wrong here goes wrong in the worker too, which says it.
                    let _ = held.roots.joined(client.pid);
                    let packet = Packet::Listener {
                        index: listeners.len() as u32,
                        of: client.pid,
                    };
                    packets::send(&worker.socket, packet, Some(listener.as_fd()));
                    listeners.push(Some(listener));
                    client.accepted();
                }
            }
            News::TooSlow => joining.retain(|client| !client.time_left().is_zero()),
            News::Closed(index) => listeners[index] = None,
            News::WorkerGone => {
                let status = waitpid(Some(worker.pid), WaitOptions::empty())
                    .map_err(SupervisorError::setup("wait for its worker"))?;
                if status.is_some_and(|(_, status)| status.exit_status() == Some(0)) {
                    return Ok(());
                }
                deaths.retain(|death| death.elapsed() < WITHIN);
                deaths.push(Instant::now());
                if deaths.len() >= DEATHS {
                    give_up(&held);
                    return Err(SupervisorError::WorkerDies {
                        times: deaths.len(),
                    });
                }
                let how = status
                    .map(|(_, status)| describe(status))
                    .unwrap_or_default();
                tell(format_args!(
                    "the process that answers system calls died ({how}); another one goes on"
                ));
                held.generation = held.generation.wrapping_add(1);
                worker = start(&held, &listeners)?;
            }
        }
    }
}

enum News {
    /// Somebody wants to join.
    Client,
    /// A client took its next step, or left.
    Said(usize),
    /// A client takes too long.
    TooSlow,
    /// All that were behind this listener are gone, or it is not served.
    Closed(usize),
    WorkerGone,
}

/// Forks a worker and gives it all listeners.
fn start(held: &Held, listeners: &[Option<OwnedFd>]) -> Result<Worker, SupervisorError> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(SupervisorError::setup("make a socket to its worker"))?;
    let forked = fork::fork().map_err(SupervisorError::setup("fork its worker"))?;
    let Some(pid) = forked else {
        drop(ours);
        let code = match worker::run(held, theirs) {
            Ok(()) => 0,
            Err(error) => {
                tell(format_args!("{error}"));
                1
            }
        };
        std::process::exit(code);
    };
    let worker = Worker { pid, socket: ours };
    for (index, listener) in listeners.iter().enumerate() {
        if let Some(listener) = listener {
            let packet = Packet::Listener {
                index: index as u32,
                of: 0,
            };
            packets::send(&worker.socket, packet, Some(listener.as_fd()));
        }
    }
    packets::send(&worker.socket, Packet::AllGiven, None);
    Ok(worker)
}

/// Waits for the next thing to do.
fn wait(
    held: &Held,
    worker: &Worker,
    listeners: &[Option<OwnedFd>],
    joining: &[Joining],
) -> Result<News, SupervisorError> {
    let indices: Vec<usize> = (0..listeners.len())
        .filter(|i| listeners[*i].is_some())
        .collect();
    loop {
        let accepts = match joining.len() < joining::MOST {
            true => PollFlags::IN,
            false => PollFlags::empty(),
        };
        let mut fds = vec![
            PollFd::new(&worker.socket, PollFlags::IN),
            PollFd::new(&held.config.hand_over, accepts),
        ];
        fds.extend(joining.iter().map(|one| PollFd::new(one, PollFlags::IN)));
        // Nothing is asked about listeners but whether all callers are gone.
        fds.extend(
            listeners
                .iter()
                .flatten()
                .map(|l| PollFd::new(l, PollFlags::empty())),
        );
        let soonest = joining.iter().map(Joining::time_left).min();
        let timeout = soonest.map(|left| Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(News::TooSlow),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(SupervisorError::setup("wait for news")(errno)),
        }
        let (clients, closed) = fds[2..].split_at(joining.len());
        let closed = closed
            .iter()
            .position(|fd| fd.revents().contains(PollFlags::HUP));
        if let Some(index) = closed.and_then(|at| indices.get(at)) {
            return Ok(News::Closed(*index));
        }
        if !fds[0].revents().is_empty() {
            return Ok(match packets::receive(&worker.socket) {
                Some((Packet::Refused(index), _)) if listeners.len() > index as usize => {
                    News::Closed(index as usize)
                }
                Some(_) => continue,
                None => News::WorkerGone,
            });
        }
        if let Some(at) = clients.iter().position(|fd| !fd.revents().is_empty()) {
            return Ok(News::Said(at));
        }
        if fds[1].revents().contains(PollFlags::IN) {
            return Ok(News::Client);
        }
        if !fds[1].revents().is_empty() {
            return Err(SupervisorError::setup("accept hand-overs")(Errno::BADF));
        }
    }
}

/// No worker can be kept alive: better no program than one whose every call fails.
fn give_up(held: &Held) {
    tell(format_args!(
        "the process that answers system calls died {DEATHS} times in a row; the program is stopped. Please report it with the lines above"
    ));
    for tgid in held.shared.processes() {
        if let Some(pid) = Pid::from_raw(tgid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn describe(status: rustix::process::WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "unknown reason".into(),
    }
}
